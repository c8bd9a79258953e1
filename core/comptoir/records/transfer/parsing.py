"""Turn the text of a cell into a field's value, in the spellings that people use."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from comptoir.db.fields import TEXTUAL, Field, Kind
from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, _, speaking
from comptoir.records.transfer.formulas import restored

TRUE = {"true", "yes", "y", "1", "x", "da", "ja", "beli", "he", "tak", "on"}
FALSE = {"false", "no", "n", "0", "", "nu", "nee", "xeyr", "ne", "nie", "off"}
NUMBER = re.compile(r"[+-]?[\d\s.,'\u00a0\u202f]+\Z")
DATE_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d")


def parse_cell(declared: Field, cell: Any, *, timezone: dt.tzinfo) -> Any:
    """The value of a cell, None where it is empty; raises `RuleViolation` with the cure where it cannot be read."""
    if isinstance(cell, str):
        cell = restored(cell.strip())
    if cell is None or cell == "":
        return None
    kind = declared.kind
    if kind in TEXTUAL or kind is Kind.STAGE:
        return _text(cell)
    if kind is Kind.INTEGER:
        return _integer(declared, cell)
    if kind in (Kind.DECIMAL, Kind.MONEY, Kind.PERCENT):
        return parse_number(declared, cell)
    if kind is Kind.BOOLEAN:
        return _boolean(declared, cell)
    if kind is Kind.DATE:
        return _date(declared, cell)
    if kind is Kind.MOMENT:
        return _moment(declared, cell, timezone)
    if kind is Kind.CHOICE:
        return _choice(declared, cell)
    return cell


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def parse_number(declared: Field, cell: Any) -> Decimal:
    """A decimal in any usual spelling: 1,234.50 · 1.234,50 · 1 234,5 · 1'234.5."""
    if isinstance(cell, bool):
        raise _unfit(declared, cell)
    if isinstance(cell, int | float | Decimal):
        return Decimal(str(cell))
    text = str(cell).strip().removesuffix("%").strip()
    if not NUMBER.match(text):
        raise _unfit(declared, cell)
    text = re.sub(r"[\s'\u00a0\u202f]", "", text)
    comma, point = text.rfind(","), text.rfind(".")
    if comma >= 0 and point >= 0:
        text = text.replace("." if comma > point else ",", "").replace(",", ".")
    elif comma >= 0:
        thousands = text.count(",") > 1 or (len(text) - comma == 4 and text[:comma].lstrip("+-") not in ("", "0"))
        text = text.replace(",", "" if thousands else ".")
    elif text.count(".") > 1:
        text = text.replace(".", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _unfit(declared, cell) from None


def _integer(declared: Field, cell: Any) -> int:
    number = parse_number(declared, cell)
    if number != number.to_integral_value():
        raise _unfit(declared, cell, _("a whole number such as 12"))
    return int(number)


def _boolean(declared: Field, cell: Any) -> bool:
    if isinstance(cell, bool):
        return cell
    text = fold(_text(cell))
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise _unfit(declared, cell, _("yes or no"))


def _date(declared: Field, cell: Any) -> dt.date:
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    text = str(cell).strip()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    for pattern in DATE_FORMATS:
        try:
            return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 — a calendar day has no zone
        except ValueError:
            continue
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise _unfit(declared, cell, _("a day such as 2026-11-22 or 22.11.2026")) from None


def _moment(declared: Field, cell: Any, timezone: dt.tzinfo) -> dt.datetime:
    if isinstance(cell, dt.datetime):
        found = cell
    elif isinstance(cell, dt.date):
        found = dt.datetime.combine(cell, dt.time())
    else:
        text = str(cell).strip()
        try:
            found = dt.datetime.fromisoformat(text)
        except ValueError:
            found = dt.datetime.combine(_date(declared, text), dt.time())
    return (found if found.tzinfo else found.replace(tzinfo=timezone)).astimezone(dt.UTC)


def _choice(declared: Field, cell: Any) -> str:
    """A choice by its value, or by its label in any language."""
    text = fold(_text(cell))
    for choice in declared.choices:
        if text == fold(choice.value):
            return choice.value
    for language in LANGUAGES:
        with speaking(language):
            for choice in declared.choices:
                if text == fold(str(choice.label)):
                    return choice.value
    raise _unfit(declared, cell, ", ".join(choice.value for choice in declared.choices))


def _unfit(declared: Field, cell: Any, wanted: Any = None) -> RuleViolation:
    return RuleViolation(
        "core.unreadable_value",
        _(
            "“{value}” is no {label}. Give {wanted}.",
            value=str(cell)[:60],
            label=declared.label,
            wanted=wanted or _("a number such as 1234.50"),
        ),
        field=declared.name,
    )
