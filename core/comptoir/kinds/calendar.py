"""Kinds of time: days and moments, and the words that filters have for them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import Date
from sqlalchemy.types import TypeEngine

from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import _
from comptoir.kinds.cell import Cell
from comptoir.kinds.columns import UtcDateTime
from comptoir.kinds.kind import EQUALITY, ORDER, Field, Kind, Page, Reader, Refusal, Source, unreadable
from comptoir.texts import shown

TODAY = re.compile(r"today(?:([+-])(\d{1,5}))?\Z", re.ASCII)
SPAN = re.compile(r"(last|next)_(\d{1,4})_days\Z", re.ASCII)
PERIOD = re.compile(r"(last|this|next)_(week|month|quarter|year)\Z")
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
PERIODS = (
    *DAYS,
    *(f"{which}_{what}" for what in ("week", "month", "quarter", "year") for which in ("last", "this", "next")),
    "last_7_days",
    "last_30_days",
    "last_90_days",
    "next_7_days",
    "next_30_days",
)
"""What ``within`` takes, besides ``last_<n>_days`` (that end today) and ``next_<n>_days`` (that begin today) of any n."""

DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})\Z", re.ASCII)
SPELLINGS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y")
"""Two digits of a year mean 1969 to 2068."""
CLOCK = re.compile(
    r"(?P<day>\S+?)[ T,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\.\d+)? ?(?P<half>[ap]m)?\Z",
    re.IGNORECASE,
)


def is_period(text: str) -> bool:
    """Whether ``within`` takes this word."""
    match = SPAN.match(text)
    return text in PERIODS or PERIOD.match(text) is not None or (match is not None and int(match[2]) >= 1)


def day_of(reader: Reader, value: dt.date | str) -> dt.date:
    """The day that a value stands for, now and where the reader is."""
    if isinstance(value, str):
        match = TODAY.match(value)
        assert match is not None
        return reader.today() + dt.timedelta(days=int((match[1] or "+") + (match[2] or "0")))
    return value


def start_of(reader: Reader, day: dt.date) -> dt.datetime:
    """The moment at which a day begins where the reader is."""
    return dt.datetime.combine(day, dt.time(), reader.timezone).astimezone(dt.UTC)


def period_bounds(today: dt.date, word: str) -> tuple[dt.date, dt.date]:
    """The first day of a period and the first day after it."""
    if word in DAYS:
        first = today + dt.timedelta(days=DAYS[word])
        return first, first + dt.timedelta(days=1)
    span = SPAN.match(word)
    if span is not None:
        days = int(span[2])
        if span[1] == "last":
            return today - dt.timedelta(days=days - 1), today + dt.timedelta(days=1)
        return today, today + dt.timedelta(days=days)
    which, _sep, what = word.partition("_")
    offset = {"last": -1, "this": 0, "next": 1}[which]
    if what == "week":
        first = today - dt.timedelta(days=today.weekday()) + dt.timedelta(weeks=offset)
        return first, first + dt.timedelta(weeks=1)
    months = {"month": 1, "quarter": 3, "year": 12}[what]
    begin = (today.year * 12 + today.month - 1) // months * months + offset * months
    return _month(begin), _month(begin + months)


def _month(count: int) -> dt.date:
    return dt.date(count // 12, count % 12 + 1, 1)


def is_moment(value: object) -> bool:
    """Whether a value is a point in time that has a place in the calendar, in UTC too."""
    if not isinstance(value, dt.datetime) or value.utcoffset() is None:
        return False
    try:
        return value.astimezone(dt.UTC).year >= 1000
    except OverflowError:
        return False


def _read_day(field: Field, given: Any) -> dt.date:
    if isinstance(given, dt.datetime):
        return given.date()
    if isinstance(given, dt.date):
        return given
    text = str(given).strip()
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    if matched := CLOCK.match(text):
        text = matched["day"]
    for pattern in SPELLINGS:
        try:
            return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 — a calendar day has no zone
        except ValueError:
            continue
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise unreadable(field, given, _("a day such as 2026-11-22 or 22.11.2026")) from None


def _read_clock(text: str) -> dt.time:
    """The time of day behind a day, midnight where there is none; raises ValueError."""
    matched = CLOCK.match(text)
    if matched is None:
        return dt.time()
    hour, half = int(matched["hour"]), (matched["half"] or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return dt.time(hour, int(matched["minute"]), int(matched["second"] or 0))


class Calendar(Kind):
    """What falls on a day."""

    operators: ClassVar[tuple[str, ...]] = (*EQUALITY, *ORDER, "within")
    look = "moment"
    width = 3
    dated = newest_first = True

    def to_json(self, value: Any) -> str:
        """ISO 8601."""
        return str(value.isoformat())

    def comparable(self, value: Any) -> Any:
        """A time that lies far enough from both ends of the calendar to be counted from."""
        if isinstance(value, dt.date) and not 1000 <= value.year <= 9000:
            raise RuleViolation("core.out_of_range", _("The year lies between 1000 and 9000."))
        return value

    def from_code(self, field: Field, value: Any) -> Any:
        """A word is read as in an address."""
        return self.operand(field, value) if isinstance(value, str) else super().from_code(field, value)


class Day(Calendar):
    """A calendar day, without a time zone."""

    name = "date"
    python_type = dt.date
    input = "date"
    phone_roles: ClassVar[Mapping[str, int]] = {"detail": 0}

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """A day."""
        return Date()

    def read(self, field: Field, given: Any, source: Source) -> dt.date:
        """A day in ISO 8601 or as it is written in Europe."""
        return _read_day(field, given)

    def from_json(self, field: Field, given: Any) -> dt.date:
        """A day in ISO 8601."""
        if isinstance(given, str) and DAY.match(given):
            try:
                return dt.date.fromisoformat(given)
            except ValueError:
                pass
        raise RuleViolation("core.not_a_date", _("Give a day such as 2026-11-22."))

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A day with four digits to its year."""
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            return RuleViolation("core.not_a_date", _("Give a day such as 2026-11-22."))
        if not 1000 <= value.year <= 9999:
            return RuleViolation("core.date_range", _("The year lies between 1000 and 9999."))
        return None

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """ISO 8601."""
        return str(value.isoformat())

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """By name where it is near."""
        return Cell(page.formats.near_day(value), "moment", iso=value.isoformat())

    def operand(self, field: Field, text: str) -> dt.date | str:
        """A day, or ``today+7``."""
        if TODAY.match(text):
            return text
        try:
            day = dt.date.fromisoformat(text) if DAY.match(text) else None
        except ValueError:
            day = None
        if day is None:
            raise RuleViolation(
                "core.not_a_date", _("Give a day such as 2026-11-22, or today+7, not “{value}”.", value=shown(text))
            )
        found: dt.date = self.comparable(day)
        return found

    def accepts(self, value: Any) -> bool:
        """A day, and no moment."""
        return isinstance(value, dt.date) and not isinstance(value, dt.datetime)

    def compare(self, operator: str, value: Any, reader: Reader) -> tuple[str, list[Any]]:
        """Words become days."""
        if operator == "within":
            return "between", list(period_bounds(reader.today(), value))
        if operator == "in":
            return operator, [[day_of(reader, day) for day in value]]
        return operator, [day_of(reader, value)]

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A day."""
        return {"type": "string", "format": "date"}


class Moment(Calendar):
    """A point in time, kept in UTC and shown in the reader's zone."""

    name = "moment"
    python_type = dt.datetime
    operators: ClassVar[tuple[str, ...]] = ("eq", "ne", "is_null", *ORDER, "within")
    input = "moment"
    width = 4
    zoned = True
    phone_roles: ClassVar[Mapping[str, int]] = {"detail": 1}

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """Aware, in UTC."""
        return UtcDateTime()

    def read(self, field: Field, given: Any, source: Source) -> dt.datetime:
        """A moment with its offset, or as the clocks of its writer show it; a day means its beginning."""
        zone = source.formats.timezone
        found: dt.datetime
        if isinstance(given, dt.datetime):
            found = given
        elif isinstance(given, dt.date):
            found = dt.datetime.combine(given, dt.time())
        else:
            text = str(given).strip()
            try:
                found = dt.datetime.fromisoformat(text)
            except ValueError:
                try:
                    found = dt.datetime.combine(_read_day(field, text), _read_clock(text))
                except (RuleViolation, ValueError):
                    raise unreadable(field, given, _("a day and time such as 22.11.2026 14:30")) from None
        try:
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(dt.UTC)
        except OverflowError:
            raise unreadable(field, given, _("a day and time such as 22.11.2026 14:30")) from None

    def from_json(self, field: Field, given: Any) -> dt.datetime:
        """A moment in ISO 8601 with its offset from UTC."""
        if isinstance(given, str) and MOMENT.match(given):
            try:
                return dt.datetime.fromisoformat(given.upper().replace(",", ".")).astimezone(dt.UTC)
            except (ValueError, OverflowError):
                pass
        raise RuleViolation(
            "core.not_a_moment", _("Give a day and time with its offset, such as 2026-11-22T14:00:00+02:00.")
        )

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A moment with its zone."""
        if is_moment(value):
            return None
        return RuleViolation("core.not_a_moment", _("Give a day and time such as 2026-11-22T14:00+02:00."))

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """The reader's clock."""
        return formats.moment_input(value)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The reader's clock, the day by name where it is near."""
        return Cell(page.formats.moment(value), "moment", iso=value.isoformat())

    def operand(self, field: Field, text: str) -> dt.date | str:
        """A day, ``today+7``, ``now``, or a moment with its offset."""
        if TODAY.match(text) or text == "now":
            return text
        try:
            moment = dt.date.fromisoformat(text) if DAY.match(text) else dt.datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or (isinstance(moment, dt.datetime) and moment.utcoffset() is None):
            raise RuleViolation(
                "core.not_a_moment",
                _(
                    "Give a day such as 2026-11-22, or a moment with its offset such as 2026-11-22T14:00+02:00 "
                    "(+ is written %2B in an address), not “{value}”.",
                    value=shown(text),
                ),
            )
        found: dt.date = self.comparable(moment)
        return found

    def accepts(self, value: Any) -> bool:
        """A moment, or a day for all of its moments."""
        return isinstance(value, dt.date)

    def compare(self, operator: str, value: Any, reader: Reader) -> tuple[str, list[Any]]:
        """A day stands for all its moments where the reader is: after it means from the next day on."""
        if operator == "within":
            return "between", [start_of(reader, day) for day in period_bounds(reader.today(), value)]
        if value == "now":
            value = reader.now()
        if isinstance(value, dt.datetime):
            return operator, [value]
        day = day_of(reader, value)
        begin, end = start_of(reader, day), start_of(reader, day + dt.timedelta(days=1))
        if operator == "eq":
            return "between", [begin, end]
        first = begin if operator in ("gte", "lt") else end
        return {"gt": "gte", "lte": "lt"}.get(operator, operator), [first]

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A moment."""
        return {"type": "string", "format": "date-time"}
