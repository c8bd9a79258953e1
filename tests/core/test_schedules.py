"""When work is due, through every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comptoir.schedules import Cron, Daily, Every, Monthly, Schedule, Weekday, Weekly

BUCHAREST = ZoneInfo("Europe/Bucharest")
# Changes by an hour, by half an hour, at midnight, in the other half of the year, by a whole day, and none.
ZONES = [
    "Europe/Bucharest",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "UTC",
]


def local(text: str, zone: ZoneInfo = BUCHAREST, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def due(schedule: Schedule, after: datetime, count: int, zone: ZoneInfo = BUCHAREST) -> list[str]:
    found = []
    for _round in range(count):
        after = schedule.next_due(after, zone)
        found.append(after.astimezone(zone).isoformat(sep=" ", timespec="minutes"))
    return found


def test_a_clock_time_stays_the_same_when_the_clocks_change() -> None:
    assert due(Daily(time(6)), local("2026-03-28 00:00"), 2) == ["2026-03-28 06:00+02:00", "2026-03-29 06:00+03:00"]


def test_a_time_that_the_clocks_jump_over_runs_once_later_by_the_gap() -> None:
    assert due(Daily(time(3, 30)), local("2026-03-28 12:00"), 2) == ["2026-03-29 04:30+03:00", "2026-03-30 03:30+03:00"]


def test_a_time_that_comes_twice_runs_once_at_the_first() -> None:
    assert due(Daily(time(3, 30)), local("2026-10-24 12:00"), 2) == ["2026-10-25 03:30+03:00", "2026-10-26 03:30+02:00"]


def test_between_the_two_occurrences_of_a_time_the_next_is_tomorrow() -> None:
    between = local("2026-10-25 03:10", fold=1)
    assert due(Daily(time(3, 30)), between, 1) == ["2026-10-26 03:30+02:00"]


def test_work_of_every_hour_goes_on_through_an_hour_that_comes_twice() -> None:
    assert due(Cron("0,30 * * * *"), local("2026-10-25 02:45"), 5) == [
        "2026-10-25 03:00+03:00",
        "2026-10-25 03:30+03:00",
        "2026-10-25 03:00+02:00",
        "2026-10-25 03:30+02:00",
        "2026-10-25 04:00+02:00",
    ]


def test_an_interval_counts_elapsed_time_through_a_change() -> None:
    assert due(Every(hours=1), local("2026-03-29 01:30"), 3) == [
        "2026-03-29 02:00+02:00",
        "2026-03-29 04:00+03:00",
        "2026-03-29 05:00+03:00",
    ]


def test_a_midnight_that_does_not_exist_is_shifted_within_its_day() -> None:
    havana = ZoneInfo("America/Havana")
    assert due(Daily(time(0)), local("2026-03-07 12:00", havana), 1, havana) == ["2026-03-08 01:00-04:00"]


def test_a_day_that_a_country_skipped_adds_no_second_run() -> None:
    apia = ZoneInfo("Pacific/Apia")
    assert due(Daily(time(9)), local("2011-12-29 08:00", apia), 3, apia) == [
        "2011-12-29 09:00-10:00",
        "2011-12-31 09:00+14:00",
        "2012-01-01 09:00+14:00",
    ]


def test_a_month_too_short_for_the_day_runs_on_its_last() -> None:
    assert due(Monthly(31, time(2)), local("2026-01-31 12:00"), 3) == [
        "2026-02-28 02:00+02:00",
        "2026-03-31 02:00+03:00",
        "2026-04-30 02:00+03:00",
    ]


def test_a_week_has_one_sunday() -> None:
    assert due(Weekly("sunday", time(4)), local("2026-11-22 04:00"), 2) == [
        "2026-11-29 04:00+02:00",
        "2026-12-06 04:00+02:00",
    ]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("*/20 8-9 * * *", ["2026-11-23 08:00", "2026-11-23 08:20", "2026-11-23 08:40", "2026-11-23 09:00"]),
        ("0 6 * * mon-fri", ["2026-11-23 06:00", "2026-11-24 06:00", "2026-11-25 06:00", "2026-11-26 06:00"]),
        ("0 6 * * 7", ["2026-11-29 06:00", "2026-12-06 06:00", "2026-12-13 06:00", "2026-12-20 06:00"]),
        ("15 0 1 jan,jul *", ["2027-01-01 00:15", "2027-07-01 00:15", "2028-01-01 00:15", "2028-07-01 00:15"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00", "2040-02-29 00:00"]),
        ("0 5 1 * mon", ["2026-11-23 05:00", "2026-11-30 05:00", "2026-12-01 05:00", "2026-12-07 05:00"]),
    ],
)
def test_a_cron_pattern_reads_as_crontab_does(pattern: str, expected: list[str]) -> None:
    assert [moment[:16] for moment in due(Cron(pattern), local("2026-11-22 12:00"), 4)] == expected


@pytest.mark.parametrize(
    "pattern", ["* * * *", "60 * * * *", "* 24 * * *", "*/0 * * * *", "9-5 * * * *", "x * * * *", "0 0 30 2 *", ""]
)
def test_a_cron_pattern_that_can_never_be_due_is_refused_where_it_is_written(pattern: str) -> None:
    with pytest.raises(ValueError, match="cron pattern"):
        Cron(pattern)


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one second"):
        Every()


@pytest.mark.parametrize(
    "schedule, words",
    [
        (Every(minutes=15), "every 15 min"),
        (Every(minutes=1), "every minute"),
        (Every(minutes=60), "hourly"),
        (Every(hours=2), "every 2 h"),
        (Every(seconds=90), "every 90 s"),
        (Daily(time(6)), "daily 06:00"),
        (Weekly("sunday", time(4)), "Sundays 04:00"),
        (Monthly(1, time(5, 30)), "day 1 of the month 05:30"),
        (Monthly(31, time(5, 30)), "last day of the month 05:30"),
    ],
)
def test_a_schedule_says_itself_in_a_few_words(schedule: Schedule, words: str) -> None:
    assert str(schedule.describe()) == words


days: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
clock_times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
schedules = st.one_of(
    st.builds(lambda n: Every(seconds=n), st.integers(1, 200_000)),
    st.builds(Daily, clock_times),
    st.builds(Weekly, st.sampled_from(days), clock_times),
    st.builds(Monthly, st.integers(1, 31), clock_times),
    st.builds(
        lambda step, hour: Cron(f"*/{step} {hour} * * *"), st.integers(7, 59), st.sampled_from(["*", "2", "0,3"])
    ),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
first, last = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2010, 2035))
moments = st.datetimes(first, last, timezones=st.just(UTC))


@settings(deadline=None)
@given(schedules, moments, zones)
@example(Daily(time(2, 30)), datetime(2011, 12, 29, tzinfo=UTC), ZoneInfo("Pacific/Apia"))
def test_each_due_moment_is_later_and_both_directions_agree(
    schedule: Schedule, after: datetime, zone: ZoneInfo
) -> None:
    first = schedule.next_due(after, zone)
    second = schedule.next_due(first, zone)
    assert after < first < second
    assert schedule.next_due(first - timedelta(microseconds=1), zone) == first
    assert schedule.last_due(first, zone) == first
    assert schedule.last_due(second - timedelta(microseconds=1), zone) == first


@settings(deadline=None)
@given(clock_times, st.dates(date(2012, 1, 1), date(2034, 1, 1)), zones)
def test_every_day_has_its_one_run_at_its_time_or_just_after_the_gap(at: time, day: date, zone: ZoneInfo) -> None:
    wanted = datetime.combine(day, at, zone)
    moment = Daily(at).next_due(wanted.astimezone(UTC) - timedelta(microseconds=1), zone)
    shown = moment.astimezone(zone)
    exists = wanted.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wanted.replace(tzinfo=None)
    assert shown.date() == day
    assert shown.time() == at if exists else timedelta(0) < shown.replace(tzinfo=None) - wanted.replace(tzinfo=None)
