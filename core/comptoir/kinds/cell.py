"""A value as a page shows it: plain data, without HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CellKind = Literal[
    "text", "title", "link", "person", "status", "number", "money", "percent", "moment", "bool", "tags", "act", "phone",
    "email", "bar",
]  # fmt: skip
FieldKind = Literal[
    "text", "area", "number", "money", "percent", "date", "moment", "time", "choice", "bool", "reference", "email", "phone",
    "url", "password", "many", "file", "hidden",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One formatted value.  ``tone`` is the kind of a status, or the colour of a text that needs attention."""

    text: str
    kind: CellKind = "text"
    url: str = ""
    tone: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    percent: int = 0
    iso: str = ""
