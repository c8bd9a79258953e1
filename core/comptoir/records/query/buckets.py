"""Days, weeks, months, quarters and years as SQL on both engines, and their ISO labels."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, DateTime, Integer, String, case, cast, func, literal, type_coerce

from comptoir.db.types import UtcDateTime

PARTS = ("day", "week", "month", "quarter", "year")
FIRST_YEAR, LAST_YEAR = 1980, 2060
"""Between these a moment falls into its local day with the clock changes of the zone; outside with the nearest one's."""


def bucket(column: ColumnElement[Any], part: str, dialect: str, zone: ZoneInfo | None) -> ColumnElement[Any]:
    """What to group by; `label` makes it readable.  Moments are told apart from days by the ``zone`` of their reader."""
    if dialect == "sqlite":
        return _sqlite(_local_text(column, zone) if zone is not None else type_coerce(column, String()), part)
    local = func.timezone(zone.key, column) if zone is not None else column
    if part == "day":
        return cast(local, Date)
    return type_coerce(func.date_trunc(part, cast(local, DateTime)), DateTime())


def label(value: Any, part: str) -> str | None:
    """``2017-03-09``, ``2017-W10``, ``2017-03``, ``2017-Q1`` or ``2017``."""
    if value is None or isinstance(value, str):
        return value
    day: dt.date = value
    match part:
        case "day":
            return day.strftime("%Y-%m-%d")
        case "week":
            year, week, _weekday = day.isocalendar()
            return f"{year:04}-W{week:02}"
        case "month":
            return f"{day.year:04}-{day.month:02}"
        case "quarter":
            return f"{day.year:04}-Q{(day.month + 2) // 3}"
        case _:
            return f"{day.year:04}"


def _sqlite(text: ColumnElement[Any], part: str) -> ColumnElement[Any]:
    match part:
        case "day":
            return func.substr(text, 1, 10, type_=String())
        case "month":
            return func.substr(text, 1, 7, type_=String())
        case "year":
            return func.substr(text, 1, 4, type_=String())
        case "quarter":
            quarter = (cast(func.substr(text, 6, 2), Integer) + 2).op("/", precedence=8)(literal(3, Integer()))
            return func.substr(text, 1, 4, type_=String()) + literal("-Q") + cast(quarter, String)
        case _:
            # the Thursday of a week lies in the year that the week belongs to
            thursday = func.date(text, "-3 days", "weekday 4", type_=String())
            day = cast(func.strftime("%j", thursday), Integer)
            week = func.substr(
                "0" + cast((day + 6).op("/", precedence=8)(literal(7, Integer())), String), -2, type_=String()
            )
            return func.substr(thursday, 1, 4, type_=String()) + literal("-W") + week


def _local_text(column: ColumnElement[Any], zone: ZoneInfo) -> ColumnElement[Any]:
    """The moment on the clocks of the zone; SQLite knows no zones, so their changes are spelled out as a search tree."""
    moments, offsets = _changes(zone.key)
    if len(offsets) == 1 and not offsets[0]:
        return type_coerce(column, String())

    def shifted(low: int, high: int) -> Any:
        if low == high:
            return f"{offsets[low]:+d} minutes"
        middle = (low + high + 1) // 2
        return case(
            (column < literal(moments[middle - 1], UtcDateTime()), shifted(low, middle - 1)),
            else_=shifted(middle, high),
        )

    return func.strftime("%Y-%m-%d", column, shifted(0, len(moments)), type_=String())


@lru_cache(maxsize=64)
def _changes(name: str) -> tuple[Sequence[dt.datetime], Sequence[int]]:
    """When the offset of a zone changes, and the offsets in minutes before, between and after."""
    zone = ZoneInfo(name)
    begin = dt.datetime(FIRST_YEAR, 1, 1, tzinfo=dt.UTC)
    quarters = int((dt.datetime(LAST_YEAR, 1, 1, tzinfo=dt.UTC) - begin).total_seconds()) // 900

    def offset(quarter: int) -> int:
        moment = begin + dt.timedelta(minutes=15 * quarter)
        return round((moment.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds() / 60)

    moments: list[dt.datetime] = []
    offsets = [offset(0)]
    week = 4 * 24 * 7
    for end in range(week, quarters + week, week):
        now = offset(end)
        if now != offsets[-1]:
            span = range(end - week, end)
            found = span[0] + bisect_left(span, 1, key=lambda quarter: int(offset(quarter) == now))
            moments.append(begin + dt.timedelta(minutes=15 * found))
            offsets.append(now)
    return moments, offsets
