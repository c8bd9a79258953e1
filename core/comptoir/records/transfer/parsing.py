"""Turn the cell of a table into a field's value, in the spellings that people use."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from comptoir import kinds
from comptoir.formats import Formats
from comptoir.kinds import Field, Source

NUMBER = re.compile(r"[+-]?[\d\s.,'\u00a0\u202f]+\Z")
EXCEL_GUARD = re.compile(r"'(?=[=+\-@\t\r])")


def parse_cell(declared: Field, cell: Any, source: Source) -> Any:
    """The value of a cell, None where it is empty; raises `RuleViolation` with the cure where it cannot be read."""
    cell = _unguarded(cell)
    return None if cell is None else declared.kind.read(declared, cell, source)


def as_text(cell: Any) -> str | None:
    """The text of a cell that names something, None where it is empty."""
    cell = _unguarded(cell)
    return None if cell is None else kinds.as_text(cell).strip()


def _unguarded(cell: Any) -> Any:
    """The cell without the apostrophe by which an export keeps a spreadsheet from running it; None where it is empty."""
    if isinstance(cell, str):
        cell = EXCEL_GUARD.sub("", cell.strip(), count=1)
    return None if cell == "" else cell


class AnySpelling(Formats):
    """How files spell values: nobody knows whose signs they use."""

    def parse_number(self, text: str) -> Decimal:
        """A decimal in any usual spelling: 1,234.50 · 1.234,50 · 1 234,5 · 1'234.5; raises ValueError."""
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
