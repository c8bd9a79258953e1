"""What templates receive: plain, finished values, so that no template asks the database or decides a right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from comptoir.kinds import Cell as Cell  # noqa: PLC0414 -- pages find all their values here
from comptoir.kinds import CellKind as CellKind  # noqa: PLC0414
from comptoir.kinds import FieldKind as FieldKind  # noqa: PLC0414

Tone = Literal["", "ok", "warn", "bad", "accent", "brass", "plum"]
NOTHING = Markup("")
Act = Literal["late", "today", "plan", "none"]


# The frame -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Module:
    """Which module put something on a page; core pages carry none."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the rail, the side navigation of settings, or the phone's bar."""

    label: str
    url: str
    icon: str = ""
    current: bool = False
    open: bool = False
    count: str = ""
    alarm: str = ""
    module: str = ""
    children: tuple[NavItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Crumb:
    label: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A button.  ``post`` makes it a form of its own; ``confirm`` asks first and repeats the deed on its button."""

    label: str
    url: str
    icon: str = ""
    post: bool = False
    tone: Literal["", "primary", "danger", "quiet"] = ""
    key: str = ""
    confirm: str = ""
    hidden_on_phone: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    disabled_because: str = ""
    dialog: str = ""


@dataclass(frozen=True, slots=True)
class Banner:
    """A line under the top bar that concerns the whole deployment, such as a quarantined module."""

    text: str
    tone: Literal["info", "ok", "warn", "bad"] = "warn"
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Toast:
    """A short answer to what was just done, with the way to take it back."""

    text: str
    undo_url: str = ""
    undo_fields: tuple[tuple[str, str], ...] = ()
    tone: Literal["", "bad"] = ""


@dataclass(frozen=True, slots=True)
class UserView:
    name: str
    email: str
    detail: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything around the page."""

    deployment: str
    user: UserView | None = None
    groups: tuple[NavGroup, ...] = ()
    foot: tuple[NavItem, ...] = ()
    side: tuple[NavGroup, ...] = ()
    tabbar: tuple[NavItem, ...] = ()
    crumbs: tuple[Crumb, ...] = ()
    actions: tuple[Action, ...] = ()
    banners: tuple[Banner, ...] = ()
    toasts: tuple[Toast, ...] = ()
    seats: str = ""
    language: str = "en"
    scheme: Literal["", "light", "dark"] = ""
    density: Literal["", "compact", "comfortable"] = ""
    rail: Literal["", "mini"] = ""


# Values ----------------------------------------------------------------------------------------------------


EMPTY = Cell("")


@dataclass(frozen=True, slots=True)
class Pair:
    """A labelled value of a record page."""

    label: str
    cells: tuple[Cell, ...]
    module: Module | None = None


# List ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    kind: CellKind = "text"
    right: bool = False
    sort_url: str = ""
    sorted: Literal["", "ascending", "descending"] = ""
    module: Module | None = None
    pinned: bool = False
    phone: Literal["", "name", "second", "value", "detail"] = ""


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    title: str
    url: str
    cells: tuple[Cell, ...]
    square: bool = False
    version: int = 0
    archived: bool = False
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows under one heading of a grouped list, with the totals of the whole group."""

    label: str
    count: str
    rows: tuple[Row, ...]
    totals: tuple[Cell, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class SavedView:
    label: str
    url: str
    current: bool = False
    count: str = ""
    icon: str = ""
    tone: Tone = ""
    delete_url: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """One filter in force, with the address of the list without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class FilterOption:
    label: str
    value: str
    checked: bool = False
    count: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """A group of the filter panel: boxes to tick, or from/to inputs when ``kind`` is a range."""

    label: str
    name: str
    kind: Literal["options", "dates", "numbers"] = "options"
    options: tuple[FilterOption, ...] = ()
    from_name: str = ""
    from_value: str = ""
    to_name: str = ""
    to_value: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class ChoosableColumn:
    key: str
    label: str
    shown: bool
    locked: bool = False
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    current: bool = False
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    label: str
    previous_url: str = ""
    next_url: str = ""
    sizes: tuple[Choice, ...] = ()
    took: str = ""


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A deed on the selected rows.  ``fields`` are asked in a dialog before it runs."""

    name: str
    label: str
    icon: str = ""
    tone: Literal["", "danger"] = ""
    confirm: str = ""
    fields: tuple[FieldInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Empty:
    title: str
    text: str = ""
    actions: tuple[Action, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ListPage:
    title: str
    url: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    groups: tuple[RowGroup, ...] = ()
    totals: tuple[Cell, ...] = ()
    totals_url: str = ""
    saved: tuple[SavedView, ...] = ()
    save_view_url: str = ""
    changed: bool = False
    reset_url: str = ""
    query: str = ""
    search_hint: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    facets: tuple[Facet, ...] = ()
    filters: tuple[FilterGroup, ...] = ()
    filters_url: str = ""
    in_panel: tuple[tuple[str, str], ...] = ()
    group_choices: tuple[Choice, ...] = ()
    sort_choices: tuple[Choice, ...] = ()
    views: tuple[Choice, ...] = ()
    chooser: tuple[ChoosableColumn, ...] = ()
    columns_url: str = ""
    pager: Pager | None = None
    bulk: tuple[BulkAction, ...] = ()
    bulk_url: str = ""
    new_url: str = ""
    empty: Empty | None = None
    avatars: bool = True
    export_url: str = ""
    bin_url: str = ""
    in_bin: bool = False


# Form ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class FieldInput:
    """One input.  A reference shows ``display`` and sends ``value``; its candidates come from ``search_url``."""

    name: str
    label: str
    kind: FieldKind = "text"
    value: str = ""
    width: int = 6
    required: bool = False
    readonly: bool = False
    hint: str = ""
    error: str = ""
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    display: str = ""
    search_url: str = ""
    prefix: str = ""
    suffix: str = ""
    autocomplete: str = "off"
    maximum_length: int = 0
    module: Module | None = None
    autofocus: bool = False
    rows: int = 4
    key: str = ""
    """Tells inputs apart that share a name because they stand in several forms of one page."""
    shown_by: str = ""
    shown_for: tuple[str, ...] = ()
    """The choice that this input depends on, and the values for which it is asked."""
    is_away: bool = False
    """Whether that choice has another value now."""
    suggestions: tuple[str, ...] = ()
    """Values offered while one types."""

    @property
    def id(self) -> str:
        """The element's id: the name with brackets and dots flattened."""
        return "f-" + (self.key or self.name).replace("[", "-").replace("]", "").replace(".", "-")


@dataclass(frozen=True, slots=True)
class LineInput:
    """One repeatable line, such as a phone number; ``id`` is empty for a line that was just added."""

    index: str
    fields: tuple[FieldInput, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class LineSet:
    """Labelled repeatable lines inside a section; ``blank`` is copied by the browser to add one."""

    name: str
    label: str
    lines: tuple[LineInput, ...]
    blank: LineInput
    add_label: str
    width: int = 12


@dataclass(frozen=True, slots=True)
class FormSection:
    title: str
    fields: tuple[FieldInput, ...]
    lines: tuple[LineSet, ...] = ()
    module: Module | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class FormError:
    message: str
    field_id: str = ""


@dataclass(frozen=True, slots=True)
class ConflictField:
    """A field that somebody else changed meanwhile: both values, one to take."""

    name: str
    label: str
    yours: str
    theirs: str
    yours_value: str = ""
    theirs_value: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    who: str
    when: str
    fields: tuple[ConflictField, ...]
    version: int


@dataclass(frozen=True, slots=True)
class FormPage:
    title: str
    url: str
    sections: tuple[FormSection, ...]
    cancel_url: str
    submit_label: str
    version: int | None = None
    errors: tuple[FormError, ...] = ()
    conflict: Conflict | None = None
    draft_key: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    second_submit: str = ""


# Record ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
    note: str = ""
    tone: Tone = ""
    url: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    current: bool = False
    count: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A small table in a panel or a report."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class PanelView:
    """A box on a record page: labelled values, a table, or what a plugin's template made.

    ``failed`` takes the place of a plugin's panel that raised; the page stays up.
    """

    title: str
    pairs: tuple[Pair, ...] = ()
    table: Table | None = None
    html: Markup = NOTHING
    width: Literal["half", "full"] = "half"
    count: str = ""
    edit_url: str = ""
    actions: tuple[Action, ...] = ()
    module: Module | None = None
    empty: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    day: str
    time: str
    iso: str
    title: str
    icon: str = "note"
    tone: str = ""
    actor: str = ""
    body: str = ""
    card: bool = False
    changes: tuple[tuple[str, str, str], ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class ComposerView:
    """One kind of thing that can be written onto the timeline, as it was typed where it was refused."""

    name: str
    label: str
    icon: str
    url: str
    placeholder: str
    submit_label: str
    fields: tuple[FieldInput, ...] = ()
    body_name: str = "body"
    typed: str = ""
    error: str = ""
    draft_key: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class StageStep:
    """One stage of a record: where it stands, and whether one may go there from here.

    A move that asks for something leads to a form at ``asks_url`` instead of happening at once.
    """

    key: str
    label: str
    state: Literal["", "done", "now"] = ""
    outcome: Literal["", "won", "lost"] = ""
    asks_url: str = ""
    reachable: bool = False


@dataclass(frozen=True, slots=True)
class MoveForm:
    """What a move to another stage asks for; with ``steps``, which moves there are."""

    title: str
    subject: str
    url: str
    fields: tuple[FieldInput, ...] = ()
    steps: tuple[StageStep, ...] = ()
    keep: tuple[tuple[str, str], ...] = ()
    danger: bool = False
    cancel_url: str = ""
    errors: tuple[FormError, ...] = ()


@dataclass(frozen=True, slots=True)
class MetaLine:
    text: str
    icon: str = ""
    person: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class RecordPage:
    title: str
    url: str
    status: Cell | None = None
    tags: tuple[str, ...] = ()
    meta: tuple[MetaLine, ...] = ()
    square: bool = False
    icon: str = ""
    actions: tuple[Action, ...] = ()
    more: tuple[Action, ...] = ()
    steps: tuple[StageStep, ...] = ()
    version: int = 0
    facts: tuple[Fact, ...] = ()
    tabs: tuple[Tab, ...] = ()
    panels: tuple[PanelView, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    timeline_next_url: str = ""
    composers: tuple[ComposerView, ...] = ()
    archived: bool = False
    rest_url: str = ""
    whole_url: str = ""
    is_rest: bool = False


# Board -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    title: str
    url: str
    subtitle: str = ""
    value: str = ""
    note: str = ""
    late: bool = False
    act: Act | Literal[""] = ""
    act_label: str = ""
    owner: str = ""
    version: int = 0
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    key: str
    label: str
    cards: tuple[Card, ...]
    count: str
    total: str = ""
    foot: str = ""
    note: str = ""
    probability: int | None = None
    outcome: Literal["", "won", "lost"] = ""
    asks: bool = False
    more: str = ""
    more_url: str = ""
    next_url: str = ""
    """The lane's next cards, where there are more."""
    new_url: str = ""


@dataclass(frozen=True, slots=True)
class BoardPage:
    title: str
    url: str
    move_url: str
    lanes: tuple[Lane, ...]
    query: str = ""
    search_hint: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    only: Lane | None = None
    """The lane whose next cards were asked for, nothing else."""
    facets: tuple[Facet, ...] = ()
    saved: tuple[SavedView, ...] = ()
    views: tuple[Choice, ...] = ()
    boards: tuple[Choice, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    here: str = ""
    """The address of this board with its filters, to return to."""
    empty: Empty | None = None


# Dashboard and reports -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KpiView:
    label: str
    value: str
    note: str = ""
    direction: Literal["", "up", "down"] = ""
    tone: Tone = ""
    spark: Markup = NOTHING
    url: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class TileView:
    title: str
    width: int = 6
    html: Markup = NOTHING
    chart: Markup = NOTHING
    table: Table | None = None
    note: str = ""
    count: str = ""
    url: str = ""
    empty: str = ""
    failed: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class DashboardPage:
    title: str
    kpis: tuple[KpiView, ...] = ()
    tiles: tuple[TileView, ...] = ()
    periods: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A report: what is chosen, what filters, its chart and its table.

    ``choosers`` are the inputs of its form, ``keep`` what the form carries along, ``in_panel`` what the panel of filters holds.
    """

    title: str
    url: str
    chart: Markup = NOTHING
    table: Table | None = None
    choosers: tuple[FieldInput, ...] = ()
    measures: tuple[Option, ...] = ()
    charts: tuple[Choice, ...] = ()
    facets: tuple[Facet, ...] = ()
    filters_url: str = ""
    in_panel: tuple[tuple[str, str], ...] = ()
    keep: tuple[tuple[str, str], ...] = ()
    exports: tuple[Choice, ...] = ()
    save_url: str = ""
    saved_name: str = ""
    saved_shared: bool = False
    query: str = ""
    note: str = ""
    trouble: str = ""
    reports: tuple[NavGroup, ...] = ()
    empty: Empty | None = None
    module: Module | None = None


# Administration --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModuleRow:
    name: str
    title: str
    icon: str
    version: str
    author: str
    description: str
    state: Literal["enabled", "paused", "available", "not_entitled", "quarantined"]
    state_label: str
    state_tone: Tone = ""
    requires: tuple[str, ...] = ()
    adds: str = ""
    warning: str = ""
    switch_url: str = ""
    locked: bool = False
    update: str = ""
    uninstall_url: str = ""
    back_url: str = ""
    data_url: str = ""
    """Where an administrator reads and exports what a module keeps while it is paused."""


@dataclass(frozen=True, slots=True)
class ModulesPage:
    installed: tuple[ModuleRow, ...]
    available: tuple[ModuleRow, ...]
    filters: tuple[Choice, ...] = ()
    query: str = ""
    licence: str = ""
    seats: str = ""
    seats_percent: int = 0


@dataclass(frozen=True, slots=True)
class PlanPage:
    """What switching a module will change, before it changes anything."""

    title: str
    text: str
    url: str
    submit_label: str
    keep_label: str
    also: tuple[tuple[Module, str], ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    refused: str = ""
    danger: bool = False
    cancel_url: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class PermissionRow:
    name: str
    label: str
    scope: str
    scoped: bool = True


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    module: Module
    label: str
    rows: tuple[PermissionRow, ...]


@dataclass(frozen=True, slots=True)
class RoleEditor:
    title: str
    url: str
    cancel_url: str
    fields: tuple[FieldInput, ...]
    groups: tuple[PermissionGroup, ...]
    scopes: tuple[Option, ...]
    errors: tuple[FormError, ...] = ()
    delete: Action | None = None


@dataclass(frozen=True, slots=True)
class AdminTable:
    """Users, roles, tokens, audit: a heading, a table, one way to add."""

    title: str
    table: Table
    note: str = ""
    filters: tuple[Choice, ...] = ()
    query: str = ""
    url: str = ""
    pager: Pager | None = None
    empty: Empty | None = None


@dataclass(frozen=True, slots=True)
class SecurityPage:
    """The security log: what to look for, and what was found."""

    title: str
    url: str
    filters: tuple[FieldInput, ...]
    table: Table
    pager: Pager
    empty: Empty
    error: str = ""


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A browser that is signed in; the present one has nothing to end it with but signing out."""

    browser: str
    agent: str
    address: str
    since: str
    used: str
    end_url: str


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """Where somebody is signed in."""

    title: str
    sessions: tuple[SessionLine, ...]


@dataclass(frozen=True, slots=True)
class TokenLine:
    name: str
    prefix: str
    scopes: str
    made: str
    used: str
    revoke_url: str


@dataclass(frozen=True, slots=True)
class TokensPage:
    """One's own tokens; ``plain`` is the one that was just made, which is shown once."""

    title: str
    url: str
    tokens: tuple[TokenLine, ...]
    plain: str
    fields: tuple[FieldInput, ...]
    errors: tuple[FormError, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRow:
    name: str
    title: str
    module: Module
    schedule: str
    last: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    history: Markup
    took: str
    next: str
    url: str
    run_url: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class JobRun:
    started: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    result: str
    took: str


@dataclass(frozen=True, slots=True)
class JobDetails:
    title: str
    module: Module
    subtitle: str
    close_url: str
    pairs: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...] = ()
    problem: str = ""
    problem_text: str = ""
    runs: tuple[JobRun, ...] = ()
    log: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkRow:
    """Work in the queue; ``actions`` are what an administrator can do about it now."""

    number: int
    name: str
    module: Module
    state: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    progress: str
    since: str
    next: str
    problem: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class JobsPage:
    rows: tuple[JobRow, ...]
    clock: str
    clock_tone: Literal["ok", "bad"]
    filters: tuple[Choice, ...] = ()
    query: str = ""
    summary: str = ""
    details: JobDetails | None = None
    works: tuple[WorkRow, ...] = ()
    works_summary: str = ""


@dataclass(frozen=True, slots=True)
class SearchHit:
    title: str
    url: str
    detail: str = ""
    value: str = ""
    icon: str = ""
    square: bool = False


@dataclass(frozen=True, slots=True)
class SearchGroup:
    """Hits of one kind; ``rank`` is 0 where the best one reads exactly as typed, 1 where it begins so."""

    label: str
    hits: tuple[SearchHit, ...]
    rank: int = 3
    count: str = ""
    """``20+`` where there are more than anybody reads."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    query: str
    groups: tuple[SearchGroup, ...]
    url: str


@dataclass(frozen=True, slots=True)
class SignInPage:
    url: str
    email: str = ""
    error: str = ""
    next: str = ""
    notice: str = ""


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: int
    title: str
    message: str
    number: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiParameter:
    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ApiOperation:
    method: str
    path: str
    summary: str
    description: str
    anchor: str
    parameters: tuple[ApiParameter, ...] = ()
    body: str = ""
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ApiGroup:
    label: str
    anchor: str
    operations: tuple[ApiOperation, ...]


@dataclass(frozen=True, slots=True)
class ApiDocsPage:
    title: str
    version: str
    description: str
    spec_url: str
    groups: tuple[ApiGroup, ...] = ()
    schemas: tuple[tuple[str, str, str], ...] = ()
