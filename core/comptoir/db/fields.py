"""Field declarations: a typed column together with everything a screen, the API, import and search need to know of it.

Each function returns a mapped column; the declaration travels in ``column.info["field"]`` and is read back by `fields_of`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ForeignKey, inspect
from sqlalchemy.orm import Mapper, mapped_column, relationship

from comptoir import kinds
from comptoir.i18n import Text as Words
from comptoir.kinds import Choice, Computed, Face, Field, Id, Kind
from comptoir.kinds.columns import Json

__all__ = [
    "Choice", "ComputedField", "Face", "Field", "Id", "Kind", "any_record", "boolean", "choice", "computed", "country",
    "currency", "date",
    "decimal", "duration", "email", "field", "fields_of", "integer", "json_column", "lines", "long_text", "moment", "money",
    "percent", "phone", "reference", "stage", "tags", "text", "time_zone", "url",
]  # fmt: skip

TEXT_LENGTH = 255
LONG_TEXT_LENGTH = 100_000


def field(kind: Kind, label: Words, *constraints: Any, index: bool = False, **options: Any) -> Any:
    """A column of any kind, a plugin's own among them; ``options`` are those of `Field`."""
    return _column(Field(kind, label, **options), *constraints, index=index)


def _column(field: Field, *constraints: Any, **options: Any) -> Any:
    options.setdefault("nullable", not (field.required or field.kind.never_null))
    if field.default is not None and not callable(field.default):
        options.setdefault("default", field.default)
    if field.unique:
        options.setdefault("unique", True)
    return mapped_column(field.kind.column_type(field), *constraints, info={"field": field}, **options)


def text(label: Words, *, length: int = TEXT_LENGTH, **options: Any) -> Any:
    """One line of text."""
    return field(kinds.Text(), label, max_length=length, **options)


def long_text(label: Words, **options: Any) -> Any:
    """Text of any number of lines, up to 100,000 characters."""
    return field(kinds.LongText(), label, max_length=LONG_TEXT_LENGTH, multiline=True, **options)


def email(label: Words, **options: Any) -> Any:
    """An e-mail address, stored as typed; compare on a folded copy."""
    return field(kinds.Email(), label, max_length=254, personal=True, **options)


def phone(label: Words, **options: Any) -> Any:
    """A telephone number, stored in E.164 when it can be read as one."""
    return field(kinds.Phone(), label, max_length=40, personal=True, **options)


def url(label: Words, **options: Any) -> Any:
    """An http or https address."""
    return field(kinds.Url(), label, max_length=500, **options)


def integer(label: Words, *, minimum: int = -(2**53), maximum: int = 2**53, **options: Any) -> Any:
    """A whole number; by default within what JSON carries exactly."""
    return field(kinds.Integer(), label, minimum=minimum, maximum=maximum, **options)


def duration(label: Words, *, minimum: int = 0, maximum: int = 100_000, **options: Any) -> Any:
    """A length of time in minutes, typed as ``1h 30`` or ``90``."""
    return field(kinds.Duration(), label, minimum=minimum, maximum=maximum, **options)


def decimal(label: Words, **options: Any) -> Any:
    """An exact number with up to four decimals."""
    return field(kinds.Exact(), label, **options)


def percent(label: Words, *, minimum: int = 0, maximum: int = 100, **options: Any) -> Any:
    """A share of a hundred: 12.5 means 12.5 %."""
    return field(kinds.Percent(), label, minimum=minimum, maximum=maximum, **options)


def money(label: Words, *, currency: str = "currency", **options: Any) -> Any:
    """An exact amount; its currency stands in the sibling field named by ``currency``."""
    return field(kinds.Money(), label, currency=currency, **options)


def boolean(label: Words, *, default: bool = False, **options: Any) -> Any:
    """Yes or no, never unknown."""
    return field(kinds.Boolean(), label, default=default, **options)


def date(label: Words, **options: Any) -> Any:
    """A calendar day, without a time zone."""
    return field(kinds.Day(), label, **options)


def moment(label: Words, **options: Any) -> Any:
    """A point in time, stored in UTC and shown in the reader's zone."""
    return field(kinds.Moment(), label, **options)


def choice(label: Words, choices: tuple[Choice, ...], **options: Any) -> Any:
    """One of a list of values."""
    return field(kinds.Listed(), label, choices=choices, max_length=40, **options)


