"""What browsers call themselves, in words: a person recognises "Firefox on Windows" and nobody the header."""

from __future__ import annotations

from comptoir.i18n import Text, _

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
            ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("CrOS", "ChromeOS"),
           ("Mac OS X", "Mac"), ("Linux", "Linux"))  # fmt: skip
"""Marks in the order in which they decide: Edge also says Chrome, and Chrome says Safari."""


def device_of(agent: str) -> Text:
    """Browser and system, as far as they can be told; the first word of what is neither."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return _("{browser} on {system}", browser=browser, system=system)
    words = agent.split("/", maxsplit=1)[0].split()
    return browser or system or (words[0][:40] if words else _("Unknown browser"))
