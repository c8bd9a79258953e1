"""Rows that name a record further down in the same file: which row must come before which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptoir.db.record import Record
from comptoir.db.types import fold
from comptoir.records.transfer.mapping import Target
from comptoir.records.transfer.references import loosely


@dataclass(slots=True)
class Row:
    """One row of a file on its way to a record."""

    line: int
    cells: dict[str, Any]
    key: Any = None
    record: Record | None = None
    waits_for: list[tuple[Target, str]] = field(default_factory=list)
    """References to records that may come further down in the file."""


def needs_of(rows: Sequence[Row], column_of: Callable[[Target], str | None]) -> dict[int, set[int]]:
    """By the number of each row, the rows that must come before it: those it names, and the one above with its key.

    ``column_of`` gives the column in which the records that a reference names have their name.
    """
    columns = {column for row in rows for target, _text in row.waits_for if (column := column_of(target)) is not None}
    exact: dict[tuple[str, str], set[int]] = defaultdict(set)
    loose: dict[tuple[str, str], set[int]] = defaultdict(set)
    keys: dict[Any, int] = {}
    needs: dict[int, set[int]] = {}
    for number, row in enumerate(rows):
        needs[number] = {keys[row.key]} if row.key is not None and row.key in keys else set()
        keys[row.key] = number
        for column in columns:
            called = str(row.cells.get(column) or "")
            exact[column, fold(called)].add(number)
            loose[column, loosely(called)].add(number)
    for number, row in enumerate(rows):
        for target, text in row.waits_for:
            column = column_of(target) or ""
            needs[number] |= exact.get((column, fold(text))) or loose.get((column, loosely(text)), set())
    return needs