def country(label: Words, **options: Any) -> Any:
    """A country by its ISO 3166 code; people read and type its name."""
    return field(kinds.Country(), label, max_length=80, **options)


def currency(label: Words, **options: Any) -> Any:
    """A currency by its ISO 4217 code, which the amounts beside it are in."""
    return field(kinds.Currency(), label, max_length=3, **options)


def time_zone(label: Words, **options: Any) -> Any:
    """A time zone by its name: ``Europe/Bucharest``."""
    return field(kinds.TimeZone(), label, max_length=64, **options)


def tags(label: Words, **options: Any) -> Any:
    """A few words, found by ``has`` and ``has_not``."""
    return field(kinds.Tags(), label, **options)


def stage(label: Words, *, default: str | None = None, **options: Any) -> Any:
    """The stage of a record with a workflow; its values come from the workflow, changes go through transitions."""
    return field(kinds.StageOf(), label, default=default, max_length=60, index=True, **options)


def reference(
    label: Words, target: str, *, ondelete: str, index: bool = True, column: str | None = None, **options: Any
) -> Any:
    """The id of another record: ``target`` is its table, ``ondelete`` what the database does when that row goes."""
    key = ForeignKey(column or f"{target}.id", ondelete=ondelete)
    return field(kinds.Reference(), label, key, target=target, index=index, **options)


def any_record(label: Words, *, index: bool = True, **options: Any) -> Any:
    """A record of any type, as a `RecordRef`; a reference to one that is deleted is emptied."""
    return field(kinds.AnyRecord(), label, max_length=100, index=index, **options)


def lines(label: Words, line: str, *, order_by: str = "position", **options: Any) -> Any:
    """Rows that belong to the record and are edited with it, in order; removing one from the list deletes it."""
    return relationship(
        line,
        cascade="all, delete-orphan",
        order_by=f"{line}.{order_by}",
        passive_deletes=True,
        lazy="select",
        info={"field": Field(kinds.Children(), label, **options)},
    )


class ComputedField:
    """A field that is kept nowhere: reading it on a record computes it from other fields."""

    def __init__(self, declared: Field) -> None:
        self.declared = declared

    def __set_name__(self, owner: type, name: str) -> None:
        self.class_ = owner
        self.key = name
        self.declared = dataclasses.replace(self.declared, name=name)

    def __get__(self, record: Any, owner: type) -> Any:
        return self if record is None else value_of(self.declared, record)


def value_of(declared: Field, record: Any) -> Any:
    """The value of a computed field of a mapped object."""
    assert declared.computed is not None
    return declared.computed.by(*(getattr(record, name) for name in declared.computed.sources))


def computed(label: Words, kind: Kind, by: Callable[..., Any], *sources: str, **options: Any) -> Any:
    """A read-only field that follows from others: ``by`` is called with the values of the fields that ``sources`` name.

    It is shown in lists, on pages and in the API, to whoever may read all of its sources; nobody sorts or filters by it.
    """
    return ComputedField(Field(kind, label, server=True, computed=Computed(sources, by), **options))


def json_column(**options: Any) -> Any:
    """A JSON column without a declared meaning, never shown on a screen."""
    return mapped_column(Json(), nullable=False, default=dict, **options)


_fields: dict[type, Mapping[str, Field]] = {}


def fields_of(model: type) -> Mapping[str, Field]:
    """The declared fields of a model by attribute name, in the order of declaration (server-owned ones last)."""
    found = _fields.get(model)
    if found is None:
        found = _fields[model] = _read_fields(model)
    return found


def _read_fields(model: type) -> Mapping[str, Field]:
    mapper: Mapper[Any] = inspect(model)
    found: dict[str, Field] = {}
    own_first = sorted(
        mapper.column_attrs, key=lambda a: bool(getattr(a.columns[0].info.get("field"), "server", False))
    )
    for attribute in own_first:
        declared = attribute.columns[0].info.get("field")
        if declared is not None:
            found[attribute.key] = dataclasses.replace(declared, name=attribute.key)
    for related in mapper.relationships:
        declared = related.info.get("field")
        if declared is not None:
            found[related.key] = dataclasses.replace(declared, name=related.key, line=related.mapper.class_)
    for owner in reversed(model.__mro__):
        for name, attribute in vars(owner).items():
            if isinstance(attribute, ComputedField):
                found[name] = attribute.declared
    return found
