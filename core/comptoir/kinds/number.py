"""Kinds of number: whole, exact, share of a hundred, amount of money, length of time; and yes or no."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlalchemy import Boolean as BooleanType
from sqlalchemy.types import TypeEngine

from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import _
from comptoir.kinds.cell import Cell, CellKind, FieldKind
from comptoir.kinds.columns import MONEY_LIMIT, MoneyType
from comptoir.kinds.kind import EQUALITY, ORDER, Field, Kind, Page, Refusal, Source, as_text, unreadable
from comptoir.texts import fold, shown

MAX_ID = 2**63 - 1
INTEGER = re.compile(r"[+-]?\d{1,19}\Z", re.ASCII)
DECIMAL = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?\Z", re.ASCII)
JSON_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,10})?\Z", re.ASCII)
PATTERN = r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$"
PLACES = Decimal("0.0001")


def whole(given: Any) -> int:
    """A JSON number without a fraction."""
    if isinstance(given, Decimal) and given.is_finite() and abs(given) < 10**20 and given == given.to_integral_value():
        return int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise RuleViolation("core.not_a_number", _("Give a whole number."))
    return given


def read_number(field: Field, given: Any, source: Source, wanted: Any = None) -> Decimal:
    """A number as its writer spells it, with or without a percent sign."""
    wanted = wanted or _("a number such as 1234.50")
    if isinstance(given, bool):
        raise unreadable(field, given, wanted)
    if isinstance(given, int | float | Decimal):
        return Decimal(str(given))
    text = str(given).strip().removesuffix("%").strip()
    try:
        return source.formats.parse_amount(text) if field.currency else source.formats.parse_number(text)
    except ValueError:
        raise unreadable(field, given, wanted) from None


class Number(Kind):
    """What can be summed."""

    operators = (*EQUALITY, *ORDER)
    input: ClassVar[FieldKind] = "number"
    look: ClassVar[CellKind] = "number"
    width = 3
    numeric = newest_first = settled = True

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A number within its bounds."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return RuleViolation("core.not_a_number", _("{label} is a number.", label=field.label))
        if isinstance(value, Decimal) and not value.is_finite():
            return RuleViolation("core.not_a_number", _("{label} is a number.", label=field.label))
        broken = self.inexact(value)
        if broken is not None:
            return broken
        if field.minimum is not None and value < field.minimum:
            return RuleViolation("core.out_of_range", _("Give {minimum} or more.", minimum=field.minimum))
        if field.maximum is not None and value > field.maximum:
            return RuleViolation("core.out_of_range", _("Give {maximum} or less.", maximum=field.maximum))
        return None

    def inexact(self, value: Any) -> Refusal:
        """Why the column cannot keep a number as it is."""
        exponent = value.normalize().as_tuple().exponent if isinstance(value, Decimal) else 0
        if isinstance(exponent, int) and exponent < -4:
            return RuleViolation("core.too_precise", _("The number has at most four decimals."))
        return None

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """The number as the reader would type it."""
        return formats.number_input(value) if isinstance(value, int | Decimal) else str(value)


class Integer(Number):
    """A whole number."""

    name = "integer"
    python_type = int

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """64 bit."""
        return BigInteger()

    def read(self, field: Field, given: Any, source: Source) -> int:
        """A number without a fraction."""
        number = read_number(field, given, source, _("a whole number such as 12"))
        if not number.is_finite() or number != number.to_integral_value() or abs(number) >= 10**19:
            raise unreadable(field, given, _("a whole number such as 12"))
        return int(number)

    def from_json(self, field: Field, given: Any) -> int:
        """A JSON number without a fraction."""
        return whole(given)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """With its thousands apart, where the field wants that."""
        return Cell(page.formats.integer(value) if field.grouped else str(value), "number")

    def operand(self, field: Field, text: str) -> int:
        """Digits."""
        if not INTEGER.match(text):
            raise RuleViolation("core.not_a_number", _("Give a whole number, not “{value}”.", value=shown(text)))
        return int(self.comparable(int(text)))

    def comparable(self, value: Any) -> Any:
        """What 64 bits hold."""
        if not -MAX_ID <= value <= MAX_ID:
            raise RuleViolation("core.out_of_range", _("The number has at most 18 digits."))
        return value

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """An integer within its bounds."""
        bounds = {"minimum": field.minimum, "maximum": field.maximum}
        return {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """What 64 bits hold: an address carries every digit."""
        return {"type": "integer", "minimum": -MAX_ID, "maximum": MAX_ID}


class Exact(Number):
    """An exact number with up to fourteen digits before the point and four after it."""

    name = "decimal"
    python_type = Decimal

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """NUMERIC, or scaled integers."""
        return MoneyType()

    def read(self, field: Field, given: Any, source: Source) -> Decimal:
        """A number as its writer spells it."""
        return read_number(field, given, source)

    def from_json(self, field: Field, given: Any) -> Decimal:
        """A JSON number, or a text such as ``"500.00"``."""
        if isinstance(given, str) and JSON_NUMBER.match(given):
            return Decimal(given)
        if isinstance(given, Decimal) and given.is_finite():
            return given
        if isinstance(given, bool) or not isinstance(given, int):
            raise RuleViolation("core.not_a_number", _("Give a number such as “500.00”."))
        return Decimal(given)

    def inexact(self, value: Any) -> Refusal:
        """The digits first."""
        if abs(value) >= MONEY_LIMIT:
            return RuleViolation("core.out_of_range", _("The number has at most 14 digits before the point."))
        return super().inexact(value)

    def to_json(self, value: Any) -> str:
        """The number as text, without trailing zeros."""
        return format(value.normalize(), "f")

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """Without trailing zeros."""
        return Cell(page.formats.decimal(value), "number")

    def operand(self, field: Field, text: str) -> Decimal:
        """Digits with a point."""
        if not DECIMAL.match(text):
            raise RuleViolation(
                "core.not_a_number", _("Give a number such as 1250.50, not “{value}”.", value=shown(text))
            )
        return Decimal(self.comparable(Decimal(text)))

    def from_code(self, field: Field, value: Any) -> Any:
        """An exact number; a whole one is one too."""
        exact = Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
        return super().from_code(field, exact)

    def comparable(self, value: Any) -> Any:
        """What the column can hold."""
        if not value.is_finite() or abs(value) >= MONEY_LIMIT or value != value.quantize(PLACES):
            raise RuleViolation(
                "core.out_of_range", _("The number has at most 14 digits before the point and four after it.")
            )
        return value

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A text, because floating numbers are not exact."""
        return {"type": "string", "pattern": PATTERN}

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """Digits with a point."""
        return {"type": "string", "pattern": PATTERN}


