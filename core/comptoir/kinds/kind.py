"""What every kind of value has in common, and the declaration of a field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, String
from sqlalchemy.types import TypeEngine

from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import Text, _
from comptoir.kinds.cell import Cell, CellKind, FieldKind
from comptoir.texts import check_text
from comptoir.values import RecordRef

Refusal = RuleViolation | None
Place = Callable[[TypeEngine[Any]], ColumnElement[Any]]
"""Gives the place of the next value in a statement."""

EQUALITY = ("eq", "ne", "in", "nin", "is_null")
ORDER = ("lt", "lte", "gt", "gte")


class Source(Protocol):
    """Where a text comes from: how numbers and moments are spelled there, and how records and stages are called."""

    @property
    def formats(self) -> Formats:
        """How the writer spells numbers and moments."""

    def record(self, field: Field, text: str) -> int:
        """The id of the record that a text names; raises `RuleViolation` where it names none or several."""

    def any_record(self, field: Field, text: str) -> RecordRef:
        """The record of any type that a text names."""

    def stage(self, field: Field, text: str) -> str:
        """The stage that a text names."""


class Page(Protocol):
    """What a value needs to be shown: the reader's formats, and the names of stages and of records."""

    @property
    def formats(self) -> Formats:
        """How the reader sees values."""

    def stage(self, name: str) -> Cell:
        """A stage by its label."""

    def reference(self, address: str, record_id: int) -> Cell:
        """A record by its title; ``address`` is its table or its type."""


class Reader(Protocol):
    """Who asks, when and where: what the words of filters mean."""

    @property
    def actor(self) -> Any:
        """The reader with their teams."""

    @property
    def timezone(self) -> ZoneInfo:
        """Where the reader is."""

    def now(self) -> dt.datetime:
        """The present moment."""

    def today(self) -> dt.date:
        """The day it is where the reader is."""


@dataclass(frozen=True, slots=True)
class Face:
    """How a choice makes its record look: its icon and colour in a history, square initials instead of round ones.

    ``turns`` are pairs of icons: what the icon of another choice becomes where this one is made too, such as a telephone
    that of an incoming call.
    """

    icon: str = ""
    tone: str = ""
    square: bool = False
    turns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a choice field may take; ``tone`` picks the shape and colour of its mark (`.st--<tone>`).

    ``face`` is how a record looks that took it, where the field has the role ``face``.
    """

    value: str
    label: Text
    tone: str = ""
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """How a field that is kept nowhere follows from others of its record: ``by`` is called with the values of ``sources``."""

    sources: tuple[str, ...]
    by: Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The declaration of one field.

    ``name`` is the attribute and wire name (``contact_id``), ``path`` the name in filters and mappings (``contact``).
    ``tree`` makes a reference to the record's own type one to what it is part of: nothing lies below itself.
    ``read`` and ``write`` name a permission without which the field is absent or locked.  ``grouped`` sets
    thousands apart, which a year does not want.  ``expected`` fields may be empty, and an import mentions each row where
    they are.  ``role`` is what the field is for besides its value, one or several of `ROLES`.  ``normalise`` turns what somebody looks for into the form that
    is stored; it is called with the context and the value.
    """

    kind: Kind
    label: Text
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
    role: str | tuple[str, ...] = ()
    read: str | None = None
    write: str | None = None
    help: Text | None = None
    choices: tuple[Choice, ...] = ()
    target: str | None = None
    currency: str | None = None
    max_length: int | None = None
    minimum: Any = None
    maximum: Any = None
    normalise: Callable[[Any, Any], Any] | None = None
    line: type | None = None
    default: Any = None
    computed: Computed | None = None

    @property
    def path(self) -> str:
        """The name used in filters, sorts and mappings: a reference without its ``_id``."""
        return self.name.removesuffix("_id") if self.target is not None else self.name

    @property
    def roles(self) -> tuple[str, ...]:
        """What it is for besides its value."""
        return (self.role,) if isinstance(self.role, str) else self.role

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that filters may use; what is computed stands in no column to compare with."""
        return () if self.computed is not None else self.kind.operators

    @property
    def sorts(self) -> bool:
        """Whether a list can be sorted by it."""
        return self.sortable and self.kind.sorts and self.computed is None

    def choice_of(self, value: str | None) -> Choice | None:
        """The choice with this value; None when it is no longer in the list."""
        return next((choice for choice in self.choices if choice.value == value), None)

    def label_of(self, value: str | None) -> Text:
        """The label of a choice's value; the value itself when it is no longer in the list."""
        chosen = self.choice_of(value)
        return chosen.label if chosen is not None else value or ""


