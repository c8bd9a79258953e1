"""The page of one record: who it is, the figures, what belongs to it, and what happened."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from flask import Response, current_app, render_template, request
from markupsafe import Markup
from sqlalchemy import func, literal, select, union_all

from comptoir.contributions import Action as Deed
from comptoir.contributions import Fact as FactOf
from comptoir.contributions import Panel
from comptoir.contributions import Tab as TabOf
from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Query, load, run
from comptoir.records.write import archive, delete, restore
from comptoir.values import Amount
from comptoir.web.frame import is_partial, module_of, page, part, redirect_with
from comptoir.web.models.record import Fact, MetaLine, Pair, PanelView, RecordPage, Tab, TimelineEntry
from comptoir.web.models.shell import Action, Toast
from comptoir.web.models.table import EMPTY, Column, Row, Table
from comptoir.web.pages.cells import Cells, Titles, look_up_titles, stored_value, value_of, wanted_titles, wire_name
from comptoir.web.pages.form.page import sections_of
from comptoir.web.pages.list.page import url_with
from comptoir.web.pages.record import composing, moves, timeline
from comptoir.web.session import Visit, current_visit
from comptoir.web.versions import check_seen, of_form

log = logging.getLogger("comptoir.web")
TAB_ROWS = 50


def show(declared: DeclaredType, record_id: int) -> Response:
    """The record page, on its overview or on the tab that the address names.

    What other modules add, the counts and the timeline are asked for by the page itself after its first paint, unless
    the address says ``whole=1``.
    """
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    visit.context.require(declared.permission("read"))
    return show_page(visit, declared, record)


def show_page(
    visit: Visit, declared: DeclaredType, record: Record, refused: composing.Refused | None = None
) -> Response:
    """The page of a loaded record, with what was refused in its composer."""
    base, title = f"{declared.url}/{record.id}", declared.title_of(record)
    whole = request.args.get("whole") == "1"
    happened = _happened(visit, declared, record) if whole else []
    shown = happened[: timeline.PART]
    cells = Cells(visit, declared, _titles(visit, declared, record, shown))
    tabs, chosen = _tabs(visit, declared, record, counted=whole)
    own = tuple(_own_panels(visit, cells, declared, record)) if chosen is None else _tab_panel(visit, record, chosen)
    added = tuple(_added_panels(visit, record, declared)) if whole and chosen is None else ()
    facts = tuple(_own_facts(visit, cells, declared, record))
    entries = timeline.entries(visit, cells, shown)
    where = [("tab", chosen[1].name)] if chosen is not None else []
    model = RecordPage(
        title, base,
        status=_status(cells, declared, record),
        meta=tuple(_meta(cells, declared, record)),
        square=getattr(record, "kind", "") == "company",
        icon="" if declared.name == "base.contact" else declared.declaration.icon,
        actions=tuple(_deeds(visit, declared, record)),
        more=tuple(_more(visit, declared, record)),
        steps=moves.steps(visit, declared, record),
        version=record.version,
        facts=(*facts, *_added_facts(visit, declared, record)) if whole else facts,
        tabs=tabs,
        panels=(*own, *added),
        timeline=entries,
        timeline_next_url=_next_part(base, happened, entries),
        composers=composing.composers(visit, declared, record, refused),
        archived=record.archived_at is not None,
        rest_url="" if whole else url_with(f"{base}/rest", where),
        whole_url=url_with(base, [*where, ("whole", "1")]),
    )  # fmt: skip
    return page(
        "records/record.html", model, crumbs=[(declared.declaration.plural, declared.url), title],
        status=200 if refused is None else 422,
    )  # fmt: skip


def show_rest(declared: DeclaredType, record_id: int) -> Response:
    """What the page of a record asks for after its first paint."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    visit.context.require(declared.permission("read"))
    base = f"{declared.url}/{record.id}"
    if not is_partial():
        return redirect_with(base)
    happened = _happened(visit, declared, record)
    shown = happened[: timeline.PART]
    cells = Cells(visit, declared, _titles(visit, declared, record, shown))
    tabs, chosen = _tabs(visit, declared, record, counted=True)
    entries = timeline.entries(visit, cells, shown)
    model = RecordPage(
        declared.title_of(record), base,
        facts=(*_own_facts(visit, cells, declared, record), *_added_facts(visit, declared, record)),
        tabs=tabs,
        panels=tuple(_added_panels(visit, record, declared)) if chosen is None else (),
        timeline=entries,
        timeline_next_url=_next_part(base, happened, entries),
        is_rest=True,
    )  # fmt: skip
    return part("records/_rest.html", model)


