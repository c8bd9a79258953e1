"""The board of a record type with stages: lanes, cards, and moving them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import Response, request

from comptoir.db.record import Record
from comptoir.db.workflow import Stage, Transition, Workflow
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Filter, Page, Query, aggregate, and_also, run
from comptoir.web.frame import is_partial, page, part, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.board import BoardPage, Card, Lane
from comptoir.web.models.form import MoveForm
from comptoir.web.models.shell import Action, Choice, Toast
from comptoir.web.pages.acts import acts_of, nothing_planned
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles, wire_name
from comptoir.web.pages.list import page as lists
from comptoir.web.pages.record import moves
from comptoir.web.session import Visit

CARDS = 20
"""So many cards of a lane come at once; the next ones when the last is scrolled into sight."""
BOARD = "board"
LANE, AFTER = "lane", "after"
"""Parameters: one lane alone, from a cursor on."""


NOTHING = Page([], None, False, None)


def show(visit: Visit, declared: DeclaredType) -> Response:
    """The board, with the list's filters; to a script the next cards of one lane."""
    visit.context.require(declared.permission("read"))
    lane = request.args.get(LANE, "")
    if lane and is_partial():
        return part("records/_board.html", _board(visit, declared, lane))
    model = _board(visit, declared)
    plural = str(declared.declaration.plural)
    actions = []
    if visit.context.may(declared.permission("create")):
        label = str(_("New {label}", label=str(declared.declaration.label).lower()))
        actions.append(Action(label, f"{declared.url}/new", "plus", tone="primary", key="N"))
    return page("records/board.html", model, crumbs=[plural], actions=actions)


def _board(visit: Visit, declared: DeclaredType, only: str = "") -> BoardPage:
    """The page; with ``only`` no more than the next cards of that lane, and what their menus need."""
    ctx, registry = visit.context, visit.registry
    screens = registry.screens(declared)
    workflow = declared.declaration.workflow
    if workflow is None:
        raise NotFound(_("{plural} have no stages.", plural=declared.declaration.plural))
    pairs = [
        p
        for p in (lists.given_pairs() if request.method == "GET" else _pairs_of_form())
        if p[0] not in ("sort", "page[size]", LANE, AFTER)
    ]
    try:
        query = lists.parsed_query(visit, declared, screens, pairs)
    except (RuleViolation, RuleViolations):
        pairs = []
        query = lists.parsed_query(visit, declared, screens, pairs)
    group, group_id, boards = _group(visit, declared, pairs)
    probe = declared.model()
    narrowed: Filter | None = query.where
    if group is not None and group_id is not None:
        setattr(probe, wire_name(group), group_id)
        narrowed = and_also(query.where, Compare(declared.fields[wire_name(group)].path, "eq", group_id))
    stages = workflow.stages(ctx, probe)
    permitted = _moves(visit, workflow, probe)
    figures = {} if only else _figures(visit, declared, workflow, screens, narrowed, query.text)
    card_fields = _card_fields(visit, declared, screens)
    board = screens.board
    closed_on = wire_name(board.closed) if board is not None and board.closed is not None else "updated_at"
    after = request.args.get(AFTER) if only else None
    found = {
        stage.name: _rows(visit, declared, workflow, stage, narrowed, query.text, card_fields, closed_on, after)
        for stage in stages
        if only in ("", stage.name)
    }
    if not found:
        raise NotFound(_("There is no stage {stage} here.", stage=only[:60]))
    everything = [row for rows in found.values() for row in rows.rows]
    fields = {name: declared.fields[name] for name in (*card_fields, "owner_id") if name in declared.fields}
    cells = Cells(visit, declared, look_up_titles(visit, wanted_titles(fields, everything)))
    acts = acts_of(visit, declared, [row["id"] for row in everything])
    total_name = wire_name(screens.board.total) if screens.board is not None and screens.board.total is not None else ""
    asks = {t.target for ts in permitted.values() for t in ts if t.asks}
    lanes = tuple(
        _lane(visit, cells, declared, stage, found.get(stage.name, NOTHING), figures.get(stage.name, {}),
              permitted.get(stage.name, ()), acts, card_fields, total_name, closed_on, pairs, asks=stage.name in asks)
        for stage in stages
    )  # fmt: skip
    return BoardPage(
        title=str(declared.declaration.plural),
        url=f"{declared.url}/board",
        move_url=f"{declared.url}/board/move",
        lanes=lanes,
        query=query.text,
        search_hint=str(_("Type to filter")),
        keep=tuple(p for p in pairs if p[0] != "q"),
        only=next((lane for lane in lanes if lane.key == only), None),
        facets=() if only else tuple(lists.facets_of(cells, declared, query, pairs)),
        views=lists.views_of(declared, screens, "board", pairs),
        boards=boards,
        figures=_headline(visit, declared, stages, figures, total_name),
        here=lists.url_with(f"{declared.url}/board", pairs),
    )


