"""Field declarations: a typed column together with everything a screen, the API, import and search need to know of it.

Each function returns a mapped column; the declaration travels in ``column.info["field"]`` and is read back by `fields_of`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Integer, String, Text, inspect
from sqlalchemy.orm import Mapper, mapped_column, relationship

from comptoir.db.types import Json, MoneyType, UtcDateTime
from comptoir.i18n import Text as Words

Id = BigInteger().with_variant(Integer, "sqlite")
"""The type of every id: 64 bit, and SQLite's own row id."""

TEXT_LENGTH = 255
LONG_TEXT_LENGTH = 100_000


class Kind(StrEnum):
    """What a field holds; decides its input, operators, alignment, JSON form and import parser."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    PERCENT = "percent"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"
    STAGE = "stage"
    REFERENCE = "reference"
    LINES = "lines"


TEXTUAL = frozenset({Kind.TEXT, Kind.LONG_TEXT, Kind.EMAIL, Kind.PHONE, Kind.URL})
NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.MONEY, Kind.PERCENT})


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a choice field may take; ``tone`` picks the shape and colour of its mark (`.st--<tone>`)."""

    value: str
    label: Words
    tone: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The declaration of one field.

    ``name`` is the attribute and wire name (``contact_id``), ``path`` the name in filters and mappings (``contact``).
    ``tree`` makes a reference to the record's own type one to what it is part of: nothing lies below itself.
    ``read`` and ``write`` name a permission without which the field is absent or locked.  ``grouped`` sets
    thousands apart, which a year does not want.  ``expected`` fields may be empty, and an import mentions each row where
    they are.  ``normalise`` turns what somebody looks for into the form that
    is stored; it is called with the context and the value.
    """

    kind: Kind
    label: Words
    name: str = ""
    required: bool = False
    title: bool = False
    search: bool = False
    sortable: bool = True
    unique: bool = False
    personal: bool = False
    server: bool = False
    multiline: bool = False
    grouped: bool = True
    expected: bool = False
    tree: bool = False
    read: str | None = None
    write: str | None = None
    help: Words | None = None
    choices: tuple[Choice, ...] = ()
    target: str | None = None
    currency: str | None = None
    max_length: int | None = None
    minimum: Any = None
    maximum: Any = None
    normalise: Callable[[Any, Any], Any] | None = None
    line: type | None = None
    default: Any = None

    @property
    def path(self) -> str:
        """The name used in filters, sorts and mappings: a reference without its ``_id``."""
        return self.name.removesuffix("_id") if self.kind is Kind.REFERENCE else self.name

    def label_of(self, value: str | None) -> Words:
        """The label of a choice's value; the value itself when it is no longer in the list."""
        return next((c.label for c in self.choices if c.value == value), value or "")


def _column(type_: Any, field: Field, *args: Any, nullable: bool | None = None, **options: Any) -> Any:
    if nullable is None:
        nullable = not field.required
    if field.default is not None and not callable(field.default):
        options.setdefault("default", field.default)
    if field.unique:
        options.setdefault("unique", True)
    return mapped_column(type_, *args, nullable=nullable, info={"field": field}, **options)


def text(label: Words, *, length: int = TEXT_LENGTH, index: bool = False, **options: Any) -> Any:
    """One line of text."""
    return _column(String(length), Field(Kind.TEXT, label, max_length=length, **options), index=index)


def long_text(label: Words, **options: Any) -> Any:
    """Text of any number of lines, up to 100,000 characters."""
    return _column(Text(), Field(Kind.LONG_TEXT, label, max_length=LONG_TEXT_LENGTH, multiline=True, **options))


def email(label: Words, *, index: bool = False, **options: Any) -> Any:
    """An e-mail address, stored as typed; compare on a folded copy."""
    return _column(String(254), Field(Kind.EMAIL, label, max_length=254, personal=True, **options), index=index)