def _happened(visit: Visit, declared: DeclaredType, record: Record) -> list[timeline.Happening]:
    return timeline.happenings(visit, declared, record) if declared.declaration.timeline else []


def _titles(visit: Visit, declared: DeclaredType, record: Record, happened: Sequence[timeline.Happening]) -> Titles:
    """The titles of everything that the page mentions."""
    wanted: dict[str, set[int]] = {"core_user": timeline.people_of(happened)}
    hidden = declared.hidden_fields(visit.context.actor.grants)
    for name, field in declared.fields.items():
        if name in hidden or not (field.target is not None or field.kind.points_anywhere):
            continue
        values = [value_of(record, declared, name)]
        for happening in happened:
            change = happening.entry.changes.get(name) if happening.entry is not None else None
            values += [value for value in map(partial(stored_value, field), change or ()) if value is not None]
        for referred in filter(None, (field.kind.refers_to(field, value) for value in values)):
            wanted.setdefault(referred[0], set()).add(referred[1])
    return look_up_titles(visit, wanted)


def _status(cells: Cells, declared: DeclaredType, record: Record) -> Cell | None:
    workflow = declared.declaration.workflow
    name = workflow.field if workflow is not None else "status"
    field = declared.fields.get(name)
    if field is None or field.kind.look != "status":
        return None
    value = getattr(record, name)
    return cells.cell(name, field, {name: value}) if value else None


def _meta(cells: Cells, declared: DeclaredType, record: Record) -> Iterator[MetaLine]:
    for name, icon in (("city", "pin"), ("country", "globe")):
        if name in declared.fields and getattr(record, name, None):
            cell = cells.cell(name, declared.fields[name], {name: getattr(record, name)})
            yield MetaLine(cell.text, icon)
    for name in ("contact_id", "parent_id"):
        if name in declared.fields and getattr(record, name, None):
            cell = cells.cell(name, declared.fields[name], {name: getattr(record, name)})
            yield MetaLine(cell.text, "building", url=cell.url)
    if record.owner_id:
        owner = cells.titles.get(("core_user", record.owner_id))
        if owner:
            yield MetaLine(owner, person=True)


# -- facts ------------------------------------------------------------------------------------------------------------------


def _own_facts(visit: Visit, cells: Cells, declared: DeclaredType, record: Record) -> Iterator[Fact]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    for column in visit.registry.screens(declared).facts:
        name = wire_name(column)
        if name in hidden or name not in declared.fields:
            continue
        cell = cells.cell(name, declared.fields[name], _row_of(declared, record, (name,)))
        yield Fact(str(declared.fields[name].label), cell.text, url=cell.url)


def _added_facts(visit: Visit, declared: DeclaredType, record: Record) -> Iterator[Fact]:
    registry, grants = visit.registry, visit.context.actor.grants
    for plugin, fact in registry.offered(FactOf, grants):
        if fact.model is not declared.model:
            continue
        value = _guarded(visit, plugin.name, lambda fact=fact: fact.value(visit.context, record))
        if value is None:
            continue
        tone: Any = fact.tone
        yield Fact(str(fact.label), _figure(visit, value), tone=tone, module=module_of(registry, plugin.name))


def _figure(visit: Visit, value: Any) -> str:
    """What a plugin's function answered, in the reader's form."""
    formats = visit.formats
    match value:
        case Amount(amount, currency):
            return formats.money(amount, currency)
        case bool():
            return str(_("yes") if value else _("no"))
        case int():
            return formats.integer(value)
        case dt.datetime():
            return formats.moment(value)
        case dt.date():
            return formats.near_day(value)
        case _ if hasattr(value, "as_tuple"):
            return formats.decimal(value)
        case _:
            return str(value)


def _guarded(visit: Visit, plugin: str, call: Any) -> Any:
    """A plugin's answer, or None when it raised: the page stays up and the log says why."""
    try:
        with visit.context.reading():
            return call()
    except Exception:
        log.exception("a part of the page by the module %s failed", plugin)
        return None


def _row_of(declared: DeclaredType, record: Record, names: Iterable[str]) -> dict[str, Any]:
    """The values of a record that cells need for these fields, currencies included."""
    found: dict[str, Any] = {}
    for name in names:
        found[name] = value_of(record, declared, name)
        if (currency := declared.currency_of(name)) is not None:
            found[currency] = value_of(record, declared, currency)
    return found


