"""Reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import NamedContribution
from comptoir.db.record import Record
from comptoir.i18n import Text

if TYPE_CHECKING:
    from comptoir.context import Context


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column of a report's table; ``kind`` is one of text, integer, money, percent, days; ``drill`` makes it a link."""

    name: str
    label: Text
    kind: str = "text"
    total: bool = False


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A report's answer: rows by column name; ``drill`` of a row is the filter query of its records."""

    columns: tuple[ReportColumn, ...]
    rows: Sequence[Mapping[str, Any]]
    totals: Mapping[str, Any] = field(default_factory=dict)
    chart: str = ""
    chart_value: str = ""
    notes: tuple[Text, ...] = ()
    drill_model: type[Record] | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Report(NamedContribution):
    """A table with a chart on the reports page, run over the records that the filters leave."""

    name: str
    title: Text
    summary: Text
    model: type[Record]
    run: Callable[[Context, Any, Mapping[str, str]], ReportResult]
    """Called with the context, the parsed filter (`records.query.Filter` or None) and the chosen options."""
    permission: str
    options: Mapping[str, tuple[tuple[str, Text], ...]] = field(default_factory=dict)
    order: int = 100
