"""What stands on record pages, on the dashboard and in the rail."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import Column, Contribution, NamedContribution, template_faults
from comptoir.db.fields import fields_of
from comptoir.db.record import Record, record_name
from comptoir.i18n import Text, _
from comptoir.kinds import Field
from comptoir.records.write.checks import check_values

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.context import Context

OF_REQUESTS = frozenset({"version", "csrf_token"})
"""Names that a request needs for itself."""


@dataclass(frozen=True, slots=True)
class Fact(NamedContribution):
    """One figure in the strip under a record's name; ``value`` is called with the context and the record."""

    name: str
    model: type[Record]
    label: Text
    value: Callable[[Context, Any], Any]
    permission: str
    tone: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Tab(NamedContribution):
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

    def faults(self, plugin: str) -> Iterator[Text]:
        """Its name, and a reference that does not lead to the records on whose page it stands."""
        yield from NamedContribution.faults(self, plugin)
        column = self.reference.property.columns[0]
        described = column.info.get("field")
        if described is None or described.target is None:
            yield _("The tab {tab} hangs on {column}, which is no reference.", tab=self.name, column=column.name)
        elif described.target != self.on.__tablename__:
            yield _(
                "The tab {tab} stands on {on}, but {column} points at {target}.",
                tab=self.name,
                on=record_name(self.on),
                column=column.name,
                target=described.target,
            )


@dataclass(frozen=True, slots=True)
class Composer(NamedContribution):
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
class Panel(NamedContribution):
    """A box on a record's overview; ``values`` feeds ``template`` (``<plugin>/name.html``)."""

    name: str
    on: type[Record]
    title: Text
    template: str
    values: Callable[[Context, Any], Mapping[str, Any]]
    permission: str
    wide: bool = False
    order: int = 100

    def faults(self, plugin: str) -> Iterator[Text]:
        """Its name, and a template that is not the plugin's own."""
        yield from NamedContribution.faults(self, plugin)
        yield from template_faults(plugin, self.template)


@dataclass(frozen=True, slots=True)
class Action(Contribution):
    """A button on a record's page and ``POST …/actions/<name>`` in the API; ``run`` returns the record to show next.

    ``said`` tells what was done, from the context, the record and what ``run`` returned; ``undo`` names the action on the
    same record that takes it back.

    ``asks`` are its inputs: fields of a model (``Deal.amount``) or `Field` values with a name of their own.  ``given``
    answers what they begin with, and further values; it is called with the context and the record.  ``run`` gets all of
    it by name, in the types of the fields; where nothing is asked, what was sent as it was sent.
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
    asks: tuple[Field | Column, ...] = ()
    given: Callable[[Context, Any], Mapping[str, Any]] | None = None

    @property
    def only_once(self) -> Hashable:
        """Its name, among the actions of the record type."""
        return (self.on, self.name)

    def faults(self, plugin: str) -> Iterator[Text]:
        """Inputs that cannot be told apart, or that nobody can fill in."""
        taken = set(OF_REQUESTS)
        for asked in self.asks:
            found = _input(asked)
            if found is None or not found.name.isidentifier():
                yield _(
                    "The action {action} asks for something without a name. Give a field with one.", action=self.name
                )
            elif found.name in taken:
                yield _(
                    "The action {action} asks for {field} twice, or takes a name that requests need. Rename it.",
                    action=self.name,
                    field=found.name,
                )
            elif found.server or found.kind.lined or found.kind.staged:
                yield _(
                    "The action {action} asks for {field}, which nobody can fill in.",
                    action=self.name,
                    field=found.name,
                )
            else:
                taken.add(found.name)

    def asked(self, grants: Grants | None) -> Mapping[str, Field]:
        """What it asks somebody with these rights for, by name; all of it where none are given."""
        inputs = {found.name: found for found in map(_input, self.asks) if found is not None}
        return {
            name: found
            for name, found in inputs.items()
            if grants is None
            or all(right is None or grants.scope(right) is not None for right in (found.read, found.write))
        }

    def begins(self, ctx: Context, record: Any) -> Mapping[str, Any]:
        """The values that its inputs begin with, and that stand for what is not sent."""
        standard = {
            name: found.kind.python_type() if found.kind.never_null and found.default is None else found.default
            for name, found in self.asked(ctx.actor.grants).items()
        }
        return {**standard, **(self.given(ctx, record) if self.given is not None else {})}

    def perform(self, ctx: Context, record: Any, sent: Mapping[str, Any]) -> Any:
        """Run it; raises `RuleViolations` for what is missing or breaks the rules of its fields, each at its name."""
        if not self.asks:
            return self.run(ctx, record, sent)
        values = {**self.begins(ctx, record), **sent}
        check_values(ctx, self.asked(ctx.actor.grants), values)
        return self.run(ctx, record, values)


def _input(asked: Field | Column) -> Field | None:
    """The field that an action asks for; None where it is none."""
    return asked if isinstance(asked, Field) else fields_of(asked.class_).get(asked.key)


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
class Tile(NamedContribution):
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

    def faults(self, plugin: str) -> Iterator[Text]:
        """Its name, a template that is not the plugin's own, and a tile that shows nothing."""
        yield from NamedContribution.faults(self, plugin)
        if self.template:
            yield from template_faults(plugin, self.template)
        elif self.kpis is None:
            yield _("The tile {tile} has neither a template nor kpis. Give it one.", tile=self.name)


@dataclass(frozen=True, slots=True)
class MenuItem(NamedContribution):
    """An entry of the rail: a path below the deployment, absent for whoever lacks the permission."""

    name: str
    label: Text
    path: str
    permission: str
    icon: str = "list"
    group: str = "modules"
    parent: str | None = None
    order: int = 100