# -- panels and tabs -------------------------------------------------------------------------------------------------------


def _own_panels(visit: Visit, cells: Cells, declared: DeclaredType, record: Record) -> Iterator[PanelView]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    may_write = visit.context.may(declared.permission("write"), record)
    for module, section in sections_of(visit, declared):
        pairs = []
        for column in section.fields:
            name = wire_name(column)
            field = declared.fields.get(name)
            if field is None or name in hidden or name == declared.title:
                continue
            if field.kind.lined:
                pairs.append(Pair(str(field.label), tuple(_line_cells(cells, declared, record, name))))
                continue
            cell = cells.cell(name, field, _row_of(declared, record, (name,)))
            if field.multiline and cell.text:
                cell = Cell(str(value_of(record, declared, name)))
            pairs.append(Pair(str(field.label), (cell,) if cell != EMPTY else ()))
        filled = tuple(pair for pair in pairs if pair.cells)
        if filled or (pairs and module is not None):
            edit = f"{declared.url}/{record.id}/edit" if may_write else ""
            yield PanelView(str(section.title), pairs=filled or tuple(pairs), edit_url=edit, module=module)


def _added_panels(visit: Visit, record: Record, declared: DeclaredType) -> Iterator[PanelView]:
    registry, grants = visit.registry, visit.context.actor.grants
    for plugin, panel in registry.offered(Panel, grants):
        if panel.on is declared.model:
            yield _panel(visit, plugin.name, panel, record)


def _panel(visit: Visit, plugin_name: str, panel: Panel, record: Record) -> PanelView:
    module = module_of(visit.registry, plugin_name)
    try:
        with visit.context.reading():
            values = panel.values(visit.context, record)
            html = Markup(render_template(panel.template, record=record, formats=visit.formats, **values))  # noqa: S704
    except Exception:
        if current_app.debug:
            raise
        log.exception("the panel %s failed", panel.name)
        return PanelView(
            str(panel.title), module=module, width="full" if panel.wide else "half",
            failed=str(_("This part could not be shown. The log says why.")),
        )  # fmt: skip
    return PanelView(str(panel.title), html=html, module=module, width="full" if panel.wide else "half")


def _line_cells(cells: Cells, declared: DeclaredType, record: Record, name: str) -> Iterator[Cell]:
    field = declared.fields[name]
    assert field.line is not None
    described = {n: f for n, f in fields_of(field.line).items() if not f.server and not f.kind.lined}
    label = next((n for n, f in described.items() if f.choices), "")
    for line in getattr(record, name):
        values = {n: getattr(line, n) for n in described}
        note = str(described[label].label_of(values[label])) if label else ""
        shown = [cells.cell(n, f, values) for n, f in described.items() if n != label and values[n] not in (None, "")]
        if not shown:
            continue
        if len(shown) == 1 and shown[0].note:
            yield shown[0]
        else:
            yield dataclasses.replace(shown[0], text=", ".join(c.text for c in shown), note=note)


def _tabs(
    visit: Visit, declared: DeclaredType, record: Record, *, counted: bool
) -> tuple[tuple[Tab, ...], tuple[str, TabOf] | None]:
    registry, grants = visit.registry, visit.context.actor.grants
    wanted = request.args.get("tab", "")
    found = [(plugin.name, tab) for plugin, tab in registry.offered(TabOf, grants) if tab.on is declared.model]
    if not found:
        return (), None
    counts = _tab_counts(visit, record, [tab for _name, tab in found]) if counted else {}
    base = f"{declared.url}/{record.id}"
    shown = [Tab(str(_("Overview")), base, current=not wanted)]
    chosen = None
    for plugin_name, tab in found:
        is_chosen = tab.name == wanted
        if is_chosen:
            chosen = (plugin_name, tab)
        count = visit.formats.integer(counts.get(tab.name, 0)) if counts.get(tab.name) else ""
        shown.append(
            Tab(str(tab.label), url_with(base, [("tab", tab.name)]), is_chosen, count, module_of(registry, plugin_name))
        )
    if wanted and chosen is None:
        raise NotFound(_("There is no tab {name} here.", name=wanted[:60]))
    return tuple(shown), chosen


