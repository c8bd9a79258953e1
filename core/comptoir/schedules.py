"""When scheduled work is due: frozen values that plugins put into their jobs.

Clock times are those of the deployment's time zone. Where the clocks go forward over a time, the work runs once,
later by the gap; where they go back and a time comes twice, it runs once, at the first.
"""

from __future__ import annotations

import calendar
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Literal, Protocol

from comptoir.i18n import Text, _, ngettext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LONGEST_WAIT = 366 * 8 + 2
"""Days between two 29 February around a century without leap year: no pattern that ever falls waits longer."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ON_WEEKDAY: dict[Weekday, Text] = {
    "monday": _("Mondays {time}"),
    "tuesday": _("Tuesdays {time}"),
    "wednesday": _("Wednesdays {time}"),
    "thursday": _("Thursdays {time}"),
    "friday": _("Fridays {time}"),
    "saturday": _("Saturdays {time}"),
    "sunday": _("Sundays {time}"),
}


class Schedule(Protocol):
    """What the clock asks; `Every`, `Daily`, `Weekly`, `Monthly` and `Cron` answer."""

    def next_due(self, after: datetime, tz: tzinfo) -> datetime:
        """The first moment later than `after`, in UTC."""

    def last_due(self, until: datetime, tz: tzinfo) -> datetime:
        """The last moment not later than `until`, in UTC."""

    def describe(self) -> Text:
        """The schedule in a few words, to follow the name of the job."""


@dataclass(frozen=True, kw_only=True)
class Every:
    """At a fixed interval of elapsed time, counted from 1970, so that every clock counts alike."""

    seconds: int = 0
    minutes: int = 0
    hours: int = 0

    def __post_init__(self) -> None:
        if min(self.seconds, self.minutes, self.hours) < 0 or not self.interval:
            raise ValueError("Every needs an interval of at least one second, such as Every(minutes=15)")

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=self.seconds, minutes=self.minutes, hours=self.hours)

    def next_due(self, after: datetime, tz: tzinfo) -> datetime:
        return self.last_due(after, tz) + self.interval

    def last_due(self, until: datetime, tz: tzinfo) -> datetime:
        return _EPOCH + (until - _EPOCH) // self.interval * self.interval

    def describe(self) -> Text:
        total = int(self.interval.total_seconds())
        if total % 3600 == 0:
            hours = total // 3600
            return _("hourly") if hours == 1 else ngettext("every {count} h", "every {count} h", hours)
        if total % 60 == 0:
            minutes = total // 60
            return _("every minute") if minutes == 1 else ngettext("every {count} min", "every {count} min", minutes)
        return _("every second") if total == 1 else ngettext("every {count} s", "every {count} s", total)


class _OnCalendar(ABC):
    """Moments given as days and clock times of the deployment's time zone."""

    @abstractmethod
    def _falls_on(self, day: date) -> bool: ...

    @abstractmethod
    def _clock_times(self) -> tuple[time, ...]: ...

    def _keeps_pace(self) -> bool:
        """Whether it runs in every hour: then it goes on through an hour that comes twice, instead of standing still."""
        return False

    def next_due(self, after: datetime, tz: tzinfo) -> datetime:
        # A moment that a gap shifts may end on the day after its own: two days are looked at together.
        day = _local_day(after, tz) - 2 * _DAY
        for _step in range(_LONGEST_WAIT):
            if self._falls_on(day) and (later := [m for m in self._moments(day, tz) if m > after]):
                return min(later + [m for m in self._moments(day + _DAY, tz) if m > after])
            day += _DAY
        raise ValueError(f"{self!r} is never due")

    def last_due(self, until: datetime, tz: tzinfo) -> datetime:
        day = _local_day(until, tz) + 2 * _DAY
        for _step in range(_LONGEST_WAIT):
            if self._falls_on(day) and (earlier := [m for m in self._moments(day, tz) if m <= until]):
                return max(earlier + [m for m in self._moments(day - _DAY, tz) if m <= until])
            day -= _DAY
        raise ValueError(f"{self!r} is never due")

    def _moments(self, day: date, tz: tzinfo) -> Iterator[datetime]:
        if not self._falls_on(day):
            return
        for clock_time in self._clock_times():
            # Before a change the earlier offset holds: that is the first of two, and the shift over a gap.
            first = datetime.combine(day, clock_time.replace(fold=0), tz)
            yield first.astimezone(UTC)
            second = first.replace(fold=1)
            if self._keeps_pace() and (second.utcoffset() or timedelta()) < (first.utcoffset() or timedelta()):
                yield second.astimezone(UTC)


def _local_day(moment: datetime, tz: tzinfo) -> date:
    return moment.astimezone(tz).date()


def _shown(at: time) -> str:
    return at.strftime("%H:%M:%S" if at.second else "%H:%M")


def _check_clock_time(at: time) -> None:
    if at.tzinfo is not None:
        raise ValueError("a clock time has no time zone of its own: it is one of the deployment's")


