"""Column types that keep exactly what they are given, the same on SQLite and PostgreSQL, or refuse it."""

import math
import operator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, Numeric, String, func, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from comptoir.texts import check_text
from comptoir.values import RecordRef

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
                if type(item) is not str or not item.isascii() or "\x00" in item:
                    _check_json(item)
        case list() | tuple():
            for item in value:
                if type(item) is not str or not item.isascii() or "\x00" in item:
                    _check_json(item)
        case _:
            raise ValueError(f"JSON has no {type(value).__name__}")


class RecordRefType(TypeDecorator[RecordRef]):
    """Points at a record of any type, as the text ``sales.deal/7``: one index finds everything about one record."""

    impl = String(100)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, RecordRef):
            raise ValueError(f"a record is pointed at by a RecordRef, not by {value!r}")
        return str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> RecordRef | None:
        return None if value is None else RecordRef.parse(value)