def _tab_counts(visit: Visit, record: Record, tabs: Sequence[TabOf]) -> dict[str, int]:
    """How many records each tab holds; one statement for all of them."""
    parts = []
    for tab in tabs:
        table = visit.registry.record_type(tab.model).table
        column = table.c[wire_name(tab.reference)]
        parts.append(
            select(literal(tab.name).label("t"), func.count().label("n"))
            .select_from(table)
            .where(column == record.id, table.c.archived_at.is_(None))
        )
    rows = visit.context.session.execute(union_all(*parts) if len(parts) > 1 else parts[0])
    return dict(rows.all())


def _tab_panel(visit: Visit, record: Record, chosen: tuple[str, TabOf]) -> tuple[PanelView, ...]:
    plugin_name, tab = chosen
    ctx = visit.context
    target = ctx.registry.record_type(tab.model)
    reference = wire_name(tab.reference)
    hidden = target.hidden_fields(ctx.actor.grants)
    names = [n for n in (wire_name(c) for c in tab.columns) if n not in hidden]
    table, total = related_table(visit, target, reference, record.id, names)
    actions: tuple[Action, ...] = ()
    if ctx.may(target.permission("create")):
        label = str(_("New {label}", label=str(target.declaration.label).lower()))
        begins = [(reference, str(record.id)), *tab.given.items()]
        actions = (Action(label, url_with(f"{target.url}/new", begins), "plus", tone="quiet"),)
    return (
        PanelView(
            str(tab.label), table=table, width="full", count=visit.formats.integer(total), actions=actions,
            module=module_of(visit.registry, plugin_name), empty=str(_("None yet.")),
        ),
    )  # fmt: skip


def related_table(
    visit: Visit, target: DeclaredType, reference: str, record_id: int, names: Sequence[str]
) -> tuple[Table, int]:
    """A table of the newest records that point at one."""
    wanted = [*names]
    wanted += [currency for name in names if (currency := target.currency_of(name)) is not None]
    query = Query(
        where=Compare(target.fields[reference].path, "eq", record_id), sort=("-created_at",), fields=tuple(dict.fromkeys(wanted)),
        size=TAB_ROWS,
    )  # fmt: skip
    found = run(visit.context, target, query)
    fields = {name: target.fields[name] for name in names}
    cells = Cells(visit, target, look_up_titles(visit, wanted_titles(fields, found.rows)))
    columns: tuple[Column, ...] = tuple(cells.column(name, target.fields[name]) for name in names)
    rows = []
    for row in found.rows:
        title = str(row.get(target.title) or f"{target.declaration.label} {row['id']}")
        made = tuple(
            Cell(title, "title", url=f"{target.url}/{row['id']}")
            if name == target.title
            else cells.cell(name, fields[name], row)
            for name in names
        )
        rows.append(Row(str(row["id"]), title, f"{target.url}/{row['id']}", made))
    return Table(columns, tuple(rows)), found.total or 0


# -- deeds ------------------------------------------------------------------------------------------------------------------


def _deeds(visit: Visit, declared: DeclaredType, record: Record) -> Iterator[Action]:
    ctx = visit.context
    base = f"{declared.url}/{record.id}"
    for line_field in ("phones", "emails"):
        lines = getattr(record, line_field, None) if line_field in declared.fields else None
        if lines and line_field == "phones":
            dialled = next((line.number for line in lines if any(c.isdigit() for c in line.number)), None)
            if dialled is not None:
                yield Action(str(_("Call")), f"tel:{dialled}", "phone")
        if lines and line_field == "emails":
            yield Action(str(_("Mail")), f"mailto:{lines[0].address}", "mail")
    for plugin_name, deed in _contributed(visit, declared, record):
        del plugin_name
        yield Action(
            str(deed.label), f"{base}/actions/{deed.name}", deed.icon, post=True, tone="primary", fields=of_form(record)
        )
    if ctx.may(declared.permission("write"), record):
        yield Action(str(_("Edit")), f"{base}/edit", "edit", key="E", hidden_on_phone=True)


def _contributed(visit: Visit, declared: DeclaredType, record: Record) -> Iterator[tuple[str, Deed]]:
    for plugin, deed in visit.registry.contributions(Deed):
        if deed.on is not declared.model or not visit.context.may(deed.permission, record):
            continue
        if deed.shown is not None and not _guarded(
            visit, plugin.name, lambda deed=deed: deed.shown(visit.context, record)
        ):
            continue
        yield plugin.name, deed


