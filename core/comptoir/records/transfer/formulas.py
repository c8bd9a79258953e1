"""Texts that a spreadsheet would run as a formula: made harmless on the way out, whole again on the way in."""

from __future__ import annotations

import unicodedata

QUOTE = "'"
STARTS = frozenset("=+-@\N{MINUS SIGN}")
"""How a formula begins, after compatibility forms such as the full-width ``＝`` are folded."""


def neutralised(text: str) -> str:
    """The text behind a quote where a spreadsheet might run it, otherwise the text itself."""
    return QUOTE + text if _may_run(text) else text


def restored(text: str) -> str:
    """What `neutralised` was given: takes its one quote away again and nothing else."""
    return text[1:] if text.startswith(QUOTE) and _may_run(text[1:]) else text


def _may_run(text: str) -> bool:
    # a text that begins with quotes itself is quoted once more, or the way back would take one of its own
    for character in text:
        if character in "\t\r\n":
            return True
        if character == QUOTE or _is_unseen(character):
            continue
        return unicodedata.normalize("NFKC", character)[:1] in STARTS
    return False


def _is_unseen(character: str) -> bool:
    """Blanks, controls, marks and format characters, which some programs skip before they look for a formula."""
    return unicodedata.category(character)[0] in "CZM"
