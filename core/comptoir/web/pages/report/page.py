"""The reports: those of the modules, one of every record type, and those that people keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, cast
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import Text, _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, and_also, resolve, to_pairs
from comptoir.records.views import REPORT, SavedView, delete_view, save_view, view_of, views_of
from comptoir.reports import Report, export
from comptoir.reports.asking import PARAMETERS, Asked, dimensions, explored, read
from comptoir.reports.dimensions import Dimension
from comptoir.reports.pivot import run_pivot
from comptoir.reports.stays import FIELDS
from comptoir.web.account import remember
from comptoir.web.addresses import Pairs, given_pairs, url_with
from comptoir.web.frame import module_of, page, redirect_with
from comptoir.web.models.input import FieldInput, Option
from comptoir.web.models.list import Facet
from comptoir.web.models.report import ReportPage, TileView
from comptoir.web.models.shell import NOTHING, Action, Choice, Empty, NavGroup, NavItem, Toast
from comptoir.web.pages.cells import Cells
from comptoir.web.pages.list.filters import facets_of, in_panel
from comptoir.web.pages.report import view as report_view
from comptoir.web.session import Visit, visited

pages = Blueprint("reports", __name__)

PERIODS: tuple[tuple[str, Text], ...] = (
    ("all", _("All time")),
    ("this_week", _("This week")),
    ("this_month", _("This month")),
    ("last_month", _("Last month")),
    ("this_quarter", _("This quarter")),
    ("last_quarter", _("Last quarter")),
    ("this_year", _("This year")),
    ("last_year", _("Last year")),
    ("last_30_days", _("Last 30 days")),
    ("last_90_days", _("Last 90 days")),
    ("between", _("From … to …")),
)
CHARTS: tuple[tuple[str, Text, str], ...] = (
    ("bars", _("Bars"), "list"),
    ("columns", _("Columns"), "chart"),
    ("line", _("Line"), "activity"),
    ("none", _("Table only"), "table"),
)
PART_NAMES: dict[str, Text] = {
    "day": _("by day"), "week": _("by week"), "month": _("by month"), "quarter": _("by quarter"), "year": _("by year"),
}  # fmt: skip
OWN = ("saved",)
"""Parameters of the page that are none of the report."""


def known_reports(visit: Visit) -> list[tuple[str, Report]]:
    """The reports of the modules that the reader may see, with their modules."""
    grants = visit.context.actor.grants
    offered = visit.registry.offered(Report, grants)
    found = [(plugin.name, r) for plugin, r in offered if grants.scope(_type(visit, r).permission("read"))]
    return sorted(found, key=lambda pair: pair[0])


def _type(visit: Visit, report: Report) -> DeclaredType:
    return visit.registry.record_type(report.model)


def _explorable(visit: Visit) -> list[DeclaredType]:
    """The record types that have a report by themselves: those whose records belong to somebody, but views of them."""
    grants = visit.context.actor.grants
    found = (d for d in visit.registry.record_types.values() if d.has_owner and d.model is not SavedView)
    return [d for d in found if grants.scope(d.permission("read")) is not None]


def find_report(visit: Visit, name: str) -> tuple[str, Report]:
    """A report by its name, or that of a record type; `NotFound` for what the reader may not see."""
    for plugin, report in known_reports(visit):
        if report.name == name:
            return plugin, report
    declared = next((d for d in _explorable(visit) if d.name == name), None)
    if declared is None:
        raise NotFound(_("There is no report {name} here.", name=name[:60]))
    return declared.module, explored(visit.context, declared)


@pages.get("/reports")
@visited
def first(visit: Visit) -> Response:
    """The first report there is."""
    found = [report.name for _plugin, report in known_reports(visit)] or [d.name for d in _explorable(visit)]
    if not found:
        raise NotFound(_("No module brings a report that you may see."))
    return redirect_with(f"/reports/{found[0]}")


@pages.get("/reports/<name>")
@visited
def report(visit: Visit, name: str) -> Response:
    """One report with what the address chooses."""
    plugin_name, found = find_report(visit, name)
    base, pairs = f"/reports/{name}", given_pairs()
    kept = _saved_here(visit, name)
    asked_pairs = [p for p in pairs if p[0] not in OWN]
    trouble = ""
    try:
        model = _page(visit, found, base, asked_pairs)
    except (RuleViolation, RuleViolations) as refused:
        trouble = str(refused)
        asked_pairs = []
        model = _page(visit, found, base, [])
    model = replace(
        model,
        trouble=trouble,
        reports=tuple(_navigation(visit, name, kept)),
        module=module_of(visit.registry, plugin_name),
        save_url=f"{base}/save",
        saved_name=kept.name if kept is not None else "",
        saved_shared=kept.shared if kept is not None else False,
        query=url_with("", asked_pairs).removeprefix("?"),
    )
    title = kept.name if kept is not None else model.title
    model = replace(model, title=title)
    actions = [Action(str(_("Save")), "", "bookmark", dialog="save-report")]
    if kept is not None:
        actions = [*_saved_actions(visit, kept), *actions]
    return page("report.html", model, crumbs=[(_("Reports"), "/reports"), title], actions=actions,
                status=422 if trouble else 200)  # fmt: skip


def _page(visit: Visit, found: Report, base: str, pairs: Pairs) -> ReportPage:
    ctx, declared = visit.context, _type(visit, found)
    asked = read(ctx, declared, found, pairs)
    notes: list[Text] = [found.summary]
    if found.run is not None:
        result = found.run(ctx, asked.pivot.filter)
        table, chart = (
            report_view.computed_table(visit, result),
            report_view.computed_chart(visit, str(found.title), result),
        )
        notes += result.notes
        is_empty = not result.rows
    else:
        answer = run_pivot(ctx, asked.pivot)
        table = report_view.pivot_table(visit, answer, base, pairs)
        chart = report_view.pivot_chart(visit, asked, answer, str(found.title))
        notes += answer.notes
        is_empty = not answer.lines and asked.pivot.rows is not None
    screens = visit.registry.screens(declared)
    in_force = to_pairs(and_also(asked.given, *asked.kept))
    choosers = tuple(_choosers(visit, declared, asked))
    inputs = {chooser.name for chooser in choosers}
    return ReportPage(
        str(found.title), base,
        chart=chart, table=None if is_empty else table,
        choosers=choosers,
        measures=tuple(_measures(asked)),
        charts=tuple(_charts(asked, base, pairs)) if found.run is None else (),
        facets=tuple(_facets(visit, declared, asked, base, pairs)),
        filters_url=url_with(f"{declared.url}/filters", in_force) if screens.list.facets else "",
        in_panel=tuple(p for p in in_force if in_panel(screens, declared, p[0])),
        keep=tuple(
            p for p in pairs
            if p[0] not in inputs and p[0] not in ("measures", "from", "to", "compare", "top") and not in_panel(screens, declared, p[0])
        ),
        exports=tuple(
            Choice(kind.upper(), url_with(f"{base}/export", [*pairs, ("format", kind)])) for kind in export.FORMATS
        ) if found.run is None else (),
        note=" ".join(str(note) for note in notes),
        empty=Empty(
            str(_("Nothing to report yet")), str(_("Once there are records, their figures stand here.")),
        ) if is_empty else None,
    )  # fmt: skip


# -- choices --------------------------------------------------------------------------------------------------------------


def _choosers(visit: Visit, declared: DeclaredType, asked: Asked) -> Iterator[FieldInput]:
    found = asked.report
    if found.run is None:
        offered = [*dimensions(found).values()]
        rest = [d for d in explored(visit.context, declared).rows if d.group not in {o.group for o in offered}]
        everything = [*offered, *(rest if found.source == "records" else [])]
        for name, label, chosen, none in (
            ("rows", _("Rows"), asked.pivot.rows, _("Only totals")),
            ("columns", _("Columns"), asked.pivot.columns, _("None")),
        ):
            shown = everything if chosen is None or chosen.key in {d.key for d in everything} else [*everything, chosen]
            options = [Option("none", str(none), selected=chosen is None)]
            options += [
                Option(d.key, _named(visit, declared, d), selected=chosen is not None and d.key == chosen.key)
                for d in shown
            ]
            value = chosen.key if chosen is not None else "none"
            yield FieldInput(name, str(label), "choice", value, options=tuple(options))
    if found.period:
        options = [Option(word, str(text), selected=word == (asked.period or "all")) for word, text in PERIODS]
        if asked.period and asked.period not in dict(PERIODS):
            options.append(Option(asked.period, asked.period.replace("_", " "), selected=True))
        yield FieldInput("period", str(_("Period")), "choice", asked.period or "all", options=tuple(options))
        if asked.period == "between":
            for name, label, day in (("from", _("From"), asked.first), ("to", _("To"), asked.last)):
                yield FieldInput(name, str(label), "date", day.isoformat() if day is not None else "")
        if asked.pivot.period is not None and found.run is None:
            yield FieldInput("compare", str(_("Compare with the period before")), "bool", "1" if asked.compares else "")
    if found.run is None and asked.pivot.rows is not None and not asked.pivot.rows.part:
        sizes = sorted({0, 10, 20, 50, asked.pivot.top})
        yield FieldInput(
            "top", str(_("Show")), "choice", str(asked.pivot.top),
            options=tuple(Option(str(n), str(_("The first {count}", count=n) if n else _("All rows"))) for n in sizes),
        )  # fmt: skip


def _named(visit: Visit, declared: DeclaredType, dimension: Dimension) -> str:
    """What a way to group is called."""
    if dimension.label:
        return str(dimension.label)
    field = FIELDS.get(dimension.path)
    if field is None:
        field = resolve(visit.context, declared, dimension.path).field
    return f"{field.label} {PART_NAMES[dimension.part]}" if dimension.part else str(field.label)


def _measures(asked: Asked) -> Iterator[Option]:
    """The figures to tick."""
    if asked.report.run is not None:
        return
    chosen = {m.name for m in asked.measures}
    known = {m.name: m for m in (*asked.report.measures, *asked.measures)}
    if len(known) > 1:
        yield from (Option(name, str(m.label), selected=name in chosen) for name, m in known.items())


def _charts(asked: Asked, base: str, pairs: Pairs) -> Iterator[Choice]:
    kept = [p for p in pairs if p[0] != "chart"]
    for name, label, icon in CHARTS:
        yield Choice(str(label), url_with(base, [*kept, ("chart", name)]), name == (asked.chart or "none"), icon)


def _facets(visit: Visit, declared: DeclaredType, asked: Asked, base: str, pairs: Pairs) -> Iterator[Facet]:
    """Every filter in force, those that the report brings itself included; each can be taken away."""
    cells = Cells(visit, declared, {})
    for part in asked.kept:
        gone = url_with(base, [*pairs, ("without", part.path)])
        for facet in facets_of(cells, declared, Query(where=part), to_pairs(part), url=base):
            yield replace(facet, remove_url=gone)
    if asked.given is not None:
        filters = [p for p in pairs if p[0].startswith("filter")]
        others = [p for p in pairs if not p[0].startswith("filter")]
        for facet in facets_of(cells, declared, Query(where=asked.given), filters, url=base):
            rest = parse_qsl(facet.remove_url.partition("?")[2])
            yield replace(facet, remove_url=url_with(base, [*others, *rest]))


def _navigation(visit: Visit, name: str, kept: SavedView | None) -> Iterator[NavGroup]:
    readable = {r.name for _p, r in known_reports(visit)} | {d.name for d in _explorable(visit)}
    own = [s for s in views_of(visit.context, REPORT) if s.subject in readable]
    if own:
        yield NavGroup(
            str(_("Saved")),
            tuple(NavItem(s.name, f"/reports/saved/{s.id}", current=kept is not None and kept.id == s.id) for s in own),
        )
    groups: dict[str, list[NavItem]] = {}
    for plugin, other in known_reports(visit):
        title = str(visit.registry.plugins[plugin].manifest.title)
        here = kept is None and other.name == name
        groups.setdefault(title, []).append(NavItem(str(other.title), f"/reports/{other.name}", current=here))
    yield from (NavGroup(title, tuple(items)) for title, items in groups.items())
    yield NavGroup(
        str(_("Your own, from")),
        tuple(
            NavItem(str(d.declaration.plural), f"/reports/{d.name}", current=kept is None and d.name == name)
            for d in _explorable(visit)
        ),
    )


# -- export ---------------------------------------------------------------------------------------------------------------


@pages.get("/reports/<name>/export")
@visited
def download(visit: Visit, name: str) -> Response:
    """The table as a file."""
    _plugin, found = find_report(visit, name)
    pairs = [p for p in given_pairs() if p[0] not in (*OWN, "format")]
    kind = request.args.get("format", "csv")
    if kind not in export.FORMATS or found.run is not None:
        raise RuleViolation(
            "core.unknown_format",
            _("There is no format {name}. Known: {known}.", name=kind[:20], known=", ".join(export.FORMATS)),
            field="format",
        )
    asked = read(visit.context, _type(visit, found), found, pairs)
    answer = run_pivot(visit.context, asked.pivot)
    with SpooledTemporaryFile() as target:
        export.write(answer, cast("IO[bytes]", target), kind)
        target.seek(0)
        content = target.read()
    mime = "text/csv" if kind == "csv" else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    file = f"{name.replace('.', '-')}-{visit.formats.today.isoformat()}.{kind}"
    return Response(content, mimetype=mime, headers={"Content-Disposition": f"attachment; filename={file}"})


# -- saved reports --------------------------------------------------------------------------------------------------------


def _saved_here(visit: Visit, name: str) -> SavedView | None:
    text = request.args.get("saved", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    try:
        found = view_of(visit.context, REPORT, int(text))
    except NotFound:
        return None
    return found if found.subject == name else None


def _saved_actions(visit: Visit, kept: SavedView) -> list[Action]:
    place = f"/reports/saved/{kept.id}"
    on = kept.id in pinned(visit)
    actions = [
        Action(
            str(_("Remove from the dashboard") if on else _("Put on the dashboard")), f"{place}/tile", "home", post=True,
            fields=(("on", "" if on else "1"),), hidden_on_phone=True,
        )
    ]  # fmt: skip
    if visit.context.may("base.view.delete", kept):
        actions.append(
            Action(
                str(_("Delete")), f"{place}/delete", "trash", post=True, hidden_on_phone=True,
                confirm=str(_("The report “{name}” is deleted for everyone who uses it.", name=kept.name)),
            )
        )  # fmt: skip
    return actions


def pinned(visit: Visit) -> list[int]:
    """The saved reports on the reader's dashboard."""
    return [int(i) for i in visit.preferences.get("report_tiles", []) if isinstance(i, int)]


