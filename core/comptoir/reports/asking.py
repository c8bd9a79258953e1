"""From parameters to a pivot: what an address, a saved report and the API say is read and checked in one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comptoir.i18n import Text, _
from comptoir.records.query import PERIODS, parse_filter, resolve
from comptoir.records.query.paths import refuse, unknown
from comptoir.records.query.tree import All, Compare, Filter, and_also, comparisons
from comptoir.reports.declared import Chart, Report
from comptoir.reports.dimensions import PARTS, Dimension, path_of
from comptoir.reports.measures import Average, Count, Measure, Median, PeriodChange, Ratio, Sum, Weighted
from comptoir.reports.pivot import Period, Pivot, named_period
from comptoir.reports.stays import FIELDS
from comptoir.texts import shown

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

PARAMETERS = (
    "rows", "columns", "measures", "period", "date", "from", "to", "compare", "sort", "top", "chart", "without",
)  # fmt: skip
CHARTS: tuple[Chart, ...] = ("bars", "columns", "line", "")
MAX_MEASURES = 12
MAX_TOP = 500
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2200, 12, 31)
COUNT = Count("count", _("Number"))
OPERATIONS = ("sum", "avg", "median", "weighted")
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A report with everything chosen.  ``kept`` are the parts of its own filter that hold, ``given`` those of the address."""

    report: Report
    pivot: Pivot
    measures: tuple[Measure, ...]
    """Without the changes that a comparison adds."""
    kept: tuple[Compare, ...]
    given: Filter | None
    period: str
    first: dt.date | None
    last: dt.date | None
    compares: bool
    chart: Chart


def read(ctx: Context, declared: DeclaredType, report: Report, pairs: Iterable[tuple[str, str]]) -> Asked:
    """What these parameters ask of a report; anything unknown among them is a violation of its name."""
    held: dict[str, str] = {}
    without: set[str] = set()
    filters = []
    for name, value in pairs:
        if name.startswith("filter"):
            filters.append((name, value))
        elif name == "without":
            without.add(value)
        elif name == "measures" and name in held:  # a form with several ticked boxes repeats its parameter
            held[name] += f",{value}"
        elif name in PARAMETERS:
            held[name] = value
        else:
            raise unknown("core.unknown_parameter", _("parameter"), name, [*PARAMETERS, "filter[…]"], name)
    given = parse_filter(ctx, declared, filters)
    named = {part.path for part in comparisons(given)}
    kept = tuple(part for part in _parts(report.where) if part.path not in without | named)
    measures = tuple(_measures(ctx, declared, report, held.get("measures", "")))
    period, word, first, last = _period(ctx, declared, report, held)
    compares = "compare" in held
    if compares and held["compare"] != "1":
        raise unknown("core.unknown_value", _("comparison"), held["compare"], ["1"], "compare")
    if compares and (period is None or (word == "between" and None in (first, last))):
        raise refuse("core.required", _("Choose the period that is compared with the one before."), "period")
    asked = measures
    if compares:
        asked = tuple(
            part for m in measures for part in (m, PeriodChange(f"{m.name}.change", _("Change"), "percent", of=m))
        )
    chart = held.get("chart", report.chart)
    if chart == "none":
        chart = ""
    if chart not in CHARTS:
        raise unknown("core.unknown_value", _("chart"), chart, [*CHARTS[:-1], "none"], "chart")
    sort = held.get("sort", report.sort)
    if sort.lstrip("-") not in ("", "rows", *(m.name for m in asked)):
        if "sort" in held:
            raise unknown("core.unknown_measure", _("measure"), sort, [m.name for m in measures], "sort")
        sort = ""
    pivot = Pivot(
        declared, asked,
        rows=_dimension(ctx, declared, report, report.rows, held.get("rows"), "rows"),
        columns=_dimension(ctx, declared, report, (), held.get("columns"), "columns"),
        where=and_also(given, *kept), period=period, sort=sort,
        top=_top(held.get("top"), report.top), least=report.least, source=report.source,
    )  # fmt: skip
    return Asked(report, pivot, measures, kept, given, word, first, last, compares, chart)


def _parts(where: Filter | None) -> tuple[Compare, ...]:
    match where:
        case None:
            return ()
        case All(parts) if all(isinstance(part, Compare) for part in parts):
            return tuple(part for part in parts if isinstance(part, Compare))
        case Compare():
            return (where,)
    raise TypeError("a report's own filter is one comparison, or several that all hold")


def dimensions(report: Report) -> dict[str, Dimension]:
    """The dimensions that a report offers, by their keys."""
    return {d.key: d for d in (*report.rows, *report.columns)}


def _dimension(
    ctx: Context, declared: DeclaredType, report: Report, first: Sequence[Dimension], name: str | None, parameter: str
) -> Dimension | None:
    if name is None:
        return first[0] if first else None
    if name in ("", "none"):
        return None
    offered = dimensions(report)
    if name in offered:
        return offered[name]
    path, _separator, part = name.partition(":")
    if report.source == "stays" and path in FIELDS and path != "days":
        return Dimension(path, part)
    field = resolve(ctx, declared, path, parameter).field
    if not field.kind.groups:
        raise refuse("core.not_groupable", _("Records cannot be grouped by {name}.", name=shown(path)), parameter)
    is_date = field.kind.dated
    if is_date and not part:
        part = "month"
    if part and (not is_date or part not in PARTS):
        raise unknown("core.unknown_part", _("part"), part, PARTS if is_date else (), parameter)
    return Dimension(path, part)


