"""The reports of the modules: a chart, a table, and the records behind each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from markupsafe import Markup

from comptoir.contributions import Report, ReportColumn, ReportResult
from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.records.query import parse_filter
from comptoir.web import charts
from comptoir.web.frame import module_of, page, redirect_with
from comptoir.web.screens.lists import url_with
from comptoir.web.session import Visit, current_visit
from comptoir.web.view_models import (
    EMPTY,
    NOTHING,
    Cell,
    CellKind,
    Choice,
    Column,
    Empty,
    NavGroup,
    NavItem,
    ReportPage,
    Row,
    Table,
)

pages = Blueprint("reports", __name__)
KINDS: Mapping[str, CellKind] = {"integer": "number", "money": "money", "percent": "percent", "days": "number"}


def _reports(visit: Visit) -> list[tuple[str, Report]]:
    offered = visit.registry.offered(Report, visit.context.actor.grants)
    return sorted(((plugin.name, report) for plugin, report in offered), key=lambda pair: pair[0])


@pages.get("/reports")
def first() -> Response:
    """The first report there is."""
    found = _reports(current_visit())
    if not found:
        raise NotFound(_("No module brings a report that you may see."))
    return redirect_with(f"/reports/{found[0][1].name}")


@pages.get("/reports/<name>")
def report(name: str) -> Response:
    """One report with the filters and options of the address."""
    visit = current_visit()
    ctx, registry = visit.context, visit.registry
    known = _reports(visit)
    chosen = next(((p, r) for p, r in known if r.name == name), None)
    if chosen is None:
        raise NotFound(_("There is no report {name} here.", name=name[:60]))
    plugin_name, found = chosen
    ctx.require(found.permission)
    declared = registry.record_type(found.model)
    pairs = [(n, v) for n, v in request.args.items(multi=True) if v]
    where = parse_filter(ctx, declared, [p for p in pairs if p[0].startswith("filter")])
    options = {
        option: next((v for n, v in pairs if n == option and v in dict(choices)), choices[0][0])
        for option, choices in found.options.items()
        if choices
    }
    result = found.run(ctx, where, options)
    base = f"/reports/{name}"
    groups: dict[str, list[NavItem]] = {}
    for other_plugin, other in known:
        title = str(registry.plugins[other_plugin].manifest.title)
        groups.setdefault(title, []).append(
            NavItem(str(other.title), f"/reports/{other.name}", current=other.name == name)
        )
    model = ReportPage(
        str(found.title), base,
        chart=_chart(visit, str(found.title), result),
        table=_table(visit, result),
        choices=tuple(
            (option, tuple(
                Choice(str(label), url_with(base, [*(p for p in pairs if p[0] != option), (option, value)]), options[option] == value)
                for value, label in choices
            ))
            for option, choices in found.options.items()
        ),
        note=" ".join(str(t) for t in (found.summary, *result.notes)),
        reports=tuple(NavGroup(title, tuple(items)) for title, items in groups.items()),
        empty=Empty(str(_("Nothing to report yet")), str(_("Once there are records, their figures stand here."))) if not result.rows else None,
        module=module_of(registry, plugin_name),
    )  # fmt: skip
    return page("report.html", model, crumbs=[(_("Reports"), "/reports"), found.title])


def _shown(visit: Visit, column: ReportColumn, value: Any, currency: str) -> str:
    formats = visit.formats
    if value is None or value == "":
        return ""
    match column.kind:
        case "money":
            return formats.money(value, currency or None)
        case "integer":
            return formats.integer(int(value))
        case "percent":
            return formats.percent(value)
        case "days":
            return str(_("{count} d", count=formats.decimal(value)))
        case _:
            return str(value)


def _table(visit: Visit, result: ReportResult) -> Table:
    target = visit.registry.record_type(result.drill_model) if result.drill_model is not None else None
    columns = tuple(
        Column(c.name, str(c.label), KINDS.get(c.kind, "text"), right=c.kind in KINDS) for c in result.columns
    )
    rows = []
    for number, row in enumerate(result.rows):
        drill = row.get("drill")
        cells = []
        for place, column in enumerate(result.columns):
            text = _shown(visit, column, row.get(column.name), row.get("currency") or result.currency)
            if place == 0 and drill and target is not None:
                pairs = list(drill.items()) if isinstance(drill, Mapping) else list(drill)
                cells.append(Cell(text, "link", url=url_with(target.url, pairs)))
            else:
                cells.append(Cell(text, columns[place].kind))
        rows.append(Row(str(number), "", "", tuple(cells)))
    totals: tuple[Cell, ...] = ()
    if result.totals:
        totals = tuple(
            Cell(_shown(visit, c, result.totals[c.name], result.currency)) if c.name in result.totals
            else (Cell(str(_("Total"))) if place == 0 else EMPTY)
            for place, c in enumerate(result.columns)
        )  # fmt: skip
    return Table(columns, tuple(rows), totals)


def _chart(visit: Visit, title: str, result: ReportResult) -> Markup:
    """The chart that the report asks for: columns, line, funnel or ranking of one column by the first."""
    numeric: Sequence[ReportColumn] = [c for c in result.columns if c.kind in KINDS]
    if not result.chart or not result.rows or not numeric:
        return NOTHING
    value = next((c for c in result.columns if c.name == result.chart_value), numeric[0])
    label = result.columns[0]
    labels = [str(row.get(label.name) or "–") for row in result.rows]
    values = [float(row.get(value.name) or 0) for row in result.rows]
    if result.chart in {"column", "columns", "line"}:
        series = [charts.Series(str(value.label), values)]
        if len(set(labels)) < len(labels):  # by two things, such as stage and month: the second is stacked
            labels, series = _stacked(result.columns[1], labels, values, result.rows)
        draw = charts.line if result.chart == "line" else charts.columns
        return draw(title, labels, series, show=visit.formats.short_money, width=960)
    # beside each step of a funnel stand the share that goes on and why the others do not; the weakest is marked
    note = next((c for c in numeric if c.kind == "percent"), None) if result.chart == "funnel" else None
    detail = next((c for c in result.columns[1:] if c.kind == "text"), None) if result.chart == "funnel" else None
    shares = [row[note.name] for row in result.rows if row.get(note.name) is not None] if note is not None else []
    bars = [
        charts.Bar(
            text, figure, _shown(visit, value, row.get(value.name), row.get("currency") or result.currency),
            note=_shown(visit, note, row.get(note.name), "") if note is not None else "",
            detail=str(row.get(detail.name) or "") if detail is not None else "",
            tone="bad" if note is not None and len(shares) > 1 and row.get(note.name) == min(shares) else "",
        )
        for text, figure, row in zip(labels, values, result.rows, strict=True)
    ]  # fmt: skip
    heads = (
        str(label.label), str(value.label), str(note.label) if note is not None else "",
        str(detail.label) if detail is not None else "",
    )  # fmt: skip
    return charts.bars(title, bars, heads=heads, fade=result.chart == "funnel")


def _stacked(
    second: ReportColumn, labels: Sequence[str], values: Sequence[float], rows: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[charts.Series]]:
    """The labels once each, and a series for each value of the second column."""
    known = list(dict.fromkeys(labels))
    parts = sorted({str(row.get(second.name) or "–") for row in rows})
    figures = {part: [0.0] * len(known) for part in parts}
    for label, figure, row in zip(labels, values, rows, strict=True):
        figures[str(row.get(second.name) or "–")][known.index(label)] += figure
    return known, [charts.Series(part, figures[part], f"s{place % 6 + 1}") for place, part in enumerate(parts)]
