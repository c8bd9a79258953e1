"""Column types that keep exactly what they are given, the same on SQLite and PostgreSQL, or refuse it."""

import math
import operator
import unicodedata
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Numeric, func, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

MONEY_PLACES = 4
MONEY_LIMIT = Decimal(10) ** 14
"""Amounts are smaller than this in magnitude: eighteen digits, four of them after the point."""

_STEP = Decimal(1).scaleb(-MONEY_PLACES)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def _exact_amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
        raise ValueError(f"an amount is a Decimal or an int, not {type(value).__name__}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError(f"{amount} is not an amount")
    if abs(amount) >= MONEY_LIMIT:
        raise ValueError(f"an amount is smaller than {MONEY_LIMIT:,}")
    kept = amount.quantize(_STEP, context=_EXACT)
    if kept != amount:
        raise ValueError(f"an amount has at most {MONEY_PLACES} decimal places; round {amount} first")
    return kept


class MoneyType(TypeDecorator[Decimal]):
    """An exact amount with four places: NUMERIC(18,4), and on SQLite an integer of ten-thousandths.

    `func.sum`, `min` and `max` of such a column are exact Decimals on both engines; use `average` for the mean.
    """

    impl = Numeric(18, MONEY_PLACES)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(18, MONEY_PLACES))

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        if op in (
            operator.mul,
            operator.truediv,
            operator.floordiv,
        ):  # a factor is a plain number, not an amount
            return Integer() if isinstance(value, int) else Numeric()
        return self

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        amount = _exact_amount(value)
        return int(amount.scaleb(MONEY_PLACES, context=_EXACT)) if dialect.name == "sqlite" else amount

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        amount = Decimal(value)
        if dialect.name == "sqlite":
            amount = amount.scaleb(-MONEY_PLACES, context=_EXACT)
        return amount.quantize(_STEP, context=_EXACT)


def average(column: ColumnElement[Decimal]) -> ColumnElement[Decimal]:
    """The mean of a money column, rounded to four places."""
    return type_coerce(func.avg(column), MoneyType())


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: takes aware datetimes only, gives UTC; TIMESTAMPTZ, and on SQLite a text that sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise ValueError(f"a moment is a datetime with its time zone, not {value!r}")
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value!r} lies outside the calendar") from None
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value that both engines can keep: no NaN, no NUL, no lone surrogate; None is NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        _check_json(value)
        return value


def _check_json(value: object) -> None:
    kind = type(value)
    if value is None or kind is int or kind is bool:
        return
    if kind is str:
        check_text(value)  # type: ignore[arg-type]  # mypy does not narrow by `type(…) is`
        return
    match value:
        case None | bool() | int():
            pass
        case float():
            if not math.isfinite(value):
                raise ValueError(f"JSON has no {value}")
        case str():
            check_text(value)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"the keys of a JSON object are texts, not {key!r}")
                check_text(key)
                _check_json(item)
        case list() | tuple():
            for item in value:
                _check_json(item)
        case _:
            raise ValueError(f"JSON has no {type(value).__name__}")


def check_text(text: str) -> None:
    """Raises ValueError for a text that only one of the engines could keep."""
    if "\x00" in text:
        raise ValueError("a text contains no NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("a text contains no half of a surrogate pair") from None


# letters that Unicode does not take apart but people type without their stroke or hook
_PLAIN_LETTERS = str.maketrans(
    {
        "ı": "i",
        "ə": "e",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ø": "o",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ґ": "г",
        "\u2019": "'",
        "\u02bc": "'",
    }
)


class _Folded(dict[int, str]):
    """What each letter becomes, worked out when it is first met; no letter's folding depends on its neighbours."""

    def __missing__(self, code: int) -> str:
        text, previous = chr(code), ""
        while text != previous:
            previous = text
            decomposed = unicodedata.normalize("NFKD", text.casefold())
            letters = (" " if c.isspace() else c for c in decomposed if not unicodedata.combining(c))
            kept = "".join(c for c in letters if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
            text = kept.translate(_PLAIN_LETTERS)
        if len(self) < 20_000:
            self[code] = text
        return text


_FOLDED = _Folded()


def fold(text: str) -> str:
    """The key under which a text is searched: no case, no accents, plain letters, single blanks; folding twice changes nothing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    return " ".join(text.translate(_FOLDED).split())
