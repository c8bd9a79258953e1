"""A report as a plugin declares it, and what a report that computes for itself answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from comptoir.contributions.contribution import NamedContribution
from comptoir.i18n import Text
from comptoir.records.query.tree import Filter
from comptoir.reports.dimensions import Column, Dimension
from comptoir.reports.measures import Measure

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record

Chart = Literal["", "bars", "columns", "line"]


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column of a computed report; ``kind`` is one of text, integer, money, percent, days."""

    name: str
    label: Text
    kind: str = "text"
    total: bool = False


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A computed report's answer: rows by column name; ``drill`` of a row is the filter query of its records."""

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
    """Figures of one record type on the reports page: a chart, a table, the records behind each row, an export.

    The first of ``rows`` groups until the reader chooses another, or any field of the type; ``columns`` are offered beside
    none.  ``where`` holds until the reader takes it away, ``period`` is the date that the page's period narrows.  ``shown``
    names the measures of the first look (all without it), ``draws`` the one that the chart shows.  ``sort``, ``top`` and
    ``least`` are those of a pivot.  With ``run`` the report computes its own answer from the filter that is in force.
    """

    name: str
    title: Text
    summary: Text
    model: type[Record]
    permission: str
    rows: tuple[Dimension, ...] = ()
    columns: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    where: Filter | None = None
    period: Column = ""
    chart: Chart = "bars"
    draws: str = ""
    shown: tuple[str, ...] = ()
    sort: str = ""
    top: int = 0
    least: tuple[Measure, int] | None = None
    source: Literal["records", "stays"] = "records"
    run: Callable[[Context, Filter | None], ReportResult] | None = None
    order: int = 100
