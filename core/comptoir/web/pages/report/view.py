"""The answer of a report as a table and a chart for its reader, on the reports page and in tiles of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from comptoir.i18n import _
from comptoir.kinds import Cell, CellKind
from comptoir.records.query import and_also, resolve, to_pairs
from comptoir.records.query.tree import Filter
from comptoir.reports import ReportColumn, ReportResult
from comptoir.reports.asking import Asked, conditions_of
from comptoir.reports.measures import Average, Count, Figure, Measure, Median, PeriodChange, Sum, Weighted, plain
from comptoir.reports.pivot import Answer, Line
from comptoir.web import charts
from comptoir.web.addresses import Pairs, url_with, without
from comptoir.web.models.shell import NOTHING
from comptoir.web.models.table import EMPTY, Column, Row, Table
from comptoir.web.session import Visit

KINDS: Mapping[str, CellKind] = {
    "integer": "number", "number": "number", "money": "money", "percent": "percent", "days": "number",
}  # fmt: skip
CHARTED = 30
"""So many rows are drawn; the table shows them all."""


def shape_of(visit: Visit, answer: Answer, measure: Measure) -> str:
    """How a measure is written: as declared, else as its field is."""
    if measure.shape:
        return measure.shape
    if isinstance(measure, Count):
        return "integer"
    if isinstance(measure, Sum | Average | Median | Weighted) and answer.pivot.source == "records":
        kind = resolve(visit.context, answer.pivot.declared, measure.path).field.kind
        return kind.look if kind.look in ("money", "percent") else "number"
    return "number" if isinstance(measure, Sum | Average | Median | Weighted) else "percent"


def written(visit: Visit, shape: str, figure: Figure, currency: str) -> str:
    """A figure in the reader's signs; amounts of several currencies stand side by side."""
    if isinstance(figure, Mapping):
        if shape == "money":
            return " + ".join(visit.formats.money(amount, code) for code, amount in figure.items())
        return ", ".join(f"{written(visit, shape, amount, code)} {code}" for code, amount in figure.items())
    if figure is None:
        return ""
    match shape:
        case "money":
            return visit.formats.money(figure, currency)
        case "integer":
            return visit.formats.integer(int(figure))
        case "percent":
            return visit.formats.percent(figure)
        case "days":
            return str(_("{count} d", count=visit.formats.decimal(figure)))
        case _:
            return visit.formats.decimal(figure)


# -- pivots -----------------------------------------------------------------------------------------------------------------


def pivot_table(visit: Visit, answer: Answer, base: str, pairs: Pairs) -> Table:
    """Rows with their columns and totals; headings sort, labels and counts lead to the records."""
    measures = answer.pivot.measures
    shapes = [shape_of(visit, answer, measure) for measure in measures]
    kept = without(pairs, "sort")
    sort = answer.pivot.sort

    def order(name: str) -> dict[str, Any]:
        if not base:
            return {}
        falling = sort == f"-{name}"
        target = name if falling or (name == "rows" and sort != "rows") else f"-{name}"
        found: dict[str, Any] = {"sort_url": url_with(base, [*kept, ("sort", target)])}
        if sort.lstrip("-") == name:
            found["sorted"] = "descending" if falling else "ascending"
        return found

    columns = [Column("rows", str(answer.heading), **order("rows"))]
    if answer.is_ranked:
        columns.insert(0, Column("rank", str(_("Rank")), "number", right=True))
    blocks = [heading.label for heading in answer.headings]
    for block in blocks:
        for measure, shape in zip(measures, shapes, strict=True):
            label = block if len(measures) == 1 else f"{block} · {measure.label}"
            columns.append(Column(f"{block}.{measure.name}", label, KINDS[shape], right=True))
    for measure, shape in zip(measures, shapes, strict=True):
        label = f"{_('Total')} · {measure.label}" if blocks and len(measures) > 1 else str(measure.label)
        columns.append(
            Column(measure.name, str(_("Total")) if blocks and len(measures) == 1 else label, KINDS[shape], right=True,
                   **order(measure.name))
        )  # fmt: skip
    target = answer.pivot.declared.url
    rows = []
    for number, line in enumerate(answer.lines):
        cells = [Cell(visit.formats.integer(line.rank) if line.rank else "–", "number")] if answer.is_ranked else []
        cells.append(
            Cell(line.label, "link", url=_list(target, line.drill)) if line.drill is not None else Cell(line.label)
        )
        for heading, figures in zip(answer.headings, line.cells, strict=True):
            narrow = and_also(line.drill, heading.drill) if line.drill is not None else None
            cells += _figures(visit, answer, measures, shapes, figures, target, narrow)
        cells += _figures(visit, answer, measures, shapes, line.figures, target, line.drill)
        rows.append(Row(str(number), "", "", tuple(cells)))
    totals = [EMPTY] if answer.is_ranked else []
    totals.append(Cell(str(_("Total"))))
    for sums in (*answer.column_totals, answer.totals):
        totals += _figures(visit, answer, measures, shapes, sums, target, None)
    return Table(tuple(columns), tuple(rows), tuple(totals))