def _measures(ctx: Context, declared: DeclaredType, report: Report, text: str) -> Iterable[Measure]:
    offered = {measure.name: measure for measure in report.measures}
    names = list(dict.fromkeys(name for name in text.split(",") if name)) or list(report.shown or offered)
    if len(names) > MAX_MEASURES:
        raise refuse("core.too_many_names", _("Give at most {limit} names.", limit=MAX_MEASURES), "measures")
    for name in names or ["count"]:
        yield offered[name] if name in offered else _spelt(ctx, declared, report, name)


def _spelt(ctx: Context, declared: DeclaredType, report: Report, name: str) -> Measure:
    """``count``, ``amount:sum``, ``amount:avg``, ``amount:median`` or ``amount:weighted:probability``."""
    if name == "count":
        return COUNT
    path, _separator, operation = name.partition(":")
    operation, _separator, weight = operation.partition(":")
    if operation not in OPERATIONS:
        raise unknown(
            "core.unknown_measure", _("measure"), name,
            ["count", *(m.name for m in report.measures), *(f"<field>:{o}" for o in OPERATIONS)], "measures",
        )  # fmt: skip
    if report.source == "stays" and path == "days":
        field = FIELDS["days"]
    else:
        field = resolve(ctx, declared, path, "measures").field
    if not field.kind.numeric:
        raise refuse("core.not_a_number", _("{name} is no number that can be summed.", name=shown(path)), "measures")
    return of_field(name, field.label, operation, path, weight)


def of_field(name: str, label: Text, operation: str, path: str, weight: str = "") -> Measure:
    """A measure of one field by the name of its operation."""
    match operation:
        case "sum":
            return Sum(name, label, column=path)
        case "avg":
            return Average(name, _("{field}, average", field=label), column=path)
        case "median":
            return Median(name, _("{field}, median", field=label), column=path)
        case _:
            if not weight:
                raise refuse("core.required", _("Say by what: {name}:probability.", name=shown(name)), "measures")
            return Weighted(name, _("{field}, weighted", field=label), column=path, by=weight)


def _period(
    ctx: Context, declared: DeclaredType, report: Report, held: dict[str, str]
) -> tuple[Period | None, str, dt.date | None, dt.date | None]:
    word, first, last = held.get("period", ""), _day(held, "from"), _day(held, "to")
    if word in ("", "between") and (first is not None or last is not None):
        word = "between"
    if word in ("", "all"):
        return None, "", None, None
    if not report.period:
        raise refuse("core.no_period", _("This report has no period."), "period")
    path = held.get("date") or path_of(report.period)
    if not resolve(ctx, declared, path, "date").field.kind.dated:
        raise refuse("core.no_period", _("{name} is no date.", name=shown(path)), "date")
    if word == "between":
        if first is not None and last is not None and last < first:
            raise refuse("core.out_of_range", _("The last day lies before the first."), "to")
        if first is None and last is None:
            return None, word, None, None
        return Period(path, first or FIRST_DAY, (last or LAST_DAY) + dt.timedelta(days=1)), word, first, last
    if word not in PERIODS:
        raise unknown("core.unknown_value", _("period"), word, ["all", "between", *PERIODS], "period")
    return named_period(ctx, path, word), word, None, None


def _day(held: dict[str, str], name: str) -> dt.date | None:
    text = held.get(name, "")
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = dt.date.max
    if not FIRST_DAY <= day <= LAST_DAY:
        raise refuse("core.invalid", _("Give a day as 2026-11-25."), name)
    return day


def _top(text: str | None, default: int) -> int:
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MAX_TOP):
        raise refuse(
            "core.out_of_range", _("Give a whole number from {least} to {most}.", least=0, most=MAX_TOP), "top"
        )
    return int(text)


def explored(ctx: Context, declared: DeclaredType) -> Report:
    """The report that every record type has by itself: its choices, references and dates, its numbers summed."""
    hidden = declared.hidden_fields(ctx.actor.grants)
    rows: list[Dimension] = []
    measures: list[Measure] = [COUNT]
    dates: list[str] = []
    for wire, field in declared.fields.items():
        if wire in hidden:
            continue
        path = wire[: -len(field.name)] + field.path
        if field.kind.facet or field.target is not None:
            rows.append(Dimension(path))
        elif field.kind.dated:
            dates.append(path)
        elif field.kind.numeric and field.kind.look != "percent" and field.grouped:
            measures += [
                of_field(f"{path}:{o}", field.label, o, path) for o in ("sum", "avg", "median")
            ]  # fmt: skip
    rows += [Dimension(path, "month") for path in dates]
    created = dates[0] if dates else "created_at"
    return Report(
        declared.name, declared.declaration.plural, _("Any grouping of {plural}.", plural=declared.declaration.plural),
        declared.model, declared.permission("read"), tuple(rows), tuple(rows), tuple(measures), period=created,
        shown=tuple(m.name for m in measures[:2]), top=50, order=1000,
    )  # fmt: skip


def conditions_of(measure: Measure) -> Filter | None:
    """Which records a measure counts; None where all of them, or where it is made of several others."""
    if isinstance(measure, Ratio):
        return conditions_of(measure.to)
    parts = measure.parts()
    return conditions_of(parts[0]) if parts else measure.where
