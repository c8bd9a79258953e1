"""Work is written with its cause, held by one worker at a time, tried again, and given up in the open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from comptoir.contributions import Backoff
from comptoir.db.engine import writing
from comptoir.errors import NotFound, RuleViolation
from comptoir.jobs.models import JobPause, QueuedWork
from comptoir.jobs.outbox import CHAIN_BUDGET, SCHEDULED, Deferred, deliver_later, enqueue, enqueue_many
from comptoir.jobs.queue import (
    Claimable,
    DeadLetter,
    Recoverable,
    Work,
    claim,
    dead_letters,
    fail,
    finish,
    give_back,
    replay,
    run_key,
    waiting,
)
from comptoir.values import RecordRef


def take(engine: Engine, worker: str, n: int = 1, *, now: datetime | None = None, **options: Any) -> list[Work]:
    return claim(engine, worker, n, now=now or later(), **options)


def leave(engine: Engine, *numbers: int, key: str | None = None, module: str = "shop", priority: int = 0) -> None:
    with Session(engine) as session, session.begin():
        for number in numbers:
            enqueue(session, "shop.tell", {"number": number}, module=module, key=key, priority=priority)


def numbers(taken: list[Work]) -> list[int]:
    return [work.args["number"] for work in taken]


def later(seconds: float = 0, minutes: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds, minutes=minutes)


def rows(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(QueuedWork)) or 0


# -- the outbox -----------------------------------------------------------------------------------------------------


def test_work_exists_when_its_cause_commits(engine: Engine) -> None:
    leave(engine, 1)
    assert numbers(take(engine, "ana")) == [1]


def test_work_goes_with_a_cause_that_rolls_back(engine: Engine) -> None:
    with Session(engine) as session:
        enqueue(session, "shop.tell", {"number": 1}, module="shop")
        session.rollback()
    assert rows(engine) == 0


def test_work_with_the_key_of_work_that_waits_gives_it_the_newer_arguments(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        first = enqueue(session, "shop.tell", {"number": 1}, module="shop", key="order 7")
        second = enqueue(session, "shop.tell", {"number": 2}, module="shop", key="order 7")
    assert (first, second, numbers(take(engine, "ana", 10))) == (True, False, [2])


def test_a_key_taken_by_another_transaction_does_not_break_this_one(engine: Engine) -> None:
    leave(engine, 1, key="order 7")
    leave(engine, 2, key="order 7")
    leave(engine, 3)
    assert numbers(take(engine, "ana", 10)) == [2, 3]


def test_work_that_joins_waiting_work_may_hurry_it_and_never_delays_it(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number, minutes in enumerate((30, 5, 60)):
            enqueue(session, "shop.tell", {"number": number}, module="shop", key="k", run_at=later(minutes=minutes))
    assert numbers(take(engine, "ana", now=later(minutes=6))) == [2]


def test_work_left_while_its_key_is_at_work_is_done_after_it(engine: Engine) -> None:
    leave(engine, 1, key="order 7")
    (begun,) = take(engine, "ana")
    leave(engine, 2, key="order 7")
    assert take(engine, "bob") == []
    with engine.begin() as connection:
        assert finish(connection, begun, now=later())
    assert numbers(take(engine, "bob")) == [2]


def test_work_left_while_its_key_is_being_retried_is_not_swallowed(engine: Engine) -> None:
    leave(engine, 1, key="order 7")
    fail_once(engine, OSError("no route"))
    leave(engine, 2, key="order 7")
    leave(engine, 3, key="order 7")
    (again,) = take(engine, "ana", now=later(minutes=1))
    with engine.begin() as connection:
        finish(connection, again, now=later())
    assert (numbers([again]), numbers(take(engine, "ana"))) == ([1], [3])


# -- order and causes -----------------------------------------------------------------------------------------------


def test_work_about_one_record_is_done_in_its_order_and_holds_nobody_else_up(engine: Engine) -> None:
    contact = RecordRef("base.contact", 3)
    with Session(engine) as session, session.begin():
        for number, record in enumerate((contact, contact, RecordRef("base.contact", 4), None)):
            enqueue(session, "shop.tell", {"number": number}, module="shop", record=record)
        enqueue(session, "erp.tell", {"number": 9}, module="erp", record=contact)
    assert numbers(take(engine, "ana", 10)) == [0, 2, 3, 9]


def test_work_that_is_tried_again_holds_its_record_and_dead_work_does_not(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number in range(2):
            enqueue(session, "shop.tell", {"number": number}, module="shop", record=RecordRef("base.contact", 3))
    fail_once(engine, OSError("no route"))
    assert take(engine, "ana") == []
    fail_once(engine, TypeError("x"), later(minutes=1))
    assert numbers(take(engine, "ana")) == [1]


def test_a_chain_of_work_that_sets_itself_off_is_stopped_with_its_cause(engine: Engine) -> None:
    chain = ["erp.push", "after_records_committed (erp)"] * (CHAIN_BUDGET // 2)
    with Session(engine) as session, session.begin():
        enqueue_many(session, [Deferred(name="erp.push", args={}, module="erp")], cause=chain[:-1])
        enqueue_many(session, [Deferred(name="erp.push", args={}, module="erp", key="k")], cause=chain)
    (letter,) = take_dead(engine)
    assert len(take(engine, "ana", 10)) == 1
    assert "10 pieces of work in a row" in letter.error
    assert letter.error.endswith("erp.push → after_records_committed (erp)")


def take_dead(engine: Engine) -> list[DeadLetter]:
    with Session(engine) as session:
        return dead_letters(session)


def test_a_batch_says_how_many_were_new(engine: Engine) -> None:
    works = [Deferred(name="shop.tell", args={"number": n}, module="shop", key=f"k{n % 700}") for n in range(1_400)]
    with Session(engine) as session, session.begin():
        assert enqueue_many(session, works) == 700
        assert enqueue_many(session, []) == 0


def test_a_hook_about_many_records_becomes_calls_of_bounded_size(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        deliver_later(
            session, "after_records_committed", "sales/1", [RecordRef("base.contact", n) for n in range(5_001)]
        )
    taken = take(engine, "ana", 10)
    assert [len(work.args["refs"]) for work in taken] == [5_000, 1]
    assert {work.module for work in taken} == {"sales"}


# -- holding --------------------------------------------------------------------------------------------------------


def test_two_workers_never_hold_the_same_work(engine: Engine) -> None:
    leave(engine, *range(5))
    assert numbers(take(engine, "ana", 3)) == [0, 1, 2]
    assert numbers(take(engine, "bob", 3)) == [3, 4]


def test_a_worker_that_finds_nothing_takes_no_lock(engine: Engine) -> None:
    with writing(engine):
        assert take(engine, "ana") == []


def test_urgent_work_goes_first_then_the_oldest(engine: Engine) -> None:
    leave(engine, 1, 2)
    leave(engine, 3, priority=-1)
    assert numbers(take(engine, "ana", 3)) == [3, 1, 2]


def test_work_for_later_waits_for_its_moment(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        enqueue(session, "shop.tell", {"number": 1}, module="shop", run_at=later(minutes=5))
    assert take(engine, "ana") == []
    assert numbers(take(engine, "ana", now=later(minutes=6))) == [1]


def test_the_effect_and_the_end_of_the_work_are_one_transaction(engine: Engine) -> None:
    leave(engine, 1)
    (work,) = take(engine, "ana")
    with engine.connect() as connection:
        assert finish(connection, work, now=later())
        connection.rollback()
    assert rows(engine) == 1
    with engine.begin() as connection:
        assert finish(connection, work, now=later())
    assert rows(engine) == 0


def test_a_worker_whose_lease_has_ended_cannot_complete(engine: Engine) -> None:
    leave(engine, 1)
    (work,) = take(engine, "ana", lease_seconds=5)
    with engine.begin() as connection:
        assert not finish(connection, work, now=later(seconds=6))


def test_work_whose_lease_has_ended_goes_to_the_next_worker_alone(engine: Engine) -> None:
    leave(engine, 1)
    (before,) = take(engine, "ana", lease_seconds=5)
    (after,) = take(engine, "ana", now=later(seconds=6))  # even the same worker is another holder
    with engine.begin() as connection:
        assert not finish(connection, before, now=later())
        assert finish(connection, after, now=later())


def test_work_given_back_keeps_its_tries(engine: Engine) -> None:
    leave(engine, 1)
    (work,) = take(engine, "ana")
    with engine.begin() as connection:
        give_back(connection, work)
    assert [again.attempt for again in take(engine, "bob")] == [1]


def test_work_of_a_module_that_is_off_waits_and_is_done_after_its_return(engine: Engine) -> None:
    leave(engine, 1, module="shop")
    paused = Claimable(modules=["base"], jobs=[], handlers=["shop.tell"])
    assert take(engine, "ana", only=paused) == []
    with Session(engine) as session:
        assert waiting(session) == {"shop": 1}
    resumed = Claimable(modules=["base", "shop"], jobs=[], handlers=["shop.tell"])
    assert numbers(take(engine, "ana", only=resumed)) == [1]


def test_a_paused_job_stays_in_the_queue_until_it_is_resumed(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        enqueue_many(session, [Deferred(name="shop.count", args={}, module="shop")], queue=SCHEDULED)
        session.add(JobPause(job="shop.count", paused_by="Ana", paused_at=later()))
    assert take(engine, "ana") == []
    with Session(engine) as session, session.begin():
        session.delete(session.get_one(JobPause, "shop.count"))
    assert [work.name for work in take(engine, "ana")] == ["shop.count"]


# -- failing --------------------------------------------------------------------------------------------------------


def fail_once(engine: Engine, error: Exception, now: datetime | None = None) -> bool:
    (work,) = take(engine, "ana", now=now)
    with engine.begin() as connection:
        return fail(connection, work, error, now=now or later())


def test_work_that_failed_waits_twice_as_long_each_time() -> None:
    backoff = Backoff(timedelta(seconds=5), timedelta(hours=1))
    for attempt in range(1, 5):
        first = 5 * 2 ** (attempt - 1)
        assert first <= backoff.pause(attempt).total_seconds() <= first * 1.25
    assert timedelta(hours=1) <= backoff.pause(400) <= timedelta(hours=1) * 1.25


def test_work_that_failed_is_not_due_before_its_pause_ends(engine: Engine) -> None:
    leave(engine, 1)
    assert not fail_once(engine, OSError("no route"))
    assert take(engine, "ana") == []
    assert [work.attempt for work in take(engine, "ana", now=later(seconds=7))] == [2]


def test_an_error_may_say_when_to_try_again(engine: Engine) -> None:
    leave(engine, 1)
    fail_once(engine, Recoverable("The ERP did not answer within 30 s", retry_after=timedelta(minutes=15)))
    assert take(engine, "ana", now=later(minutes=14)) == []
    assert len(take(engine, "ana", now=later(minutes=16))) == 1


def test_work_is_tried_for_two_days_and_then_given_up_with_the_reason(engine: Engine) -> None:
    leave(engine, 1)
    moment, tries = later(), 0
    began = moment
    while not fail_once(engine, OSError("no route\nto host"), moment):
        tries += 1
        with Session(engine) as session:
            row = session.scalars(select(QueuedWork)).one()
            assert row.failing_since == began
            moment = row.run_at
    assert moment - began == timedelta(hours=48)
    assert 50 < tries < 62  # doubling to an hour takes ten
    assert take(engine, "ana", now=later(minutes=60 * 24 * 30)) == []
    (letter,) = take_dead(engine)
    assert (letter.args, letter.error) == ({"number": 1}, "OSError: no route")


@pytest.mark.parametrize(
    "error", [RuleViolation("shop.closed", "The shop is closed."), NotFound("gone"), TypeError("x")]
)
def test_what_another_try_cannot_change_is_given_up_at_once(engine: Engine, error: Exception) -> None:
    leave(engine, 1)
    assert fail_once(engine, error)


def test_replayed_work_has_all_its_tries_again(engine: Engine) -> None:
    leave(engine, 1, 2)
    fail_once(engine, TypeError("x"))
    fail_once(engine, TypeError("x"))
    with Session(engine) as session, session.begin():
        assert replay(session, [dead_letters(session)[0].id], now=later()) == 1
        assert len(dead_letters(session)) == 1
    (again,) = take(engine, "ana", 10)
    assert (again.args["number"], again.attempt) == (2, 1)


def test_a_job_that_was_given_up_leaves_room_for_its_next_moment_and_replays_into_it(engine: Engine) -> None:
    tick = Deferred(name="shop.count", args={}, module="shop", key=run_key("shop.count"))
    with engine.begin() as connection:
        assert enqueue_many(connection, [tick], queue=SCHEDULED) == 1
    fail_once(engine, TypeError("x"))
    with engine.begin() as connection:
        assert enqueue_many(connection, [tick], queue=SCHEDULED) == 1
    with Session(engine) as session, session.begin():
        assert replay(session, [letter.id for letter in dead_letters(session)], now=later()) == 1
    assert rows(engine) == 1


def test_who_has_lost_the_work_records_no_failure_for_the_next_holder(engine: Engine) -> None:
    leave(engine, 1)
    (before,) = take(engine, "ana", lease_seconds=5)
    (after,) = take(engine, "bob", now=later(seconds=6))
    with engine.begin() as connection:
        fail(connection, before, TypeError("x"), now=later())
        assert finish(connection, after, now=later())