def phone(label: Words, *, index: bool = False, **options: Any) -> Any:
    """A telephone number, stored in E.164 when it can be read as one."""
    return _column(String(40), Field(Kind.PHONE, label, max_length=40, personal=True, **options), index=index)


def url(label: Words, **options: Any) -> Any:
    """An http or https address."""
    return _column(String(500), Field(Kind.URL, label, max_length=500, **options))


def integer(label: Words, *, minimum: int = -(2**53), maximum: int = 2**53, index: bool = False, **options: Any) -> Any:
    """A whole number; by default within what JSON carries exactly."""
    return _column(BigInteger(), Field(Kind.INTEGER, label, minimum=minimum, maximum=maximum, **options), index=index)


def decimal(label: Words, **options: Any) -> Any:
    """An exact number with up to four decimals."""
    return _column(MoneyType(), Field(Kind.DECIMAL, label, **options))


def percent(label: Words, *, minimum: int = 0, maximum: int = 100, **options: Any) -> Any:
    """A share of a hundred: 12.5 means 12.5 %."""
    return _column(MoneyType(), Field(Kind.PERCENT, label, minimum=minimum, maximum=maximum, **options))


def money(label: Words, *, currency: str = "currency", **options: Any) -> Any:
    """An exact amount; its currency stands in the sibling field named by ``currency``."""
    return _column(MoneyType(), Field(Kind.MONEY, label, currency=currency, **options))


def boolean(label: Words, *, default: bool = False, **options: Any) -> Any:
    """Yes or no, never unknown."""
    return _column(Boolean(), Field(Kind.BOOLEAN, label, default=default, **options), nullable=False)


def date(label: Words, *, index: bool = False, **options: Any) -> Any:
    """A calendar day, without a time zone."""
    return _column(Date(), Field(Kind.DATE, label, **options), index=index)


def moment(label: Words, *, index: bool = False, **options: Any) -> Any:
    """A point in time, stored in UTC and shown in the reader's zone."""
    return _column(UtcDateTime(), Field(Kind.MOMENT, label, **options), index=index)


def choice(
    label: Words, choices: tuple[Choice, ...], *, default: str | None = None, index: bool = False, **options: Any
) -> Any:
    """One of a list of values."""
    return _column(
        String(40),
        Field(Kind.CHOICE, label, choices=choices, default=default, max_length=40, **options),
        index=index,
    )


def stage(label: Words, *, default: str | None = None, **options: Any) -> Any:
    """The stage of a record with a workflow; its values come from the workflow, changes go through transitions."""
    return _column(
        String(60), Field(Kind.STAGE, label, default=default, max_length=60, **options), nullable=False, index=True
    )


def reference(
    label: Words, target: str, *, ondelete: str, index: bool = True, column: str | None = None, **options: Any
) -> Any:
    """The id of another record: ``target`` is its table, ``ondelete`` what the database does when that row goes."""
    return _column(
        Id,
        Field(Kind.REFERENCE, label, target=target, **options),
        ForeignKey(column or f"{target}.id", ondelete=ondelete),
        index=index,
    )


def lines(label: Words, line: str, *, order_by: str = "position", **options: Any) -> Any:
    """Rows that belong to the record and are edited with it, in order; removing one from the list deletes it."""
    return relationship(
        line,
        cascade="all, delete-orphan",
        order_by=f"{line}.{order_by}",
        passive_deletes=True,
        lazy="select",
        info={"field": Field(Kind.LINES, label, **options)},
    )


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
    return found


def python_type(kind: Kind) -> type:
    """The Python type that values of a kind have in memory."""
    from decimal import Decimal

    return {
        Kind.INTEGER: int,
        Kind.REFERENCE: int,
        Kind.DECIMAL: Decimal,
        Kind.MONEY: Decimal,
        Kind.PERCENT: Decimal,
        Kind.BOOLEAN: bool,
        Kind.DATE: dt.date,
        Kind.MOMENT: dt.datetime,
        Kind.LINES: list,
    }.get(kind, str)
