"""Shades of paint: one field of every kind that is new, and a colour, which only this plugin knows."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Mapped

from comptoir.toolkit import (
    Public,
    Record,
    RecordRef,
    RecordType,
    RuleViolation,
    _,
    any_record,
    computed,
    country,
    currency,
    duration,
    field,
    integer,
    kinds,
    money,
    tags,
    text,
    time_zone,
)

HEX = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})\Z")


class Colour(kinds.Plain):
    """A colour, kept as ``#rrggbb``; people also type ``ABC`` or ``#a0b1c2``."""

    name = "colour"
    width = 2

    def read(self, field: kinds.Field, given: Any, source: kinds.Source) -> str:
        """Three or six digits, with or without the hash sign."""
        found = HEX.match(str(given).strip().lower())
        if found is None:
            raise kinds.unreadable(field, given, _("a colour such as #a0b1c2"))
        digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
        return f"#{digits}"

    def flaw(self, field: kinds.Field, value: Any) -> RuleViolation | None:
        """A hash sign and six digits."""
        if isinstance(value, str) and re.fullmatch(r"#[0-9a-f]{6}", value):
            return None
        return RuleViolation("paint.not_a_colour", _("Give a colour such as #a0b1c2."))

    def cell(self, field: kinds.Field, value: Any, page: kinds.Page, currency: str | None) -> kinds.Cell:
        """In capitals, as on the tin."""
        return kinds.Cell(value.upper())

    def schema(self, field: kinds.Field, *, writing: bool) -> dict[str, Any]:
        """A hash sign and six digits."""
        return {"type": "string", "pattern": "^#[0-9a-f]{6}$"}


def double(stock: int | None) -> int | None:
    return None if stock is None else stock * 2


class Shade(Record):
    """A shade of paint."""

    __tablename__ = "paint_shade"
    __record__ = RecordType(_("Shade"), _("Shades"), path="shades", visible=Public(), timeline=False)

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True)
    colour: Mapped[str | None] = field(Colour(), _("Colour"), max_length=7, index=True)
    drying: Mapped[int | None] = duration(_("Drying time"))
    origin: Mapped[str | None] = country(_("Origin"))
    zone: Mapped[str | None] = time_zone(_("Zone"))
    uses: Mapped[list[str] | None] = tags(_("Uses"))
    seen_on: Mapped[RecordRef | None] = any_record(_("Seen on"))
    price: Mapped[Decimal | None] = money(_("Price"), read="paint.shade.see_price")
    currency: Mapped[str | None] = currency(_("Currency"))
    stock: Mapped[int | None] = integer(_("Stock"))
    promised = computed(_("Promised"), kinds.Integer(), double, "stock")
    dear = computed(_("Price again"), kinds.Money(), lambda price: price, "price", currency="currency")