@pages.get("/reports/saved/<int:report_id>")
@visited
def open_saved(visit: Visit, report_id: int) -> Response:
    """A kept report, as it was when it was kept."""
    kept = view_of(visit.context, REPORT, report_id)
    return redirect_with(url_with(f"/reports/{kept.subject}", [*kept.pairs, ("saved", str(kept.id))]))


@pages.post("/reports/<name>/save")
@visited
def save(visit: Visit, name: str) -> Response:
    """Keep the report as it stands."""
    _plugin, found = find_report(visit, name)
    pairs = [p for p in parse_qsl(request.form.get("query", "")) if p[0] in PARAMETERS or p[0].startswith("filter")]
    read(visit.context, _type(visit, found), found, pairs)
    kept = save_view(
        visit.context, REPORT, name, request.form.get("name", ""), pairs, shared=request.form.get("shared") == "1"
    )
    if request.form.get("tile") == "1" and kept.id not in pinned(visit):
        remember(visit, {"report_tiles": [*pinned(visit), kept.id]})
    return redirect_with(f"/reports/saved/{kept.id}", Toast(str(_("“{name}” is saved", name=kept.name))))


@pages.post("/reports/saved/<int:report_id>/tile")
@visited
def place(visit: Visit, report_id: int) -> Response:
    """Put a kept report on one's dashboard, or take it away."""
    kept = view_of(visit.context, REPORT, report_id)
    others = [i for i in pinned(visit) if i != kept.id]
    on = request.form.get("on") == "1"
    remember(visit, {"report_tiles": [*others, kept.id][-12:] if on else others})
    text = (
        _("“{name}” is on your dashboard", name=kept.name) if on else _("“{name}” left your dashboard", name=kept.name)
    )
    return redirect_with("/?dashboard=1" if on else f"/reports/saved/{kept.id}", Toast(str(text)))


