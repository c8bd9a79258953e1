"""Each moment is served once, whoever looks at it and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from comptoir.contributions import Job
from comptoir.db.engine import writing
from comptoir.jobs.clock import BEAT, CLAIMS_KEPT, CLOCK, LEASE, forget_old, release_lease, take_lease, tick
from comptoir.jobs.models import JobClaim, JobPause, Lease, QueuedWork
from comptoir.jobs.queue import claim, finish
from comptoir.schedules import Every

COUNT = Job("shop.count", print, Every(minutes=15))
START = datetime(2026, 3, 29, 0, 50, tzinfo=UTC)  # ten minutes before Europe changes its clocks


def look(engine: Engine, moment: datetime, holder: str = "ana") -> bool:
    token = take_lease(engine, CLOCK, holder, now=moment)
    return token is not None and tick(engine, COUNT, holder, token, UTC, now=moment)


def do_all(engine: Engine) -> int:
    done = 0
    while taken := claim(engine, "worker", 10, now=at(100_000)):
        with engine.begin() as connection:
            done += sum(finish(connection, work, now=at(100_000)) for work in taken)
    return done


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def known(engine: Engine) -> Engine:
    """A clock that has seen the job before."""
    look(engine, START)
    return engine


def test_a_job_that_is_new_waits_for_its_next_moment(engine: Engine) -> None:
    assert not look(engine, START)
    assert not look(engine, at(9))
    assert look(engine, at(10))


def test_a_moment_is_served_once_however_often_the_clock_looks(known: Engine) -> None:
    assert [look(known, at(minutes)) for minutes in (10, 10, 11, 24)] == [True, False, False, False]
    assert do_all(known) == 1


def test_all_that_was_missed_while_no_clock_ran_is_one_run(known: Engine) -> None:
    assert look(known, at(60 * 24 * 3))
    assert not look(known, at(60 * 24 * 3))
    assert do_all(known) == 1


def test_moments_during_a_run_that_goes_on_fall_away(known: Engine) -> None:
    look(known, at(10))
    (_running,) = claim(known, "worker", now=at(10))
    assert not look(known, at(25))
    with Session(known) as session:
        skipped = session.scalars(select(JobClaim.skipped).order_by(JobClaim.due)).all()
    assert skipped == [True, False, True]


def test_moments_of_a_paused_job_pass_without_a_trace_in_the_queue(known: Engine) -> None:
    with Session(known) as session, session.begin():
        session.add(JobPause(job="shop.count", paused_by="Ana", paused_at=START))
    assert not look(known, at(10))
    with Session(known) as session, session.begin():
        session.delete(session.get_one(JobPause, "shop.count"))
    assert not look(known, at(12))
    assert look(known, at(25))


def test_only_the_holder_of_the_lease_ticks_and_each_change_of_holder_counts(engine: Engine) -> None:
    def take(holder: str, seconds: float) -> int | None:
        moment = START + timedelta(seconds=seconds)
        return take_lease(engine, CLOCK, holder, timedelta(seconds=10), now=moment)

    assert [take("ana", 0), take("bob", 5), take("ana", 9), take("bob", 20), take("ana", 21)] == [1, None, 1, 2, None]


def test_a_clock_that_has_lost_its_lease_writes_nothing(known: Engine) -> None:
    token = take_lease(known, CLOCK, "ana", now=START)
    assert token is not None
    take_lease(known, CLOCK, "bob", now=at(30))
    assert not tick(known, COUNT, "ana", token, UTC, now=at(31))
    assert look(known, at(31), "bob")


def test_a_clock_that_stops_lets_the_next_one_take_over_at_once(engine: Engine) -> None:
    assert take_lease(engine, CLOCK, "ana", now=START) == 1
    release_lease(engine, CLOCK, "ana", now=at(1))
    assert take_lease(engine, CLOCK, "bob", now=at(1)) == 2


def test_a_clock_whose_process_dies_is_replaced_within_five_seconds(engine: Engine) -> None:
    take_lease(engine, CLOCK, "ana", now=START)  # and no beat follows
    beats = (START + number * BEAT for number in range(1, 10))
    taken = next(moment for moment in beats if take_lease(engine, CLOCK, "bob", now=moment) is not None)
    assert taken - START <= timedelta(seconds=5)
    assert timedelta(seconds=5) >= LEASE + BEAT


def test_a_clock_that_only_waits_for_the_lease_takes_no_lock(engine: Engine) -> None:
    take_lease(engine, CLOCK, "ana", now=START)
    with writing(engine):
        assert take_lease(engine, CLOCK, "bob", now=START) is None


def test_old_claims_are_forgotten_but_what_was_served_last_stays_known(known: Engine) -> None:
    for minutes in (10, 25, 40):
        look(known, at(minutes))
        do_all(known)
    forget_old(known, now=at(60) + CLAIMS_KEPT)
    with Session(known) as session:
        assert session.scalars(select(JobClaim.due)).all() == [at(40)]
    with Session(known) as session, session.begin():
        session.execute(update(Lease).values(until=START))
    assert not look(known, at(40))


def test_a_tick_and_its_work_are_one_transaction(known: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_arguments: object, **_options: object) -> int:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("comptoir.jobs.clock.enqueue_many", break_down)
        with pytest.raises(ZeroDivisionError):
            look(known, at(10))
    assert look(known, at(10))
    with Session(known) as session:
        assert session.scalars(select(QueuedWork.name)).all() == ["shop.count"]