def _pairs_of_form() -> lists.Pairs:
    """The filters of the page that a move came from: its script sends them along."""
    own = {"csrf_token", "record", "version", "to"}
    return [
        (n, v)
        for n, v in request.form.items(multi=True)
        if n not in own and (n.startswith("filter") or n in {"q", BOARD})
    ]


def _group(visit: Visit, declared: DeclaredType, pairs: lists.Pairs) -> tuple[Any, int | None, tuple[Choice, ...]]:
    """The reference that chooses the set of stages, such as a pipeline, the chosen one and all of them."""
    board = visit.registry.screens(declared).board
    group = board.group if board is not None else None
    if group is None:
        return None, None, ()
    field = declared.fields[wire_name(group)]
    target = visit.registry.target_of(str(field.target))
    if target is None:
        return None, None, ()
    found = run(visit.context, target, Query(fields=(target.title,), size=50), total=False).rows
    wished = next((value for name, value in pairs if name == BOARD), "")
    ids = [row["id"] for row in found]
    chosen = wanted if (wanted := id_of(wished)) in ids else (ids[0] if ids else None)
    kept = lists.without(pairs, BOARD)
    choices = tuple(
        Choice(
            str(row.get(target.title) or row["id"]), lists.url_with(f"{declared.url}/board", [*kept, (BOARD, str(row["id"]))]),
            row["id"] == chosen,
        )
        for row in found
    )  # fmt: skip
    return group, chosen, choices


def _moves(visit: Visit, workflow: Workflow, probe: Record) -> dict[str, list[Transition]]:
    """The moves that the reader's rights leave, by the stage they start at."""
    grants = visit.context.actor.grants
    usable = [
        t
        for t in workflow.transitions(visit.context, probe)
        if t.permission is None or grants.scope(t.permission) is not None
    ]
    return {
        stage.name: [t for t in usable if t.applies_to(stage.name)] for stage in workflow.stages(visit.context, probe)
    }


def _rows(
    visit: Visit, declared: DeclaredType, workflow: Workflow, stage: Stage, narrowed: Filter | None, text: str,
    card_fields: Sequence[str], closed_on: str, after: str | None,
) -> Page:  # fmt: skip
    where = and_also(narrowed, Compare(workflow.field, "eq", stage.name))
    wanted = [*card_fields, "owner_id", "updated_at", closed_on]
    wanted += [name for name in ("stage_since", "currency") if name in declared.fields]
    sort = f"-{closed_on}" if stage.closes else "-updated_at"
    query = Query(where=where, text=text, fields=tuple(dict.fromkeys(wanted)), size=CARDS, sort=(sort,), after=after)
    return run(visit.context, declared, query, total=False)


def _card_fields(visit: Visit, declared: DeclaredType, screens: Any) -> list[str]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    columns = screens.board.card if screens.board is not None else screens.list.columns[:3]
    names = [declared.title, *(wire_name(c) for c in columns)]
    if screens.board is not None and screens.board.total is not None:
        names.append(wire_name(screens.board.total))
    return [n for n in dict.fromkeys(names) if n not in hidden and not declared.fields[n].kind.lined]


def _figures(
    visit: Visit, declared: DeclaredType, workflow: Workflow, screens: Any, narrowed: Filter | None, text: str
) -> dict[str, dict[str, Any]]:
    """Count and total by stage, in one statement."""
    measures = ["count"]
    hidden = declared.hidden_fields(visit.context.actor.grants)
    if screens.board is not None and screens.board.total is not None and wire_name(screens.board.total) not in hidden:
        measures.append(f"{wire_name(screens.board.total)}:sum")
    groups = [workflow.field]
    names = tuple(stage.name for stage in workflow.stages(visit.context))
    where = and_also(narrowed, Compare(workflow.field, "in", names))
    return {
        row[workflow.field]: row
        for row in aggregate(visit.context, declared, Query(where=where, text=text), group=groups, measures=measures)
    }