@pages.post("/reports/saved/<int:report_id>/delete")
@visited
def delete(visit: Visit, report_id: int) -> Response:
    """Throw a kept report away."""
    context = visit.context
    delete_view(context, view_of(context, REPORT, report_id))
    return redirect_with("/reports", Toast(str(_("The report is deleted"))))


def tiles(visit: Visit) -> Iterator[SavedView]:
    """The kept reports on the reader's dashboard."""
    wanted = pinned(visit)
    if not wanted:
        return
    known = {kept.id: kept for kept in views_of(visit.context, REPORT)}
    for report_id in wanted:
        kept = known.get(report_id)
        if kept is not None:
            yield kept


def tile(visit: Visit, kept: SavedView) -> TileView:
    """A kept report as a box of the dashboard."""
    _plugin, found = find_report(visit, kept.subject)
    asked = read(visit.context, _type(visit, found), found, kept.pairs)
    url = f"/reports/saved/{kept.id}"
    if found.run is not None:
        result = found.run(visit.context, asked.pivot.filter)
        return TileView(kept.name, 6, chart=report_view.computed_chart(visit, kept.name, result), url=url)
    answer = run_pivot(visit.context, asked.pivot)
    chart = report_view.pivot_chart(visit, asked, replace(answer, lines=answer.lines[:10]), kept.name, width=520)
    table = report_view.pivot_table(visit, replace(answer, lines=answer.lines[:10]), "", [])
    return TileView(kept.name, 6, chart=chart, table=None if chart != NOTHING else table, url=url)
