"""Turn the cell of a table into a field's value, in the spellings that people use."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.core import get_global

from comptoir import kinds
from comptoir.formats import Formats
from comptoir.kinds import Field, Source
from comptoir.records.transfer.formulas import restored

NUMBER = re.compile(r"[+-]?[\d\s.,'\u00a0\u202f]+\Z")
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


def parse_cell(declared: Field, cell: Any, source: Source) -> Any:
    """The value of a cell, None where it is empty; raises `RuleViolation` with the cure where it cannot be read."""
    cell = _unguarded(cell)
    return None if cell is None else declared.kind.read(declared, cell, source)


def as_text(cell: Any) -> str | None:
    """The text of a cell that names something, None where it is empty."""
    cell = _unguarded(cell)
    return None if cell is None else kinds.as_text(cell).strip()


def _unguarded(cell: Any) -> Any:
    """The cell as it was before a spreadsheet was kept from running it; None where it is empty."""
    if isinstance(cell, str):
        cell = restored(cell.strip())
    return None if cell == "" else cell


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


class AnySpelling(Formats):
    """How files spell values: nobody knows whose signs they use."""

    def parse_number(self, text: str) -> Decimal:
        """A decimal in any usual spelling: 1,234.50 · 1.234,50 · 1 234,5 · 1'234.5 · (12); raises ValueError."""
        if matched := BRACKETS.match(text):
            text = "-" + matched["amount"].strip()
        if not NUMBER.match(text):
            raise ValueError(text)
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
            raise ValueError(text) from None

    def parse_amount(self, text: str) -> Decimal:
        """An amount, whatever currency stands beside it."""
        named = NAMED.match(text) if currency_in(text) is not None else None
        return self.parse_number(named["amount"] if named else text)
