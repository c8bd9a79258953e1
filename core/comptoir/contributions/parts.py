"""What stands on record pages, on the dashboard and in the rail."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import Column, Contribution, NamedContribution, template_faults
from comptoir.db.record import Record, record_name
from comptoir.i18n import Text, _

if TYPE_CHECKING:
    from comptoir.context import Context


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

    @property
    def only_once(self) -> Hashable:
        """Its name, among the actions of the record type."""
        return (self.on, self.name)


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
