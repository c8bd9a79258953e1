"""The tabs of a record page: records of other types that point at it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, literal, select, union_all

from comptoir.contributions import Tab as TabOf
from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Query, run
from comptoir.web.addresses import url_with
from comptoir.web.frame import module_of
from comptoir.web.models.record import PanelView, Tab
from comptoir.web.models.shell import Action
from comptoir.web.models.table import Row, Table
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles, wire_name
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit

ROWS = 50


def _offered(view: RecordView) -> list[tuple[str, TabOf]]:
    model = view.declared.model
    return [(plugin.name, tab) for plugin, tab in view.registry.offered(TabOf, view.grants) if tab.on is model]


def chosen(view: RecordView) -> tuple[str, TabOf] | None:
    """The tab that the address names with its plugin; None for the overview."""
    if not view.wanted_tab:
        return None
    found = next(((plugin, tab) for plugin, tab in _offered(view) if tab.name == view.wanted_tab), None)
    if found is None:
        raise NotFound(_("There is no tab {name} here.", name=view.wanted_tab[:60]))
    return found


def strip(view: RecordView) -> tuple[Tab, ...]:
    """The heads of the tabs, behind the first paint with how much each holds."""
    found = _offered(view)
    if not found:
        return ()
    counts = _counts(view, [tab for _name, tab in found]) if view.whole else {}
    return (
        Tab(str(_("Overview")), view.url, current=not view.wanted_tab),
        *(
            Tab(
                str(tab.label), url_with(view.url, [("tab", tab.name)]), tab.name == view.wanted_tab,
                view.visit.formats.integer(counts[tab.name]) if counts.get(tab.name) else "",
                module_of(view.registry, plugin),
            )
            for plugin, tab in found
        ),
    )  # fmt: skip


def _counts(view: RecordView, tabs: Sequence[TabOf]) -> dict[str, int]:
    """How many records each tab holds; one statement for all of them."""
    parts = []
    for tab in tabs:
        table = view.registry.record_type(tab.model).table
        column = table.c[wire_name(tab.reference)]
        parts.append(
            select(literal(tab.name).label("t"), func.count().label("n"))
            .select_from(table)
            .where(column == view.record.id, table.c.archived_at.is_(None))
        )
    rows = view.ctx.session.execute(union_all(*parts) if len(parts) > 1 else parts[0])
    return dict(rows.all())


def panel(view: RecordView, plugin: str, tab: TabOf) -> tuple[PanelView, ...]:
    """What a tab holds, with the way to add to it."""
    target = view.registry.record_type(tab.model)
    reference = wire_name(tab.reference)
    hidden = target.hidden_fields(view.grants)
    table, total = _table(view.visit, target, reference, view.record.id, [
        name for column in tab.columns if (name := wire_name(column)) not in hidden
    ])  # fmt: skip
    actions: tuple[Action, ...] = ()
    if view.ctx.may(target.permission("create")):
        label = str(_("New {label}", label=str(target.declaration.label).lower()))
        begins = [(reference, str(view.record.id)), *tab.given.items()]
        actions = (Action(label, url_with(f"{target.url}/new", begins), "plus", tone="quiet"),)
    return (
        PanelView(
            str(tab.label), table=table, width="full", count=view.visit.formats.integer(total), actions=actions,
            module=module_of(view.registry, plugin), empty=str(_("None yet.")),
        ),
    )  # fmt: skip


def _table(
    visit: Visit, target: DeclaredType, reference: str, record_id: int, names: Sequence[str]
) -> tuple[Table, int]:
    """A table of the newest records that point at one, and how many do."""
    fields = {name: target.fields[name] for name in names}
    currencies = [currency for name in names if (currency := target.currency_of(name)) is not None]
    where = Compare(target.fields[reference].path, "eq", record_id)
    query = Query(where, ("-created_at",), tuple(dict.fromkeys([*names, *currencies])), ROWS)
    found = run(visit.context, target, query)
    cells = Cells(visit, target, look_up_titles(visit, wanted_titles(fields, found.rows)))
    rows = []
    for row in found.rows:
        title, url = (
            str(row.get(target.title) or f"{target.declaration.label} {row['id']}"),
            f"{target.url}/{row['id']}",
        )
        named = Cell(title, "title", url=url)
        made = tuple(named if n == target.title else cells.cell(n, field, row) for n, field in fields.items())
        rows.append(Row(str(row["id"]), title, url, made))
    return Table(tuple(cells.column(name, field) for name, field in fields.items()), tuple(rows)), found.total or 0
