"""What a plugin adds to a deployment, as frozen values; the core renders and enforces them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptoir.i18n import Text, _
from comptoir.schedules import Schedule

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record

Column = Any
"""A mapped attribute (``Deal.amount``), a reference's attribute (``Deal.contact_id``) or an extension's."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A module as an administrator sees it; ``core`` is the range of core versions it works with."""

    title: Text
    summary: Text = ""
    category: str = ""
    icon: str = "puzzle"
    author: str = "Comptoir"
    core: str = ">=0.1"
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """A right that roles can hold; declaring it grants nothing to anyone."""

    name: str
    label: Text


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """A ready-made role, copied when the module is first enabled; values are scopes (own, team, all)."""

    name: str
    label: Text
    permissions: Mapping[str, str] = field(default_factory=dict)
    description: Text = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled group of fields on a form and on the record page."""

    title: Text
    fields: tuple[Column, ...]

    def __init__(self, title: Text, *fields: Column) -> None:
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "fields", fields)


@dataclass(frozen=True, slots=True)
class Saved:
    """A filter offered as a tab above the list; ``query`` is the URL form of the filters, ``{me}`` the reader's id."""

    name: str
    label: Text
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class List:
    """The columns of a list, its order and its ready filters; ``totals`` are summed under the ledger rule."""

    columns: tuple[Column, ...]
    sort: tuple[str, ...] = ()
    totals: tuple[Column, ...] = ()
    saved: tuple[Saved, ...] = ()
    facets: tuple[Column, ...] = ()
    more: tuple[Column, ...] = ()
    """Further columns that the chooser offers."""

    def __init__(
        self,
        *columns: Column,
        sort: Sequence[str] = (),
        totals: Sequence[Column] = (),
        saved: Sequence[Saved] = (),
        facets: Sequence[Column] = (),
        more: Sequence[Column] = (),
    ) -> None:
        for name, value in (
            ("columns", columns),
            ("sort", sort),
            ("totals", totals),
            ("saved", saved),
            ("facets", facets),
            ("more", more),
        ):
            object.__setattr__(self, name, tuple(value))


@dataclass(frozen=True, slots=True)
class Board:
    """Lanes by stage; ``group`` names the reference that chooses the set of stages (a pipeline).

    ``closed`` is the day on which a record ended: closing lanes show the newest first by it.
    """

    card: tuple[Column, ...]
    total: Column | None = None
    group: Column | None = None
    closed: Column | None = None


@dataclass(frozen=True, slots=True)
class When:
    """Fields that are asked for only while a choice holds one of these values; what they hold is kept."""

    choice: Column
    among: tuple[str, ...]
    fields: tuple[Column, ...]

    def __init__(self, choice: Column, among: Sequence[str], *fields: Column) -> None:
        object.__setattr__(self, "choice", choice)
        object.__setattr__(self, "among", tuple(among))
        object.__setattr__(self, "fields", fields)


@dataclass(frozen=True, slots=True)
class Form:
    """The sections of a form, in order.

    ``later`` names fields that a new record is not asked for, ``conditions`` those that depend on a choice.
    """

    sections: tuple[Section, ...]
    later: tuple[Column, ...] = ()
    conditions: tuple[When, ...] = ()

    def __init__(self, *sections: Section, later: Sequence[Column] = (), conditions: Sequence[When] = ()) -> None:
        object.__setattr__(self, "sections", sections)
        object.__setattr__(self, "later", tuple(later))
        object.__setattr__(self, "conditions", tuple(conditions))


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure in the strip under a record's name; ``value`` is called with the context and the record."""

    name: str
    model: type[Record]
    label: Text
    value: Callable[[Context, Any], Any]
    permission: str
    tone: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Screens:
    """How a record type is listed, shown and edited."""

    model: type[Record]
    list: List
    form: Form
    board: Board | None = None
    facts: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class ScreenAddition:
    """Fields that a plugin puts on another plugin's screens: list columns, a form section."""

    model: type[Record]
    section: Section | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab on another record's page: a list of ``model`` records that point at it through ``reference``.

    ``given`` are values that a record added from there begins with, as a form would send them.
    """

    name: str
    on: type[Record]
    label: Text
    model: type[Record]
    reference: Column
    columns: tuple[Column, ...]
    permission: str
    total: Column | None = None
    order: int = 100
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Composer:
    """One kind of thing that is written beside a record's history without leaving its page: a note, a task.

    It makes a ``model`` record whose ``body`` is typed and whose ``fields`` are asked for.  The record refers to the
    contact of the page through the reference that its type names as ``contact``, and to the page's own record through
    its field for a record of any type, where it has one.  ``given`` answers further values, also those that the fields
    begin with; it is called with the context and the record of the page.
    """

    name: str
    label: Text
    model: type[Record]
    body: Column
    fields: tuple[Column, ...] = ()
    given: Callable[[Context, Any], Mapping[str, Any]] | None = None
    hint: Text = ""
    deed: Text = ""
    icon: str = "note"
    order: int = 100


@dataclass(frozen=True, slots=True)
class Panel:
    """A box on a record's overview; ``values`` feeds ``template`` (``<plugin>/name.html``)."""

    name: str
    on: type[Record]
    title: Text
    template: str
    values: Callable[[Context, Any], Mapping[str, Any]]
    permission: str
    wide: bool = False
    order: int = 100


