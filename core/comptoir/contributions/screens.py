"""How record types are listed, shown and edited, and what is added to the screens of others."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from comptoir.contributions.contribution import Column, Contribution
from comptoir.db.record import Record, record_name
from comptoir.i18n import Text, _


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
class Screens(Contribution):
    """How a record type is listed, shown and edited."""

    model: type[Record]
    list: List
    form: Form
    board: Board | None = None
    facts: tuple[Column, ...] = ()

    @property
    def only_once(self) -> Hashable:
        """The record type."""
        return self.model

    def faults(self, plugin: str) -> Iterator[Text]:
        """Screens of a record type that is not the plugin's own."""
        if record_name(self.model).partition(".")[0] != plugin:
            yield _(
                "It contributes screens for {model}, which is not its own. Use ScreenAddition.",
                model=record_name(self.model),
            )


@dataclass(frozen=True, slots=True)
class ScreenAddition(Contribution):
    """Fields that a plugin puts on another plugin's screens: list columns, a form section."""

    model: type[Record]
    section: Section | None = None
    columns: tuple[Column, ...] = ()
