"""What templates may do to a name: initials, a steady colour, an icon that exists."""

from __future__ import annotations

import re
import zlib
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

STATIC = Path(__file__).parent / "static"
HUES = 6
_WORD = re.compile(r"[^\W_]+")


def initials(name: str) -> str:
    """The first letters of the first and the last word, as far as there are any."""
    words = _WORD.findall(name)
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper() if words else "?"


def hue(name: str) -> int:
    """One of six avatar colours, the same for the same name everywhere."""
    return zlib.crc32(name.encode()) % HUES + 1


@cache
def code(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    parts = str(escape(text)).split("`")
    return Markup("".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)))  # noqa: S704


def icon_names() -> frozenset[str]:
    """The names drawn in the icon sprite."""
    return frozenset(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))


def icon_name(name: str) -> str:
    """This icon, or a neutral one when a plugin asks for one that is not drawn."""
    return name if name in icon_names() else "layers"
