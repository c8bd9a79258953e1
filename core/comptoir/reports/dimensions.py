"""What the rows and columns of a report stand for: a field, a reference over several steps, a stage, or a span of dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from comptoir.db.record import Extension, module_of
from comptoir.i18n import Text
from comptoir.records.query.tree import Compare, Filter, and_also

Column = Any
"""A mapped attribute (``Deal.amount``), or a path as text where it leads over references (``team.parent``)."""

PARTS = ("day", "week", "month", "quarter", "year")


def path_of(column: Column) -> str:
    """The path of a declared column: ``amount``, ``sales.credit_limit`` of an extension; a text is a path already."""
    if isinstance(column, str):
        return column
    owner: type[Any] = column.class_
    return f"{module_of(owner)}.{column.key}" if issubclass(owner, Extension) else str(column.key)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to group.  ``part`` cuts dates into days, weeks, months, quarters or years; ``name`` stands in addresses.

    Without a label the field's own is shown.
    """

    column: Column
    part: str = ""
    label: Text = ""
    name: str = ""

    @property
    def path(self) -> str:
        """The path to group by."""
        return path_of(self.column)

    @property
    def key(self) -> str:
        """What addresses, rows and the API call it."""
        return self.name or self.group

    @property
    def group(self) -> str:
        """The name that a query groups by: ``stage``, ``closed_on:month``."""
        return f"{self.path}:{self.part}" if self.part else self.path

    def narrow(self, key: Any) -> Filter:
        """The records of one group."""
        if key is None:
            return Compare(self.path, "is_null", value=True)
        if not self.part:
            return Compare(self.path, "eq", key)
        first, after = span(str(key), self.part)
        bounds = and_also(Compare(self.path, "gte", first), Compare(self.path, "lt", after))
        assert bounds is not None
        return bounds


def span(key: str, part: str) -> tuple[dt.date, dt.date]:
    """The first day of ``2017-03-09``, ``2017-W10``, ``2017-03``, ``2017-Q1`` or ``2017`` and the first day after it."""
    match part:
        case "day":
            first = dt.date.fromisoformat(key)
            return first, first + dt.timedelta(days=1)
        case "week":
            first = dt.date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
            return first, first + dt.timedelta(weeks=1)
        case "month":
            begin, months = int(key[:4]) * 12 + int(key[5:]) - 1, 1
        case "quarter":
            begin, months = int(key[:4]) * 12 + (int(key[6:]) - 1) * 3, 3
        case _:
            begin, months = int(key) * 12, 12
    return _first_of(begin), _first_of(begin + months)


def _first_of(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)
