"""Turn the text of a cell into a field's value, in the spellings that people use."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.core import get_global

from comptoir.db.fields import TEXTUAL, Field, Kind
from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, _, speaking
from comptoir.records.transfer.formulas import restored

TRUE = {"true", "yes", "y", "1", "x", "da", "ja", "beli", "he", "tak", "on"}
FALSE = {"false", "no", "n", "0", "", "nu", "nee", "xeyr", "ne", "nie", "off"}
NUMBER = re.compile(r"[+-]?[\d\s.,'\u00a0\u202f]+\Z")
DATE_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y")
"""Two digits of a year mean 1969 to 2068."""
TIME = re.compile(
    r"(?P<day>\S+?)[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\.\d+)? ?(?P<half>[ap]m)?\Z",
    re.IGNORECASE,
)
BRACKETS = re.compile(r"\((?P<amount>[^()]*\d[^()]*)\)\Z")
"""How bookkeepers write what is below zero."""
SYMBOLS = {
    "€": "EUR", "£": "GBP", "lei": "RON", "leu": "RON", "zł": "PLN", "zl": "PLN", "лв": "BGN", "лв.": "BGN", "₼": "AZN",
    "man": "AZN", "₺": "TRY", "₴": "UAH", "₽": "RUB", "kč": "CZK", "ft": "HUF", "fr": "CHF", "fr.": "CHF", "¥": "JPY",
    "us$": "USD",
}  # fmt: skip
DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD"})
NAMED = re.compile(
    r"(?P<before>[^\d\s.,+()'-]{1,4}?\.?)?\s*(?P<amount>[(+\-]?[\d.,][\d\s.,'\u00a0\u202f]*\)?)\s*(?P<after>[^\d\s.,+()'-]{1,4}\.?)?\Z"
)
PERSON = re.compile(r"[^<>]*<\s*(?:mailto:)?([^<>@\s]+@[^<>@\s]+)\s*>\Z", re.IGNORECASE)
HOST = re.compile(r"(?:www\.)?(?:[\w-]+\.)+[a-z]{2,24}(?:[/?#:]\S*)?\Z", re.IGNORECASE)
EXCEL_GUARD = re.compile(r"'(?=[=+\-@\t\r])")


def parse_cell(declared: Field, cell: Any, *, timezone: dt.tzinfo) -> Any:
    """The value of a cell, None where it is empty; raises `RuleViolation` with the cure where it cannot be read."""
    if isinstance(cell, str):
        cell = restored(cell.strip())
    if cell is None or cell == "":
        return None
    kind = declared.kind
    if kind is Kind.EMAIL:
        text = _text(cell)
        return matched[1] if (matched := PERSON.match(text)) else re.sub(r"\Amailto:", "", text, flags=re.IGNORECASE)
    if kind is Kind.URL:
        text = _text(cell)
        return f"https://{text}" if HOST.match(text) else text
    if kind in TEXTUAL or kind is Kind.STAGE:
        return _text(cell)
    if kind is Kind.INTEGER:
        return _integer(declared, cell)
    if kind is Kind.MONEY and isinstance(cell, str) and currency_in(cell) is not None:
        named = NAMED.match(cell)
        return parse_number(declared, named["amount"] if named else cell)
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


def currency_in(cell: str, own: str = "USD") -> str | None:
    """The currency that stands before or behind an amount: ``$5``, ``5 EUR``, ``5 lei``; a dollar is ``own`` where that is one."""
    named = NAMED.match(cell.strip())
    if named is None or bool(named["before"]) == bool(named["after"]):
        return None
    word: str = named["before"] or named["after"]
    if word == "$":
        return own if own in DOLLARS else "USD"
    code = word.upper()
    return SYMBOLS.get(word.lower()) or (code if code in get_global("all_currencies") else None)


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
    if matched := BRACKETS.match(text):
        text = "-" + matched["amount"].strip()
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
    if matched := TIME.match(text):
        text = matched["day"]
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
            found = dt.datetime.combine(_date(declared, text), _time(declared, text))
    return (found if found.tzinfo else found.replace(tzinfo=timezone)).astimezone(dt.UTC)


def _time(declared: Field, text: str) -> dt.time:
    matched = TIME.match(text)
    if matched is None:
        return dt.time()
    hour, half = int(matched["hour"]), (matched["half"] or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return dt.time(hour, int(matched["minute"]), int(matched["second"] or 0))
    except ValueError:
        raise _unfit(declared, text, _("a day and time such as 22.11.2026 14:30")) from None


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