class Percent(Exact):
    """A share of a hundred."""

    name = "percent"
    input: ClassVar[FieldKind] = "percent"
    look: ClassVar[CellKind] = "percent"

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """With its sign."""
        return Cell(page.formats.percent(value), "percent")


class Money(Exact):
    """An exact amount; its currency stands in the field beside it that `Field.currency` names."""

    name = "money"
    input: ClassVar[FieldKind] = "money"
    look: ClassVar[CellKind] = "money"
    phone_roles: ClassVar[Mapping[str, int]] = {"value": 0}

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """With the sign of its currency."""
        return Cell(page.formats.money(value, currency), "money")


CLOCK = re.compile(r"(\d{1,6}):([0-5]\d)\Z", re.ASCII)
HOURS = re.compile(r"(?:(\d{1,6}(?:[.,]\d{1,4})?)\s*h[a-z]*)?\s*(?:(\d{1,8})\s*(?:m[a-z]*|['’])?)?\.?\Z", re.ASCII)


class Duration(Integer):
    """A length of time in minutes, written ``1h 30``, ``1:30``, ``1.5h`` or ``90``."""

    name = "duration"
    input: ClassVar[FieldKind] = "text"

    def read(self, field: Field, given: Any, source: Source) -> int:
        """Hours and minutes in any usual spelling; a bare number counts minutes."""
        if not isinstance(given, str):
            return super().read(field, given, source)
        text = given.strip().lower()
        if clock := CLOCK.match(text):
            return int(clock[1]) * 60 + int(clock[2])
        spelled = HOURS.match(text)
        if not text or spelled is None or not (spelled[1] or spelled[2]):
            raise unreadable(field, given, _("a length of time such as 1h 30 or 90"))
        minutes = Decimal((spelled[1] or "0").replace(",", ".")) * 60 + int(spelled[2] or 0)
        if minutes != minutes.to_integral_value():
            raise unreadable(field, given, _("a length of time such as 1h 30 or 90"))
        return int(minutes)

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """``1h 30``; less than an hour in minutes."""
        hours, minutes = divmod(value, 60)
        return f"{hours}h {minutes:02}" if hours > 0 else str(value)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """``1 h 30 min``."""
        hours, minutes = divmod(value, 60)
        if hours <= 0:
            return Cell(str(_("{minutes} min", minutes=value)), "number")
        if not minutes:
            return Cell(str(_("{hours} h", hours=page.formats.integer(hours))), "number")
        return Cell(str(_("{hours} h {minutes} min", hours=page.formats.integer(hours), minutes=minutes)), "number")


TRUE = {"true", "yes", "y", "1", "x", "da", "ja", "beli", "he", "tak", "on"}
FALSE = {"false", "no", "n", "0", "", "nu", "nee", "xeyr", "ne", "nie", "off"}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Boolean(Kind):
    """Yes or no, never unknown."""

    name = "boolean"
    python_type = bool
    input = look = "bool"
    width = 3
    never_null = facet = True
    ordered = False

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """A truth value."""
        return BooleanType()

    def read(self, field: Field, given: Any, source: Source) -> bool:
        """Yes or no in the languages that the house speaks."""
        if isinstance(given, bool):
            return given
        text = fold(as_text(given))
        if text not in TRUE and text not in FALSE:
            raise unreadable(field, given, _("yes or no"))
        return text in TRUE

    def from_json(self, field: Field, given: Any) -> bool:
        """JSON true or false."""
        if not isinstance(given, bool):
            raise RuleViolation("core.not_boolean", _("Give true or false."))
        return given

    def flaw(self, field: Field, value: Any) -> Refusal:
        """Nothing but yes and no."""
        if isinstance(value, bool):
            return None
        return RuleViolation("core.not_boolean", _("{label} is yes or no.", label=field.label))

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """What a ticked box sends."""
        return "1" if value else ""

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The word, and the mark for yes."""
        return Cell(str(_("yes") if value else _("no")), "bool", tone="ok" if value else "")

    def operand(self, field: Field, text: str) -> bool:
        """True or false."""
        if text not in BOOLEANS:
            raise RuleViolation("core.not_boolean", _("Give true or false, not “{value}”.", value=shown(text)))
        return BOOLEANS[text]

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """True or false."""
        return {"type": "boolean"}

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """The texts that are read."""
        return {"type": "string", "enum": ["true", "false", "1", "0"]}