@dataclass(frozen=True, slots=True)
class Action:
    """A button on a record's page and ``POST …/actions/<name>`` in the API; ``run`` returns the record to show next.

    ``said`` tells what was done, from the context, the record and what ``run`` returned; ``undo`` names the action on the
    same record that takes it back.
    """

    name: str
    on: type[Record]
    label: Text
    run: Callable[[Context, Any, Mapping[str, Any]], Any]
    permission: str
    icon: str = "ar"
    shown: Callable[[Context, Any], bool] | None = None
    said: Callable[[Context, Any, Any], Text] | None = None
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure for the dashboard's strip; ``direction`` tells whether the change is good news."""

    label: Text
    value: str
    note: Text = ""
    tone: str = ""
    series: tuple[float, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A box of the dashboard, 3 to 12 columns wide; ``values`` feeds ``template``.

    With ``kpis`` the tile contributes figures to the strip instead: it returns a list of `Kpi`.
    """

    name: str
    title: Text
    permission: str
    template: str = ""
    values: Callable[[Context, Mapping[str, str]], Mapping[str, Any]] | None = None
    kpis: Callable[[Context, Mapping[str, str]], Sequence[Kpi]] | None = None
    width: int = 6
    order: int = 100


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry of the rail: a path below the deployment, absent for whoever lacks the permission."""

    name: str
    label: Text
    path: str
    permission: str
    icon: str = "list"
    group: str = "modules"
    parent: str | None = None
    order: int = 100


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to go on with work that fails: pauses that double from `first` to `longest`, for `give_up` in all."""

    first: dt.timedelta = dt.timedelta(seconds=5)
    longest: dt.timedelta = dt.timedelta(hours=1)
    give_up: dt.timedelta = dt.timedelta(hours=48)

    def pause(self, attempt: int) -> dt.timedelta:
        """The pause after the try of this number; up to a quarter longer, so that many do not return at once."""
        return min(self.first * (1 << min(max(attempt, 1) - 1, 30)), self.longest) * random.uniform(1, 1.25)


SCHEDULED_BACKOFF = Backoff(dt.timedelta(seconds=2), dt.timedelta(minutes=1), dt.timedelta(minutes=10))
"""A job that fails makes room for its next moment after ten minutes."""


@dataclass(slots=True)
class Progress:
    """Where work stands, and what it remembers from one transaction to the next; its steps may change all but `args`."""

    args: Mapping[str, Any]
    done: int = 0
    """How much is done: counted by the step where it changes the number, else the turns that were taken."""
    total: int | None = None
    """Of how much, where that is known."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Plain JSON values, such as the last id that was worked on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of long or outside work; each turn of it is a short transaction, or two around a call.

    `plan` is called in a transaction. Without `call` it does a part of the work and returns whether there is more of
    it. With `call` it returns the request, a plain JSON value that is kept with a fresh idempotency key; or None where
    there is nothing to ask. `call` gets both while no transaction is open, and after a crash gets the same two again.
    `conclude` is called in the next transaction, with the answer; it returns whether the step has another turn.
    """

    plan: Callable[[Context, Progress], Any]
    call: Callable[[Any, str], Any] | None = None
    conclude: Callable[[Context, Progress, Any], Any] | None = None
    limit: dt.timedelta = dt.timedelta(seconds=60)
    """How long a call may take: so long no other worker believes that this one is gone."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Long or outside work as many short transactions, taken in order."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        if not steps:
            raise ValueError("Steps need at least one Step")
        object.__setattr__(self, "steps", steps)


def _one_of(name: str, function: object, steps: object) -> None:
    if (function is None) is (steps is None):
        raise ValueError(f"{name} needs either a function or steps")


@dataclass(frozen=True, slots=True)
class Job:
    """Scheduled work: one short transaction by a function of a system context, safe to run twice, or many by steps."""

    name: str
    function: Callable[[Context], Any] | None
    schedule: Schedule
    title: Text
    steps: Steps | None
    backoff: Backoff

    def __init__(
        self,
        name: str,
        function: Callable[[Context], Any] | None = None,
        schedule: Schedule | None = None,
        title: Text = "",
        *,
        steps: Steps | None = None,
        backoff: Backoff = SCHEDULED_BACKOFF,
    ) -> None:
        _one_of(name, function, steps)
        if schedule is None:
            raise ValueError(f"{name} needs a schedule")
        for attribute, value in (
            ("name", name),
            ("function", function),
            ("schedule", schedule),
            ("title", title),
            ("steps", steps),
            ("backoff", backoff),
        ):
            object.__setattr__(self, attribute, value)

    @property
    def module(self) -> str:
        """The plugin that brought the job."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class DeferredWork:
    """Work that `defer` leaves for later: one short transaction by a function of a system context and the arguments
    given, safe to run twice, or many by steps.
    """

    name: str
    function: Callable[[Context, dict[str, Any]], Any] | None = None
    steps: Steps | None = None
    backoff: Backoff = Backoff()

    def __post_init__(self) -> None:
        _one_of(self.name, self.function, self.steps)


ACTIONS = (("read", _("See")), ("create", _("Create")), ("write", _("Edit")), ("delete", _("Delete")))
"""The permissions that every record type has, by verb."""

SCOPES = ("own", "team", "all")
"""Scopes of a permission, from the narrowest to the widest."""
