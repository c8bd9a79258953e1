"""What a browser calls itself, in the words that a person knows it by."""

from __future__ import annotations

from comptoir.i18n import Text, _

BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"), ("CriOS", "Chrome"), ("Safari", "Safari"), ("curl", "curl"), ("python", "Python"),
)  # fmt: skip
"""Marks by the name they stand for, in the order in which to look: most browsers also claim to be others."""
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser_name(agent: str) -> Text:
    """``Firefox, Windows`` for the agent of a request; what is not known is named as it calls itself."""
    browser = next((name for mark, name in BROWSERS if mark in agent), None)
    system = next((name for mark, name in SYSTEMS if mark in agent), None)
    known = ", ".join(filter(None, (browser, system)))
    return known or agent[:60] or _("Unknown browser")