def _lane(
    visit: Visit, cells: Cells, declared: DeclaredType, stage: Stage, found: Page, figures: dict[str, Any],
    moves: Sequence[Transition], acts: Mapping[int, Cell], card_fields: Sequence[str], total_name: str, closed_on: str,
    pairs: lists.Pairs, *, asks: bool,
) -> Lane:  # fmt: skip
    formats = visit.formats
    count = int(figures.get("count", 0))
    total = figures.get(f"{total_name}:sum")
    shown = tuple(
        _card(visit, cells, declared, stage, row, moves, acts, card_fields, total_name, closed_on) for row in found.rows
    )
    path = declared.declaration.workflow.field if declared.declaration.workflow is not None else "stage"
    rest = count - len(shown)
    following = [*pairs, (LANE, stage.name), (AFTER, found.next or "")]
    return Lane(
        key=stage.name,
        label=str(stage.label),
        cards=shown,
        count=formats.integer(count),
        total=_money(visit, declared, total_name, total or Decimal(0)) if total_name else "",
        foot=str(_("Closed") if stage.closes else _("Stage total")),
        note=str(_("newest first")) if stage.closes else "",
        probability=int(stage.probability) if stage.probability is not None else (0 if stage.won is False else (100 if stage.won else None)),
        outcome="" if not stage.closes else ("lost" if stage.won is False else "won"),
        more=str(_("{count} more", count=formats.integer(rest))) if rest > 0 else str(_("Show everything")),
        more_url=lists.url_with(declared.url, [(f"filter[{path}]", stage.name)]) if found.next else "",
        next_url=lists.url_with(f"{declared.url}/board", following) if found.next else "",
        new_url="" if stage.closes or not visit.context.may(declared.permission("create")) else f"{declared.url}/new?{path}={stage.name}",
        asks=asks,
    )  # fmt: skip


def _money(visit: Visit, declared: DeclaredType, name: str, value: Any) -> str:
    if name and declared.fields[name].currency:
        return visit.formats.money(value, whole=True)
    return visit.formats.decimal(value)


def _card(
    visit: Visit, cells: Cells, declared: DeclaredType, stage: Stage, row: dict[str, Any], moves: Sequence[Transition],
    acts: Mapping[int, Cell], card_fields: Sequence[str], total_name: str, closed_on: str,
) -> Card:  # fmt: skip
    record_id = row["id"]
    title = str(row.get(declared.title) or f"{declared.declaration.label} {record_id}")
    details = [
        cells.cell(n, declared.fields[n], row).text
        for n in card_fields
        if n not in (declared.title, total_name, "owner_id") and row.get(n) not in (None, "")
    ]
    since = row.get("stage_since") or row.get("updated_at")
    days = (visit.context.now() - since).days if since is not None else 0
    late = stage.idle_days is not None and not stage.closes and days > stage.idle_days
    if stage.closes:
        closed = row.get(closed_on)
        if isinstance(closed, dt.datetime):
            closed = closed.astimezone(visit.formats.timezone).date()
        note = visit.formats.near_day(closed) if closed is not None else ""
    else:
        note = (
            str(_("idle {count} d", count=days))
            if late
            else (str(_("{count} d", count=days)) if days else str(_("today")))
        )
    value = (
        cells.cell(total_name, declared.fields[total_name], row).text
        if total_name and total_name in card_fields
        else ""
    )
    return Card(
        str(record_id), title, f"{declared.url}/{record_id}", details[0] if details else "", value, note, late,
        act=acts.get(record_id, None if stage.closes else nothing_planned()),
        owner=cells.titles.get(("core_user", row.get("owner_id") or 0), ""), version=row.get("version") or 0,
        moves=tuple(dict.fromkeys(t.target for t in moves)),
    )  # fmt: skip


def _headline(
    visit: Visit, declared: DeclaredType, stages: Sequence[Stage], figures: dict[str, dict[str, Any]], total_name: str
) -> tuple[tuple[str, str], ...]:
    if not total_name:
        return ()
    open_total = weighted = Decimal(0)
    for stage in stages:
        if stage.closes:
            continue
        amount = Decimal(figures.get(stage.name, {}).get(f"{total_name}:sum") or 0)
        open_total += amount
        weighted += amount * Decimal(stage.probability or 0) / 100
    return (
        (str(_("Open")), _money(visit, declared, total_name, open_total)),
        (str(_("Weighted")), _money(visit, declared, total_name, round(weighted))),
    )


# -- moving -----------------------------------------------------------------------------------------------------------------


def move_card(visit: Visit, declared: DeclaredType) -> Response:
    """Move a card to another lane; answers with the board as it now stands, or with the form of what the move asks."""
    view = moves.view_of_form(visit, declared)
    came_from = lists.url_with(f"{declared.url}/board", _pairs_of_form())
    status = 200
    try:
        outcome = moves.attempt(view, request.form.get("to", ""), came_from)
    except ComptoirError as refused:
        if refused.status >= 500:
            raise
        outcome, status = Toast(str(refused), tone="bad"), refused.status
    if isinstance(outcome, MoveForm):
        return moves.answer_form(outcome, declared)
    if is_partial():
        return part("records/_board.html", _board(visit, declared), toast=outcome, status=status)
    return redirect_with(came_from, outcome)
