"""A table: its columns, its rows, their cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comptoir.kinds import Cell, CellKind
from comptoir.web.models.shell import Action, Module

EMPTY = Cell("")


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    kind: CellKind = "text"
    right: bool = False
    sort_url: str = ""
    sorted: Literal["", "ascending", "descending"] = ""
    module: Module | None = None
    pinned: bool = False
    phone: Literal["", "name", "second", "value", "detail"] = ""


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    title: str
    url: str
    cells: tuple[Cell, ...]
    square: bool = False
    version: int = 0
    archived: bool = False
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A small table in a panel or a report."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: tuple[Cell, ...] = ()