@dataclass(frozen=True)
class Daily(_OnCalendar):
    """Once a day."""

    at: time

    def __post_init__(self) -> None:
        _check_clock_time(self.at)

    def _falls_on(self, day: date) -> bool:
        return True

    def _clock_times(self) -> tuple[time, ...]:
        return (self.at,)

    def describe(self) -> Text:
        return _("daily {time}", time=_shown(self.at))


@dataclass(frozen=True)
class Weekly(_OnCalendar):
    """Once a week: ``Weekly("sunday", time(4))``."""

    day: Weekday
    at: time

    def __post_init__(self) -> None:
        _check_clock_time(self.at)
        if self.day not in _WEEKDAYS:
            raise ValueError(f"{self.day!r} is no day; the days are {', '.join(_WEEKDAYS)}")

    def _falls_on(self, day: date) -> bool:
        return _WEEKDAYS[day.weekday()] == self.day

    def _clock_times(self) -> tuple[time, ...]:
        return (self.at,)

    def describe(self) -> Text:
        words = _ON_WEEKDAY[self.day]
        return words.format(time=_shown(self.at))


@dataclass(frozen=True)
class Monthly(_OnCalendar):
    """Once a month; in a month too short for `day` on its last day, so that 31 means the last of every month."""

    day: int
    at: time

    def __post_init__(self) -> None:
        _check_clock_time(self.at)
        if not 1 <= self.day <= 31:
            raise ValueError(f"a month has no day {self.day}; take 1 to 31")

    def _falls_on(self, day: date) -> bool:
        return day.day == min(self.day, calendar.monthrange(day.year, day.month)[1])

    def _clock_times(self) -> tuple[time, ...]:
        return (self.at,)

    def describe(self) -> Text:
        if self.day == 31:
            return _("last day of the month {time}", time=_shown(self.at))
        return _("day {day} of the month {time}", day=self.day, time=_shown(self.at))


@dataclass(frozen=True)
class Cron(_OnCalendar):
    """The five fields of crontab(5): minute, hour, day of the month, month, day of the week.

    Lists, ranges, steps and English names work; a day that both day fields restrict is due when either matches.
    """

    pattern: str

    def __post_init__(self) -> None:
        self._times  # noqa: B018 - a wrong minute or hour is refused here, not at the first tick
        longest = max(calendar.monthrange(2024, month)[1] for month in self._months)
        if self._weekdays is None and min(self._days) > longest:
            raise ValueError(f"cron pattern {self.pattern!r} is never due: none of its months has such a day")

    @cached_property
    def _fields(self) -> list[str]:
        fields = self.pattern.split()
        if len(fields) != 5:
            raise ValueError(f"cron pattern {self.pattern!r} has {len(fields)} fields; it takes five")
        return fields

    @cached_property
    def _times(self) -> tuple[time, ...]:
        minutes = _parse_field("minute", self._fields[0], 0, 59)
        return tuple(time(hour, minute) for hour in sorted(self._hours) for minute in sorted(minutes))

    @cached_property
    def _hours(self) -> frozenset[int]:
        return _parse_field("hour", self._fields[1], 0, 23)

    @cached_property
    def _days(self) -> frozenset[int]:
        return _parse_field("day of the month", self._fields[2], 1, 31)

    @cached_property
    def _months(self) -> frozenset[int]:
        return _parse_field("month", self._fields[3], 1, 12, tuple(calendar.month_abbr)[1:])

    @cached_property
    def _weekdays(self) -> frozenset[int] | None:
        """As `date.isoweekday` counts modulo 7, Sunday being 0; None for any."""
        if self._fields[4] == "*":
            return None
        names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
        return frozenset(n % 7 for n in _parse_field("day of the week", self._fields[4], 0, 7, names, first=0))

    def _falls_on(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        on_day = day.day in self._days
        if self._weekdays is None:
            return on_day
        on_weekday = day.isoweekday() % 7 in self._weekdays
        return on_weekday if self._fields[2] == "*" else on_day or on_weekday

    def _clock_times(self) -> tuple[time, ...]:
        return self._times

    def _keeps_pace(self) -> bool:
        return len(self._hours) == 24

    def describe(self) -> Text:
        return _("by the pattern {pattern}", pattern=self.pattern)


def _parse_field(
    name: str, text: str, low: int, high: int, names: tuple[str, ...] = (), *, first: int = 1
) -> frozenset[int]:
    numbers = {word.lower(): first + index for index, word in enumerate(names)}

    def number(word: str) -> int:
        value = numbers.get(word.lower())
        if value is None and word.isascii() and word.isdigit():
            value = int(word)
        if value is None or not low <= value <= high:
            raise ValueError(f"{text!r} is no {name} of a cron pattern; it goes from {low} to {high}")
        return value

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        start, dash, end = span.partition("-")
        if span == "*":
            begin, stop = low, high
        else:
            begin = number(start)
            stop = number(end) if dash else (high if slash else begin)
        if (slash and not (step.isascii() and step.isdigit() and int(step))) or stop < begin:
            raise ValueError(f"{part!r} is no {name} of a cron pattern")
        found.update(range(begin, stop + 1, int(step) if slash else 1))
    return frozenset(found)
