"""The board of a record type with stages: lanes, cards, and moving them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from flask import Response, request

from comptoir.db.workflow import Stage, Transition
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Filter, Page, Query, aggregate, and_also, run
from comptoir.web.addresses import Pairs, given_pairs, url_with, without
from comptoir.web.frame import is_partial, page, part, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.board import BoardPage, Card, Lane
from comptoir.web.models.form import AskForm
from comptoir.web.models.shell import Action, Choice, Toast
from comptoir.web.pages.acts import acts_of, nothing_planned
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles, wire_name
from comptoir.web.pages.form.asked import answer_form
from comptoir.web.pages.list.filters import facets_of
from comptoir.web.pages.list.view import parsed_query, views_of
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
    pairs = [p for p in given_pairs() if p[0] not in ("sort", "page[size]", LANE, AFTER)]
    lane = request.args.get(LANE, "")
    if lane and is_partial():
        return part("records/_board.html", BoardView(visit, declared, pairs, lane).page)
    model = BoardView(visit, declared, pairs).page
    actions = []
    if visit.context.may(declared.permission("create")):
        label = str(_("New {label}", label=str(declared.declaration.label).lower()))
        actions.append(Action(label, f"{declared.url}/new", "plus", tone="primary", key="N"))
    return page("records/board.html", model, crumbs=[model.title], actions=actions)


class BoardView:
    """A board as its reader gets it; with ``only`` no more than the next cards of that lane, and what their menus need."""

    def __init__(self, visit: Visit, declared: DeclaredType, pairs: Pairs, only: str = "") -> None:
        self.visit, self.declared, self.only = visit, declared, only
        self.ctx, self.formats, self.url = visit.context, visit.formats, f"{declared.url}/board"
        self.screens = visit.registry.screens(declared)
        self.hidden = declared.hidden_fields(self.ctx.actor.grants)
        workflow = declared.declaration.workflow
        if workflow is None:
            raise NotFound(_("{plural} have no stages.", plural=declared.declaration.plural))
        self.workflow = workflow
        try:
            self.query = parsed_query(visit, declared, self.screens, pairs)
        except (RuleViolation, RuleViolations):
            pairs = []
            self.query = parsed_query(visit, declared, self.screens, pairs)
        self.pairs = pairs
        board = self.screens.board
        self.total = wire_name(board.total) if board is not None and board.total is not None else ""
        self.closed_on = wire_name(board.closed) if board is not None and board.closed is not None else "updated_at"
        self.group = wire_name(board.group) if board is not None and board.group is not None else ""
        self.group_id, self.boards = self._boards() if self.group else (None, ())
        self.probe = declared.model()
        if self.group_id is not None:
            setattr(self.probe, self.group, self.group_id)

    @cached_property
    def page(self) -> BoardPage:
        """All of it."""
        declared = self.declared
        if not self.found:
            raise NotFound(_("There is no stage {stage} here.", stage=self.only[:60]))
        lanes = tuple(self._lane(stage) for stage in self.stages)
        return BoardPage(
            title=str(declared.declaration.plural),
            url=self.url,
            move_url=f"{self.url}/move",
            lanes=lanes,
            query=self.query.text,
            search_hint=str(_("Type to filter")),
            keep=tuple(p for p in self.pairs if p[0] != "q"),
            only=next((lane for lane in lanes if lane.key == self.only), None),
            facets=() if self.only else tuple(facets_of(self.cells, declared, self.query, self.pairs)),
            views=views_of(declared, self.screens, "board", self.pairs),
            boards=self.boards,
            figures=self._headline(),
            here=url_with(self.url, self.pairs),
        )

    # -- what is read ---------------------------------------------------------------------------------------------------

    def _boards(self) -> tuple[int | None, tuple[Choice, ...]]:
        """Of the reference that chooses the set of stages, such as a pipeline, the chosen one and all of them."""
        target = self.visit.registry.target_of(str(self.declared.fields[self.group].target))
        if target is None:
            return None, ()
        found = run(self.ctx, target, Query(fields=(target.title,), size=50), total=False).rows
        wished = id_of(next((value for name, value in self.pairs if name == BOARD), ""))
        ids = [row["id"] for row in found]
        chosen = wished if wished in ids else (ids[0] if ids else None)
        kept = without(self.pairs, BOARD)
        return chosen, tuple(
            Choice(
                str(row.get(target.title) or row["id"]), url_with(self.url, [*kept, (BOARD, str(row["id"]))]),
                row["id"] == chosen,
            )
            for row in found
        )  # fmt: skip

    @cached_property
    def narrowed(self) -> Filter | None:
        """Which records stand on it."""
        if self.group_id is None:
            return self.query.where
        return and_also(self.query.where, Compare(self.declared.fields[self.group].path, "eq", self.group_id))

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """Its lanes."""
        return self.workflow.stages(self.ctx, self.probe)

    @cached_property
    def moves(self) -> Mapping[str, Sequence[Transition]]:
        """The moves that the reader's rights leave, by the stage they start at."""
        scope = self.ctx.actor.grants.scope
        usable = [
            t
            for t in self.workflow.transitions(self.ctx, self.probe)
            if t.permission is None or scope(t.permission) is not None
        ]
        return {stage.name: [t for t in usable if t.applies_to(stage.name)] for stage in self.stages}

    @cached_property
    def card_fields(self) -> Sequence[str]:
        """What the cards show."""
        board = self.screens.board
        columns = board.card if board is not None else self.screens.list.columns[:3]
        names = dict.fromkeys([self.declared.title, *(wire_name(c) for c in columns), *filter(None, [self.total])])
        return [n for n in names if n not in self.hidden and not self.declared.fields[n].kind.lined]

    @cached_property
    def found(self) -> Mapping[str, Page]:
        """The cards by lane."""
        return {stage.name: self._rows(stage) for stage in self.stages if self.only in ("", stage.name)}

    def _rows(self, stage: Stage) -> Page:
        wanted = [*self.card_fields, "owner_id", "updated_at", self.closed_on]
        wanted += [name for name in ("stage_since", "currency") if name in self.declared.fields]
        query = Query(
            and_also(self.narrowed, Compare(self.workflow.field, "eq", stage.name)),
            (f"-{self.closed_on}" if stage.closes else "-updated_at",),
            tuple(dict.fromkeys(wanted)),
            CARDS,
            after=request.args.get(AFTER) if self.only else None,
            text=self.query.text,
        )
        return run(self.ctx, self.declared, query, total=False)

    @cached_property
    def figures(self) -> Mapping[str, Mapping[str, Any]]:
        """Count and total by stage, in one statement."""
        if self.only:
            return {}
        field = self.workflow.field
        measures = ["count", *([f"{self.total}:sum"] if self.total and self.total not in self.hidden else [])]
        names = tuple(stage.name for stage in self.workflow.stages(self.ctx))
        query = Query(and_also(self.narrowed, Compare(field, "in", names)), text=self.query.text)
        return {row[field]: row for row in aggregate(self.ctx, self.declared, query, group=[field], measures=measures)}

    @cached_property
    def cells(self) -> Cells:
        """Makes cells, and knows the titles of everything on the cards."""
        fields = {name: self.declared.fields[name] for name in (*self.card_fields, "owner_id")}
        rows = [row for rows in self.found.values() for row in rows.rows]
        return Cells(self.visit, self.declared, look_up_titles(self.visit, wanted_titles(fields, rows)))

    @cached_property
    def acts(self) -> Mapping[int, Cell]:
        """What is planned next, by card."""
        return acts_of(self.visit, self.declared, [row["id"] for rows in self.found.values() for row in rows.rows])

    # -- what is shown --------------------------------------------------------------------------------------------------

    def _lane(self, stage: Stage) -> Lane:
        declared, formats = self.declared, self.formats
        found, figures = self.found.get(stage.name, NOTHING), self.figures.get(stage.name, {})
        count = int(figures.get("count", 0))
        shown = tuple(self._card(stage, row) for row in found.rows)
        rest = count - len(shown)
        following = [*self.pairs, (LANE, stage.name), (AFTER, found.next or "")]
        field = self.workflow.field
        may_add = not stage.closes and self.ctx.may(declared.permission("create"))
        return Lane(
            key=stage.name,
            label=str(stage.label),
            cards=shown,
            count=formats.integer(count),
            total=self._money(figures.get(f"{self.total}:sum") or Decimal(0)) if self.total else "",
            foot=str(_("Closed") if stage.closes else _("Stage total")),
            note=str(_("newest first")) if stage.closes else "",
            probability=int(stage.probability) if stage.probability is not None else (0 if stage.won is False else (100 if stage.won else None)),
            outcome="" if not stage.closes else ("lost" if stage.won is False else "won"),
            more=str(_("{count} more", count=formats.integer(rest))) if rest > 0 else str(_("Show everything")),
            more_url=url_with(declared.url, [(f"filter[{field}]", stage.name)]) if found.next else "",
            next_url=url_with(self.url, following) if found.next else "",
            new_url=f"{declared.url}/new?{field}={stage.name}" if may_add else "",
            asks=any(t.target == stage.name and t.asks for usable in self.moves.values() for t in usable),
        )  # fmt: skip

    def _money(self, value: Any) -> str:
        is_money = bool(self.declared.fields[self.total].currency)
        return self.formats.money(value, whole=True) if is_money else self.formats.decimal(value)

    def _card(self, stage: Stage, row: Mapping[str, Any]) -> Card:
        declared, record_id = self.declared, row["id"]
        title = str(row.get(declared.title) or f"{declared.declaration.label} {record_id}")
        texts = {n: self.cells.cell(n, declared.fields[n], row).text for n in self.card_fields}
        told = (n for n in texts if n not in (declared.title, self.total, "owner_id") and row.get(n) not in (None, ""))
        since = row.get("stage_since") or row.get("updated_at")
        days = (self.ctx.now() - since).days if since is not None else 0
        late = stage.idle_days is not None and not stage.closes and days > stage.idle_days
        return Card(
            str(record_id), title, f"{declared.url}/{record_id}", next((texts[n] for n in told), ""),
            texts.get(self.total, ""), self._closed(row) if stage.closes else _age(days, late=late), late,
            act=self.acts.get(record_id, None if stage.closes else nothing_planned()),
            owner=self.cells.titles.get(("core_user", row.get("owner_id") or 0), ""), version=row.get("version") or 0,
            moves=tuple(dict.fromkeys(t.target for t in self.moves.get(stage.name, ()))),
        )  # fmt: skip

    def _closed(self, row: Mapping[str, Any]) -> str:
        closed = row.get(self.closed_on)
        if isinstance(closed, dt.datetime):
            closed = closed.astimezone(self.formats.timezone).date()
        return self.formats.near_day(closed) if closed is not None else ""

    def _headline(self) -> tuple[tuple[str, str], ...]:
        if not self.total:
            return ()
        open_total = weighted = Decimal(0)
        for stage in self.stages:
            if not stage.closes:
                amount = Decimal(self.figures.get(stage.name, {}).get(f"{self.total}:sum") or 0)
                open_total += amount
                weighted += amount * Decimal(stage.probability or 0) / 100
        return ((str(_("Open")), self._money(open_total)), (str(_("Weighted")), self._money(round(weighted))))


def _age(days: int, *, late: bool) -> str:
    if late:
        return str(_("idle {count} d", count=days))
    return str(_("{count} d", count=days)) if days else str(_("today"))


# -- moving -----------------------------------------------------------------------------------------------------------------


def _pairs_of_form() -> Pairs:
    """The filters of the page that a move came from: its script sends them along."""
    return [(n, v) for n, v in request.form.items(multi=True) if n.startswith("filter") or n in {"q", BOARD}]


def move_card(visit: Visit, declared: DeclaredType) -> Response:
    """Move a card to another lane; answers with the board as it now stands, or with the form of what the move asks."""
    view = moves.view_of_form(visit, declared)
    pairs = _pairs_of_form()
    came_from = url_with(f"{declared.url}/board", pairs)
    status = 200
    try:
        outcome = moves.attempt(view, request.form.get("to", ""), came_from)
    except ComptoirError as refused:
        if refused.status >= 500:
            raise
        outcome, status = Toast(str(refused), tone="bad"), refused.status
    if isinstance(outcome, AskForm):
        return answer_form(outcome, declared)
    if is_partial():
        return part("records/_board.html", BoardView(visit, declared, pairs).page, toast=outcome, status=status)
    return redirect_with(came_from, outcome)