def _list(url: str, where: Filter | None) -> str:
    return url_with(url, to_pairs(where))


def _figures(
    visit: Visit, answer: Answer, measures: Sequence[Measure], shapes: Sequence[str], figures: Mapping[str, Figure],
    target: str, narrow: Filter | None,
) -> list[Cell]:  # fmt: skip
    found = []
    for measure, shape in zip(measures, shapes, strict=True):
        figure = figures[measure.name]
        text = written(visit, shape, figure, answer.currency)
        if isinstance(measure, PeriodChange) and isinstance(figure, Decimal) and figure > 0:
            text = f"+{text}"
        if narrow is not None and isinstance(measure, Count) and figure:
            found.append(Cell(text, "link", url=_list(target, and_also(narrow, conditions_of(measure)))))
        else:
            found.append(Cell(text, KINDS[shape]))
    return found


def pivot_chart(visit: Visit, asked: Asked, answer: Answer, title: str, *, width: int = 960) -> Markup:
    """The chart of one measure by the rows, stacked by the columns where there are any."""
    if not asked.chart or not answer.lines:
        return NOTHING
    measure = next((m for m in asked.measures if m.name == asked.report.draws), asked.measures[0])
    shape = shape_of(visit, answer, measure)
    lines = answer.lines[:CHARTED]

    def value(figures: Mapping[str, Figure]) -> float:
        return float(plain(figures[measure.name], answer.currency) or 0)

    kind = asked.chart
    if kind == "line" and not (answer.is_dated and len(lines) > 1):
        kind = "columns" if answer.is_dated else "bars"
    labels = [line.label for line in lines]
    if kind == "bars" and not answer.headings:
        bars = [_bar(visit, answer, shape, measure, line, value(line.figures)) for line in lines]
        return charts.bars(title, bars, heads=(str(answer.heading), str(measure.label), "", ""))
    show = visit.formats.short_money if shape != "percent" else lambda v: visit.formats.percent(round(v, 1))
    if answer.headings:
        series = [
            charts.Series(heading.label, [value(line.cells[place]) for line in lines], f"s{place % 6 + 1}")
            for place, heading in enumerate(answer.headings)
        ]
    else:
        series = [charts.Series(str(measure.label), [value(line.figures) for line in lines])]
    return (charts.line if kind == "line" else charts.columns)(title, labels, series, show=show, width=width)


def _bar(visit: Visit, answer: Answer, shape: str, measure: Measure, line: Line, value: float) -> charts.Bar:
    url = _list(answer.pivot.declared.url, line.drill) if line.drill is not None else ""
    return charts.Bar(line.label, value, written(visit, shape, line.figures[measure.name], answer.currency), url=url)


# -- reports that compute for themselves --------------------------------------------------------------------------------------


def computed_table(visit: Visit, result: ReportResult) -> Table:
    """The rows of a computed report; the first cell of each leads to its records."""
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


def _shown(visit: Visit, column: ReportColumn, value: Any, currency: str) -> str:
    if value is None or value == "":
        return ""
    return written(visit, column.kind, value, currency) if column.kind in KINDS else str(value)


def computed_chart(visit: Visit, title: str, result: ReportResult) -> Markup:
    """The chart that a computed report asks for: columns, line, funnel or ranking of one column by the first."""
    numeric = [c for c in result.columns if c.kind in KINDS]
    if not result.chart or not result.rows or not numeric:
        return NOTHING
    value = next((c for c in result.columns if c.name == result.chart_value), numeric[0])
    label = next((c for c in result.columns if c.kind not in KINDS), result.columns[0])
    labels = [str(row.get(label.name) or "–") for row in result.rows]
    values = [float(row.get(value.name) or 0) for row in result.rows]
    if result.chart in {"columns", "line"}:
        draw = charts.line if result.chart == "line" else charts.columns
        series = [charts.Series(str(value.label), values)]
        return draw(title, labels, series, show=visit.formats.short_money, width=960)
    # beside each step of a funnel stand the share that goes on and why the others do not; the weakest is marked
    note = next((c for c in numeric if c.kind == "percent"), None) if result.chart == "funnel" else None
    detail = next((c for c in result.columns[1:] if c.kind == "text"), None) if result.chart == "funnel" else None
    bars = [
        charts.Bar(
            text, figure, _shown(visit, value, row.get(value.name), row.get("currency") or result.currency),
            note=_shown(visit, note, row.get(note.name), "") if note is not None else "",
            detail=str(row.get(detail.name) or "") if detail is not None else "", tone=str(row.get("tone") or ""),
        )
        for text, figure, row in zip(labels, values, result.rows, strict=True)
    ]  # fmt: skip
    heads = (
        str(label.label), str(value.label), str(note.label) if note is not None else "",
        str(detail.label) if detail is not None else "",
    )  # fmt: skip
    return charts.bars(title, bars, heads=heads, fade=result.chart == "funnel")
