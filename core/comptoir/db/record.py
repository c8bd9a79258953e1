"""Record and Extension: what a plugin derives its models from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from sqlalchemy import ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, object_session

from comptoir.db.base import Base
from comptoir.db.fields import Field, Id, json_column
from comptoir.db.summary import Summary
from comptoir.db.types import UtcDateTime
from comptoir.db.workflow import Workflow
from comptoir.i18n import Text as Words
from comptoir.i18n import _
from comptoir.kinds import Moment, Reference


@dataclass(frozen=True, slots=True)
class Scoped:
    """Rows are seen by their owner, the owner's team or everyone, as the reader's role says."""


@dataclass(frozen=True, slots=True)
class Through:
    """Rows are seen by whoever sees the row that ``column`` points at (and holds the permission).

    Where it is empty, what ``otherwise`` points at, a field for a record of any type, decides; one of both is required.
    """

    column: str
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Public:
    """Rows are seen by everyone who holds the permission, whatever its scope."""


Visibility = Scoped | Through | Public


@dataclass(frozen=True, slots=True)
class RecordType:
    """What a record type is called and how it behaves as a whole.

    ``path`` is its last step in URLs (``deals``); ``visible`` the rule of its rows; ``title`` builds the name of a
    record where no single field does.
    """

    label: Words
    plural: Words
    path: str
    icon: str = "doc"
    workflow: Workflow | None = None
    visible: Visibility = Scoped()
    timeline: bool = True
    headings: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    """What columns of other people's tables are usually called, by the field that they feed, as in ``--map``."""
    summaries: tuple[Summary, ...] = ()
    """Counts and sums that are kept, for figures that many people look at."""


class RecordColumns:
    """The columns that every record shares."""

    id: Mapped[int] = mapped_column(Id, primary_key=True, sort_order=-1)

    @declared_attr
    def owner_id(cls) -> Mapped[int | None]:
        return mapped_column(
            Id,
            ForeignKey("core_user.id", ondelete="SET NULL"),
            index=True,
            info={"field": Field(Reference(), _("Owner"), target="core_user")},
        )

    @declared_attr
    def team_id(cls) -> Mapped[int | None]:
        return mapped_column(
            Id,
            ForeignKey("core_team.id", ondelete="SET NULL"),
            index=True,
            info={"field": Field(Reference(), _("Team"), target="core_team")},
        )

    created_at: Mapped[dt.datetime] = mapped_column(
        UtcDateTime(), info={"field": Field(Moment(), _("Created"), server=True)}
    )
    created_by: Mapped[int | None] = mapped_column(Id)
    updated_at: Mapped[dt.datetime] = mapped_column(
        UtcDateTime(), info={"field": Field(Moment(), _("Changed"), server=True)}
    )
    updated_by: Mapped[int | None] = mapped_column(Id)
    version: Mapped[int] = mapped_column(Integer, default=1)
    archived_at: Mapped[dt.datetime | None] = mapped_column(
        UtcDateTime(), index=True, info={"field": Field(Moment(), _("Archived"), server=True)}
    )
    custom: Mapped[dict[str, Any]] = json_column()
    search_key: Mapped[str] = mapped_column(Text, default="")


E_ = TypeVar("E_", bound="Extension[Any]")
R = TypeVar("R", bound="Record")


class Record(RecordColumns, Base):
    """A thing people work with: listed, edited, searched, followed, with a history and an owner.

    Set ``__tablename__`` to ``<plugin>_<record>`` and ``__record__`` to its `RecordType`.
    """

    __abstract__ = True
    __record__: ClassVar[RecordType]

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}

    def ext(self, extension: type[E_]) -> E_:
        """The plugin's side row of this record; a transient one with defaults until its first write."""
        held: dict[type, Any] = self.__dict__.setdefault("_extensions", {})
        if extension not in held:
            session = object_session(self)
            row = session.get(extension, self.id) if session is not None and self.id is not None else None
            held[extension] = row if row is not None else extension.with_defaults(self)
        found: E_ = held[extension]
        return found


def module_of(model: type[Any]) -> str:
    """The plugin that a model belongs to: ``comptoir_sales.models`` gives ``sales``, the core's own tables give ``core``."""
    root, *rest = model.__module__.split(".")
    if root.startswith("comptoir_"):
        return root.removeprefix("comptoir_")
    return "base" if rest[:1] == ["base"] else "core"


def record_name(model: type[Any]) -> str:
    """The name of a record type: table ``sales_deal`` of the plugin ``sales`` is ``sales.deal``."""
    table: str = model.__tablename__
    module = module_of(model)
    if module == "core":
        return "base." + table.removeprefix("core_")
    return f"{module}.{table.removeprefix(module + '_')}"


class Extension(Base, Generic[R]):
    """A 1:1 side table that adds fields to another plugin's record: ``class SalesContact(Extension[Contact])``.

    Declare the primary key as ``record_id: Mapped[int] = extends("base_contact")``.
    """

    __abstract__ = True

    @classmethod
    def extended(cls) -> type[Record]:
        """The record class that this extends, from the generic argument."""
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Extension:
                target: type[Record] = get_args(base)[0]
                return target
        raise TypeError(f"{cls.__name__} must derive from Extension[<record class>]")

    @classmethod
    def with_defaults(cls: type[E_], record: Record) -> E_:
        """A row that is not stored yet, its columns at their defaults."""
        row = cls()
        if record.id is not None:
            row.record_id = record.id
        return row

    record_id: Mapped[int]


def extends(table: str) -> Any:
    """The primary key of an extension: the id of the record it belongs to, deleted with it."""
    return mapped_column(Id, ForeignKey(f"{table}.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)


class Line(Base):
    """A row that belongs to one record and is edited with it; declare its parent with `belongs_to`."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    __parent__: ClassVar[str]
    """The name of the column that holds the parent's id."""


def belongs_to(table: str) -> Any:
    """The column of a line that holds its record's id; the line goes with the record."""
    return mapped_column(Id, ForeignKey(f"{table}.id", ondelete="CASCADE"), index=True)


TitleOf = Callable[[Any], str]


def title_field(model: type[Record]) -> str:
    """The attribute that names a record of this type."""
    from comptoir.db.fields import fields_of

    return next((name for name, field in fields_of(model).items() if field.title), "id")