class Kind:
    """One kind of value: how it is kept, read, checked, shown, compared and described.

    A plugin derives its own from this or from the kind that is nearest.  Kinds have no state; what differs from field
    to field stands in the `Field` that is given to each method.
    """

    name: ClassVar[str]
    """The word for it in descriptions: ``money``."""
    python_type: ClassVar[type] = str
    operators: ClassVar[tuple[str, ...]] = EQUALITY

    input: ClassVar[FieldKind] = "text"
    """The input on a form; one of the names that the form's template knows."""
    look: ClassVar[CellKind] = "text"
    """How the cells of a column stand; one of the names that the page's template knows."""
    width: ClassVar[int] = 6
    """How many of twelve columns of a form it takes."""
    phone_roles: ClassVar[Mapping[str, int]] = {}
    """Beside or under the name on a phone: ``second``, ``value`` or ``detail``, each with its place among the kinds."""

    numeric: ClassVar[bool] = False
    """Whether it can be summed; it then stands on the right."""
    dated: ClassVar[bool] = False
    """Whether it falls into days, weeks, months, quarters and years."""
    zoned: ClassVar[bool] = False
    """Whether its day depends on where the reader is."""
    sorts: ClassVar[bool] = True
    groups: ClassVar[bool] = True
    """Whether records can be grouped by it."""
    facet: ClassVar[bool] = False
    """Whether its values are few enough to be offered as groups of a list."""
    ordered: ClassVar[bool] = True
    """Whether it has a least and a greatest value."""
    newest_first: ClassVar[bool] = False
    """Whether a list is sorted by it downwards at first."""
    never_null: ClassVar[bool] = False
    """Whether its column always holds a value."""
    lined: ClassVar[bool] = False
    """Whether it is a list of rows of their own."""
    textual: ClassVar[bool] = False
    """Whether it is text in somebody's words, of which parts are looked for."""
    plain: ClassVar[bool] = True
    """Whether its Python values go over the wire as they are: texts, numbers, days, moments; otherwise by `to_json`."""
    points_anywhere: ClassVar[bool] = False
    """Whether its values point at records of any type."""
    settled: ClassVar[bool] = False
    """Whether a value that was read is final: no plugin prepares it any further, so that it can be checked at once."""
    may_stay_unread: ClassVar[bool] = False
    """Whether what cannot be read is kept as it was typed; `unread` tells which."""
    staged: ClassVar[bool] = False
    """Whether its values come from the record type's workflow."""

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """The type of its column."""
        return String(field.max_length or 255)

    # -- reading ---------------------------------------------------------------------------------------------------------

    def read(self, field: Field, given: Any, source: Source) -> Any:
        """The value that a text or the cell of a spreadsheet means; never called with an empty one.

        Raises `RuleViolation` with the cure where it cannot be read.
        """
        return as_text(given)

    def from_json(self, field: Field, given: Any) -> Any:
        """The value that JSON carries, without guessing; raises `RuleViolation`."""
        if not isinstance(given, str):
            raise RuleViolation("core.not_text", _("Give a text."))
        return given

    def flaw(self, field: Field, value: Any) -> Refusal:
        """The first rule that a value breaks."""
        return None

    def holds(self, field: Field, values: Sequence[Any]) -> bool:
        """Whether no value of a column has a `flaw`; None and the empty text are not among them."""
        asked = set(values) if set(map(type, values)) == {str} else values  # 1 and True are equal
        return all(self.flaw(field, value) is None for value in asked)

    def unread(self, value: Any) -> Text | None:
        """What to mention of a value that was kept as it was typed, because it could not be read; None where it was read."""
        return None

    def choices(self, field: Field) -> Sequence[Choice] | None:
        """The values there are; None where anything goes."""
        return None

    # -- writing ---------------------------------------------------------------------------------------------------------

    def to_json(self, value: Any) -> Any:
        """The value as JSON and the history keep it."""
        return value

    def to_sheet(self, value: Any) -> Any:
        """The value as the cell of a spreadsheet: a text, number, day, moment or truth that `read` understands."""
        return value

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """The value as its input takes it; `read` gives it back."""
        return str(value)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The value as a page shows it; never called with an empty one."""
        return Cell(str(value))

    # -- comparing -------------------------------------------------------------------------------------------------------

    def operand(self, field: Field, text: str) -> Any:
        """What a filter compares with, from its text in an address; raises `RuleViolation`."""
        return self.comparable(self.from_json(field, text))

    def comparable(self, value: Any) -> Any:
        """The value, if both engines can compare with it; raises `RuleViolation`."""
        if isinstance(value, str):
            try:
                check_text(value)
            except ValueError:
                raise RuleViolation(
                    "core.not_text", _("The text holds a character that cannot be kept. Remove it.")
                ) from None
        return value

    def from_code(self, field: Field, value: Any) -> Any:
        """What a filter compares with, given by code; one of the wrong type is refused."""
        if not self.accepts(value):
            raise RuleViolation("core.wrong_type", _("{label} does not take this value.", label=field.label))
        return self.comparable(value)

    def accepts(self, value: Any) -> bool:
        """Whether a value has the kind's type."""
        return isinstance(value, self.python_type) and isinstance(value, bool) is (self.python_type is bool)

    def compare(self, operator: str, value: Any, reader: Reader) -> tuple[str, list[Any]]:
        """The operator and the values of a comparison once it is known who asks and when."""
        return operator, [list(value) if operator == "in" else value]

    def condition(self, operator: str, column: ColumnElement[Any], place: Place, dialect: str) -> ColumnElement[bool]:
        """The comparison in SQL, for operators that not every kind has."""
        raise NotImplementedError(f"{self.name} has no operator {operator}")

    # -- describing ------------------------------------------------------------------------------------------------------

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """Its JSON type in OpenAPI."""
        schema: dict[str, Any] = {"type": "string"}
        if field.max_length is not None and writing:
            schema["maxLength"] = field.max_length
        return schema

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """What the text of a filter looks like, in OpenAPI."""
        return {"type": "string"}

    # -- pointing --------------------------------------------------------------------------------------------------------

    @property
    def points(self) -> bool:
        """Whether its values may point at records."""
        return type(self).refers_to is not Kind.refers_to

    def refers_to(self, field: Field, value: Any) -> tuple[str, int] | None:
        """The record that a value points at: its table or type, and its id."""
        return None


def as_text(given: Any) -> str:
    """The text of a cell; a spreadsheet holds 7 as 7.0."""
    return str(int(given)) if isinstance(given, float) and given.is_integer() else str(given)


def unreadable(field: Field, given: Any, wanted: Any) -> RuleViolation:
    """The refusal of a text that means no value of this field."""
    return RuleViolation(
        "core.unreadable_value",
        _("“{value}” is no {label}. Give {wanted}.", value=str(given)[:60], label=field.label, wanted=wanted),
        field=field.name,
    )