def _more(visit: Visit, declared: DeclaredType, record: Record) -> Iterator[Action]:
    ctx, base = visit.context, f"{declared.url}/{record.id}"
    title = declared.title_of(record)
    if ctx.may(declared.permission("write"), record):
        yield Action(str(_("Edit")), f"{base}/edit", "edit")
        if record.archived_at is None:
            yield Action(str(_("Move to the bin")), f"{base}/archive", "trash", post=True, fields=of_form(record))
        else:
            yield Action(str(_("Restore from the bin")), f"{base}/restore", "undo", post=True, fields=of_form(record))
    if record.archived_at is not None and ctx.may(declared.permission("delete"), record):
        yield Action(
            str(_("Delete for good")), f"{base}/delete", "trash", post=True, tone="danger", fields=of_form(record),
            confirm=str(_("Delete {title} for good? This cannot be taken back.", title=title)),
        )  # fmt: skip


def put_away(declared: DeclaredType, record_id: int) -> Response:
    """Move a record to the bin."""
    ctx = current_visit().context
    record = load(ctx, declared.model, record_id)
    check_seen(record)
    archive(ctx, [record])
    text = str(_("{title} moved to the bin", title=declared.title_of(record)))
    return redirect_with(declared.url, Toast(text, f"{declared.url}/{record_id}/restore", of_form(record)))


def bring_back(declared: DeclaredType, record_id: int) -> Response:
    """Take a record out of the bin."""
    ctx = current_visit().context
    record = load(ctx, declared.model, record_id)
    check_seen(record)
    restore(ctx, [record])
    return redirect_with(
        f"{declared.url}/{record_id}", Toast(str(_("{title} restored", title=declared.title_of(record))))
    )


def remove(declared: DeclaredType, record_id: int) -> Response:
    """Delete a record for good."""
    ctx = current_visit().context
    record = load(ctx, declared.model, record_id)
    check_seen(record)
    title = declared.title_of(record)
    delete(ctx, [record])
    return redirect_with(declared.url, Toast(str(_("{title} deleted", title=title))))


def act(declared: DeclaredType, record_id: int, name: str) -> Response:
    """Do what a plugin's button does, and go where it leads."""
    visit = current_visit()
    ctx = visit.context
    record = load(ctx, declared.model, record_id)
    for _plugin, deed in _contributed(visit, declared, record):
        if deed.name == name:
            ctx.require(deed.permission, record)
            check_seen(record)
            found = deed.run(ctx, record, {k: v for k, v in request.form.items() if k not in ("csrf_token", "version")})
            target = f"{declared.url}/{record_id}"
            if isinstance(found, Record):
                ctx.session.flush()
                target = f"{ctx.registry.record_type(type(found)).url}/{found.id}"
            said = deed.said(ctx, record, found) if deed.said is not None else _("“{deed}” is done", deed=deed.label)
            undo = f"{declared.url}/{record_id}/actions/{deed.undo}" if deed.undo else ""
            return redirect_with(target, Toast(str(said), undo, of_form(record) if undo else ()))
    raise NotFound(_("There is no action {name} here.", name=name[:60]))


# -- timeline ---------------------------------------------------------------------------------------------------------------


def _next_part(base: str, happened: Sequence[timeline.Happening], entries: Sequence[TimelineEntry]) -> str:
    if len(happened) <= len(entries) or not entries:
        return ""
    return url_with(f"{base}/timeline", [("before", entries[-1].iso)])


def more_timeline(declared: DeclaredType, record_id: int) -> Response:
    """Earlier entries, as the part of a page."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    try:
        before = dt.datetime.fromisoformat(request.args.get("before", ""))
    except ValueError:
        raise RuleViolation("core.not_a_moment", _("Give the moment before which to look.")) from None
    if before.tzinfo is None:
        before = before.replace(tzinfo=dt.UTC)
    happened = timeline.happenings(visit, declared, record, before)
    shown = happened[: timeline.PART]
    cells = Cells(visit, declared, _titles(visit, declared, record, shown))
    entries = timeline.entries(visit, cells, shown)
    base = f"{declared.url}/{record_id}"
    model = RecordPage(
        declared.title_of(record), base, timeline=entries, timeline_next_url=_next_part(base, happened, entries)
    )
    if request.headers.get("HX-Request") != "true":
        return redirect_with(base)
    return part("records/_timeline.html", model)
