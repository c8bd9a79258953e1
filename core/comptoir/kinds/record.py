"""Kinds that point at records, and lists of rows that belong to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlalchemy import Integer as SmallInteger
from sqlalchemy.types import TypeEngine

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds.cell import Cell
from comptoir.kinds.columns import RecordRefType
from comptoir.kinds.kind import EQUALITY, Field, Kind, Page, Reader, Refusal, Source, as_text
from comptoir.kinds.number import INTEGER, MAX_ID, whole
from comptoir.texts import shown
from comptoir.values import RecordRef

Id = BigInteger().with_variant(SmallInteger, "sqlite")
"""The type of every id: 64 bit, and SQLite's own row id."""

ME = "me"
MY_TEAMS = "my_teams"
"""Words in place of the id of the reader, and of the teams at or below theirs."""

PEOPLE, TEAMS = "core_user", "core_team"


def is_id(value: object) -> bool:
    """Whether a value can be the id of a record."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


class Reference(Kind):
    """The id of another record, of the type that `Field.target` names by its table."""

    name = "reference"
    python_type = int
    input = "reference"
    facet = True
    ordered = False
    phone_roles: ClassVar[Mapping[str, int]] = {"second": 0, "detail": 5}

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """An id."""
        return Id

    def read(self, field: Field, given: Any, source: Source) -> int:
        """The record that its source means."""
        return source.record(field, as_text(given).strip())

    def from_json(self, field: Field, given: Any) -> int:
        """The id of a record."""
        number = whole(given)
        if not is_id(number):
            raise RuleViolation(
                "core.unknown_reference", _("There is no record {id} here, or you may not see it.", id=number)
            )
        return number

    def flaw(self, field: Field, value: Any) -> Refusal:
        """An id; whether there is such a record is asked in the database."""
        if is_id(value):
            return None
        return RuleViolation("core.not_a_reference", _("{label} is the number of a record.", label=field.label))

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The title, to follow."""
        return page.reference(str(field.target), value)

    def operand(self, field: Field, text: str) -> int | str:
        """An id, or a word for the reader or their teams."""
        if (text == ME and field.target == PEOPLE) or (text == MY_TEAMS and field.target == TEAMS):
            return text
        if not INTEGER.match(text):
            raise RuleViolation("core.not_an_id", _("Give the number of a record, not “{value}”.", value=shown(text)))
        return int(self.comparable(int(text)))

    def from_code(self, field: Field, value: Any) -> Any:
        """A word is read as in an address."""
        return self.operand(field, value) if isinstance(value, str) else super().from_code(field, value)

    def comparable(self, value: Any) -> Any:
        """What 64 bits hold."""
        if not -MAX_ID <= value <= MAX_ID:
            raise RuleViolation("core.out_of_range", _("The number has at most 18 digits."))
        return value

    def compare(self, operator: str, value: Any, reader: Reader) -> tuple[str, list[Any]]:
        """Words become ids."""
        ids: list[int] = []
        for one in value if operator == "in" else (value,):
            if one == MY_TEAMS:
                ids += sorted(reader.actor.team_ids)
            elif one != ME:
                ids.append(one)
            elif reader.actor.id is not None:
                ids.append(reader.actor.id)
        return ("eq", ids) if operator == "eq" and len(ids) == 1 else ("in", [ids])

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """An id."""
        return {"type": "integer", "minimum": 1, "maximum": MAX_ID}

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """An id; of people and teams words too."""
        return {"type": "string"} if field.target in (PEOPLE, TEAMS) else self.schema(field, writing=False)

    def refers_to(self, field: Field, value: Any) -> tuple[str, int] | None:
        """The target's table and the id."""
        return (str(field.target), value) if is_id(value) else None


class AnyRecord(Kind):
    """Points at a record of any type; in text and JSON as ``sales.deal/7``."""

    name = "any_record"
    python_type = RecordRef
    operators = EQUALITY
    ordered = sorts = plain = False
    points_anywhere = True

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """The type and the id as one text."""
        return RecordRefType()

    def read(self, field: Field, given: Any, source: Source) -> RecordRef:
        """The record that its source means."""
        return source.any_record(field, as_text(given).strip())

    def from_json(self, field: Field, given: Any) -> RecordRef:
        """``sales.deal/7``."""
        try:
            return RecordRef.parse(given if isinstance(given, str) else "")
        except ValueError:
            raise RuleViolation("core.not_a_record", _("Give a record as its type and number: sales.deal/7.")) from None

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A type and an id; whether there is such a record is asked in the database."""
        if isinstance(value, RecordRef) and is_id(value.record_id) and len(str(value)) <= 100:
            return None
        return RuleViolation("core.not_a_record", _("Give a record as its type and number: sales.deal/7."))

    def to_json(self, value: Any) -> str:
        """``sales.deal/7``."""
        return str(value)

    def to_sheet(self, value: Any) -> str:
        """``sales.deal/7``."""
        return str(value)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The title, to follow."""
        return page.reference(value.record_type, value.record_id)

    def comparable(self, value: Any) -> Any:
        """A record whose id fits into 64 bits."""
        if isinstance(value, RecordRef) and not is_id(value.record_id):
            raise RuleViolation("core.out_of_range", _("The number has at most 18 digits."))
        return value

    def from_code(self, field: Field, value: Any) -> Any:
        """A text is read as in an address."""
        return self.operand(field, value) if isinstance(value, str) else super().from_code(field, value)

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """Type and id as one text."""
        return {"type": "string", "pattern": r"^[a-z0-9_]+\.[a-z0-9_]+/[1-9][0-9]{0,17}$"}

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """Type and id as one text."""
        return self.schema(field, writing=False)

    def refers_to(self, field: Field, value: Any) -> tuple[str, int] | None:
        """The type and the id."""
        return (value.record_type, value.record_id) if isinstance(value, RecordRef) else None


class Children(Kind):
    """Rows that belong to the record and are edited with it."""

    name = "lines"
    python_type = list
    operators = ("is_null",)
    width = 12
    lined = True
    sorts = groups = ordered = False
