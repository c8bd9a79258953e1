"""Long and outside work is many short transactions: it can be watched, cancelled, killed and gone on with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from comptoir.contributions import DeferredWork, Job, Step, Steps
from comptoir.deployment import Deployment
from comptoir.errors import Conflict, NotFound
from comptoir.jobs import inspect, queued
from comptoir.jobs.outbox import CHAIN_BUDGET, Deferred, defer, enqueue_many
from comptoir.jobs.queue import claim
from comptoir.jobs.runner import execute
from comptoir.jobs.worker import run_pending
from comptoir.schedules import Every
from comptoir.values import RecordRef

Service = Callable[[Any, str], Any]


class Killed(BaseException):
    """Ends a worker on the spot, as a signal would."""


def labels(shop: Deployment) -> list[str]:
    from jobs_deployment import labels

    return [label for label in labels(shop) if "failed:" not in label]


def leave(shop: Deployment, name: str, **args: Any) -> None:
    with shop.system_context("test") as ctx:
        defer(ctx, name, args, record=RecordRef("shop.thing", args["record"]) if "record" in args else None)


def works(shop: Deployment) -> list[queued.WorkStatus]:
    with shop.system_context("test", write=False) as ctx:
        return queued.works(ctx)


def history(shop: Deployment, name: str) -> list[tuple[str, str | None]]:
    with shop.system_context("test", write=False) as ctx:
        return [(run.state, run.error) for run in inspect.runs(ctx, job=name)]


def cancel(shop: Deployment, number: int) -> str | None:
    with shop.system_context("Ana") as ctx:
        return queued.cancel(ctx, number)


def move_clock(shop: Deployment, **by: float) -> None:
    moment = shop.clock() + timedelta(**by)
    shop.clock = lambda: moment


@pytest.fixture
def serve(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[Service], list[tuple[Any, str]]]:
    """Put a service outside; what it was asked, and under which key, is in the list."""

    def start(answer: Service) -> list[tuple[Any, str]]:
        import comptoir_jobs_shop

        asked: list[tuple[Any, str]] = []

        def service(request: Any, key: str) -> Any:
            asked.append((request, key))
            return answer(request, key)

        monkeypatch.setattr(comptoir_jobs_shop, "service", service)
        return asked

    return start


@pytest.fixture(autouse=True)
def moment(shop: Deployment) -> datetime:
    """The moment at which the clock stands still, until it is moved."""
    begun = shop.clock()
    shop.clock = lambda: begun
    return begun


# -- calls ----------------------------------------------------------------------------------------------------------


def test_nothing_of_the_database_is_held_while_a_service_is_called(shop: Deployment, serve: Any) -> None:
    held: list[int] = []
    serve(lambda _request, _key: held.append(shop.engine.pool.checkedout()))  # type: ignore[attr-defined]
    leave(shop, "shop.push", number=1)
    assert [outcome.state for outcome in run_pending(shop)] == ["done"]
    assert (held, labels(shop)) == ([0], ["pushed 1"])


def test_a_call_that_failed_is_made_again_with_its_request_and_its_key(shop: Deployment, serve: Any) -> None:
    def stumble_once(_request: Any, _key: str) -> None:
        if len(asked) == 1:
            raise OSError("no route")

    asked = serve(stumble_once)
    leave(shop, "shop.push", number=1)
    run_pending(shop)
    move_clock(shop, seconds=5)
    run_pending(shop)
    assert labels(shop) == ["pushed 1"]
    assert len(asked) == 2
    assert asked[0] == asked[1]


def test_each_call_has_a_key_of_its_own(shop: Deployment, serve: Any) -> None:
    asked = serve(lambda request, _key: {"numbers": [request["after"] + 1, request["after"] + 2], "of": 4})
    leave(shop, "shop.sync")
    leave(shop, "shop.sync")
    run_pending(shop)
    assert [request["after"] for request, _key in asked] == [0, 2, 0, 2]
    assert len({key for _request, key in asked}) == 4


def test_a_step_with_nothing_to_ask_asks_nothing(shop: Deployment, serve: Any) -> None:
    asked = serve(lambda _request, _key: None)
    leave(shop, "shop.push", number=1, gone=True)
    assert [outcome.state for outcome in run_pending(shop)] == ["done"]
    assert (asked, works(shop)) == ([], [])


def test_work_whose_worker_was_killed_during_a_call_goes_on_with_the_same_key(shop: Deployment, serve: Any) -> None:
    def kill_once(_request: Any, _key: str) -> None:
        if len(asked) == 1:
            raise Killed

    asked = serve(kill_once)
    leave(shop, "shop.push", number=1)
    with pytest.raises(Killed):
        run_pending(shop)
    assert run_pending(shop) == []  # it is still held
    move_clock(shop, minutes=5)
    assert [outcome.state for outcome in run_pending(shop)] == ["done"]
    assert (asked[0], labels(shop)) == (asked[1], ["pushed 1"])
    assert history(shop, "shop.push") == [("done", None), ("failed", "The worker stopped during this run.")]


def test_a_conclusion_that_comes_too_late_is_refused(shop: Deployment, serve: Any) -> None:
    def be_overtaken(_request: Any, _key: str) -> None:
        if len(asked) == 1:
            move_clock(shop, minutes=5)
            assert [outcome.state for outcome in run_pending(shop)] == ["done"]

    asked = serve(be_overtaken)
    leave(shop, "shop.push", number=1)
    assert [outcome.state for outcome in run_pending(shop)] == ["lost"]
    assert labels(shop) == ["pushed 1"]


def test_a_conclusion_after_the_same_worker_took_the_work_again_is_refused(shop: Deployment, serve: Any) -> None:
    def be_taken_again(_request: Any, _key: str) -> None:
        move_clock(shop, minutes=5)
        assert [again.fence for again in claim(shop.engine, "ana", now=shop.clock())] == [2]

    serve(be_taken_again)
    leave(shop, "shop.push", number=1)
    (work,) = claim(shop.engine, "ana", now=shop.clock())
    assert execute(shop, work).state == "lost"
    assert labels(shop) == []


def test_a_conclusion_after_the_lease_has_ended_is_refused_and_the_call_made_again(
    shop: Deployment, serve: Any
) -> None:
    def outlast_the_lease(_request: Any, _key: str) -> None:
        if len(asked) == 1:
            move_clock(shop, minutes=5)

    asked = serve(outlast_the_lease)
    leave(shop, "shop.push", number=1)
    (work,) = claim(shop.engine, "ana", now=shop.clock())
    assert execute(shop, work).state == "lost"
    assert (labels(shop), works_state(shop)) == ([], "running")
    run_pending(shop)
    assert (asked[0], labels(shop)) == (asked[1], ["pushed 1"])


def works_state(shop: Deployment) -> str:
    (work,) = works(shop)
    return work.state


def test_a_call_may_take_as_long_as_its_limit_says(shop: Deployment, serve: Any) -> None:
    def dawdle(_request: Any, _key: str) -> None:
        move_clock(shop, seconds=61)  # more than a lease, less than a lease and the limit
        assert run_pending(shop) == []

    serve(dawdle)
    leave(shop, "shop.push", number=1)
    assert [outcome.state for outcome in run_pending(shop)] == ["done"]


def test_work_left_under_its_key_while_it_calls_is_done_afterwards(shop: Deployment, serve: Any) -> None:
    def leave_more(_request: Any, _key: str) -> None:
        if len(asked) == 1:
            with shop.system_context("test") as ctx:
                assert defer(ctx, "shop.push", {"number": 2}, key="order 7")
                assert not defer(ctx, "shop.push", {"number": 3}, key="order 7")

    asked = serve(leave_more)
    with shop.system_context("test") as ctx:
        defer(ctx, "shop.push", {"number": 1}, key="order 7")
    run_pending(shop)
    assert labels(shop) == ["pushed 1", "pushed 3"]


# -- parts ----------------------------------------------------------------------------------------------------------


def test_each_part_stands_when_a_later_one_fails_and_the_work_goes_on_from_there(
    shop: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comptoir_jobs_shop

    leave(shop, "shop.fill", total=4, locked=[3])
    run_pending(shop)
    assert labels(shop) == ["filled 1", "filled 2"]
    (work,) = works(shop)
    assert (work.state, work.progress, work.error) == ("retrying", "2 / 4", "OSError: shelf 3 is locked")
    monkeypatch.setattr(comptoir_jobs_shop, "doors", {"open"})
    move_clock(shop, minutes=1)
    run_pending(shop)
    assert labels(shop) == ["filled 1", "filled 2", "filled 3", "filled 4"]


def test_pages_of_another_system_are_fetched_from_where_the_last_ended(shop: Deployment, serve: Any) -> None:
    seen: list[str] = []

    def answer(request: Any, _key: str) -> Any:
        seen.extend(work.progress for work in works(shop))
        return {"numbers": [request["after"] + 1, request["after"] + 2], "of": 5}

    serve(answer)
    leave(shop, "shop.sync")
    run_pending(shop)
    assert labels(shop) == ["page [1, 2]", "page [3, 4]", "page [5, 6]"]
    assert seen == ["0", "2 / 5", "4 / 5"]


def test_work_is_handed_over_between_two_parts_when_its_worker_is_told_to_stop(shop: Deployment) -> None:
    stop = threading.Event()
    stop.set()
    leave(shop, "shop.fill", total=3)
    (work,) = claim(shop.engine, "ana", now=shop.clock())
    assert execute(shop, work, stop=stop).state == "handed over"
    assert (labels(shop), works(shop)[0].state) == (["filled 1"], "waiting")
    run_pending(shop)
    assert labels(shop) == ["filled 1", "filled 2", "filled 3"]
    assert [state for state, _error in history(shop, "shop.fill")] == ["done", "stopped"]


def test_a_scheduled_job_in_steps_has_one_run_at_a_time_and_is_replayed_from_where_it_stood(
    shop: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comptoir_jobs_shop

    with shop.system_context("test") as ctx:
        inspect.run_now(ctx, "shop.restock")
    (work,) = claim(shop.engine, "busy", now=shop.clock())
    with shop.system_context("test") as ctx, pytest.raises(Conflict, match="running now"):
        inspect.run_now(ctx, "shop.restock")
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE core_job SET args = '{\"locked\": [2]}'")
    assert execute(shop, work).state == "failed"
    move_clock(shop, minutes=11)
    assert [o.state for o in run_pending(shop) if o.work.name == "shop.restock"] == ["dead"]
    monkeypatch.setattr(comptoir_jobs_shop, "doors", {"open"})
    with shop.system_context("test") as ctx:
        queued.try_now(ctx, work.id)
    run_pending(shop)
    assert labels(shop) == ["filled 1", "filled 2", "filled 3"]


# -- watching and cancelling ----------------------------------------------------------------------------------------


def test_failing_work_says_since_when_and_when_it_is_tried_again(
    shop: Deployment, serve: Any, moment: datetime
) -> None:
    def fail(_request: Any, _key: str) -> None:
        raise OSError("no route")

    asked = serve(fail)
    leave(shop, "shop.push", number=1)
    run_pending(shop)
    move_clock(shop, seconds=10)
    run_pending(shop)
    (work,) = works(shop)
    assert (work.state, work.attempts, work.failing_since) == (
        "retrying",
        2,
        moment,
    )
    assert work.next_try is not None
    assert work.next_try > shop.clock()
    with shop.system_context("Ana") as ctx:
        queued.try_now(ctx, work.id)
    run_pending(shop)
    assert len(asked) == 3


def test_work_that_gets_on_has_all_its_time_again(shop: Deployment, serve: Any) -> None:
    def fail_on_the_way(_request: Any, _key: str) -> None:
        if len(asked) in {1, 3}:
            raise OSError("no route")

    asked = serve(fail_on_the_way)
    leave(shop, "shop.push_twice", number=1)
    run_pending(shop)
    move_clock(shop, seconds=50)
    run_pending(shop)
    (work,) = works(shop)
    assert (work.attempts, work.progress, work.failing_since) == (1, "1", shop.clock())


def test_work_is_dead_after_its_time_and_goes_on_when_it_is_replayed(shop: Deployment, serve: Any) -> None:
    def fail(_request: Any, _key: str) -> None:
        if len(asked) != 3:
            raise OSError("no route")

    asked = serve(fail)
    leave(shop, "shop.push", number=1)
    run_pending(shop)
    move_clock(shop, minutes=1)
    run_pending(shop)
    (work,) = works(shop)
    assert (work.state, work.error) == ("dead", "OSError: no route")
    with shop.system_context("Ana") as ctx:
        queued.try_now(ctx, work.id)
    run_pending(shop)
    assert labels(shop) == ["pushed 1"]
    assert len({key for _request, key in asked}) == 1


def test_running_work_is_cancelled_after_the_call_under_way_is_concluded(shop: Deployment, serve: Any) -> None:
    ended: list[Any] = []

    def be_cancelled(_request: Any, _key: str) -> None:
        (work,) = works(shop)
        ended.append(cancel(shop, work.id))
        ended.extend(work.state for work in works(shop))

    serve(be_cancelled)
    leave(shop, "shop.push_twice", number=1)
    assert [outcome.state for outcome in run_pending(shop)] == ["cancelled"]
    assert ended == ["ending", "ending"]
    assert (labels(shop), works(shop)) == (["pushed 1"], [])
    assert history(shop, "shop.push_twice") == [("stopped", "Cancelled by Ana after 1.")]


def test_failing_work_is_cancelled_at_once_and_its_open_call_is_named(shop: Deployment, serve: Any) -> None:
    def fail(_request: Any, _key: str) -> None:
        raise OSError("no route")

    serve(fail)
    leave(shop, "shop.push", number=1)
    run_pending(shop)
    assert cancel(shop, works(shop)[0].id) is None
    assert works(shop) == []
    (state, error), _failed = history(shop, "shop.push")
    assert state == "stopped"
    assert str(error).endswith("What it last asked of another system may have been done there.")


def test_what_runs_as_one_transaction_cannot_be_cancelled_and_says_so(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=1)
    (work,) = claim(shop.engine, "ana", now=shop.clock())
    with pytest.raises(Conflict, match="one short transaction"):
        cancel(shop, work.id)
    execute(shop, work)
    with pytest.raises(NotFound, match="any more"):
        cancel(shop, work.id)


def test_work_that_waits_for_other_work_about_its_record_says_for_which(shop: Deployment) -> None:
    leave(shop, "shop.push", number=1, record=3)
    leave(shop, "shop.push", number=2, record=3)
    later, first = works(shop)
    assert (first.behind, later.behind) == (None, first.id)


# -- loops ----------------------------------------------------------------------------------------------------------


def test_work_that_sets_itself_off_is_stopped_and_the_chain_is_named(shop: Deployment) -> None:
    leave(shop, "shop.echo")
    run_pending(shop)
    assert labels(shop) == [f"echo {length}" for length in range(1, CHAIN_BUDGET + 1)]
    (stopped,) = works(shop)
    assert stopped.state == "dead"
    assert "most likely a loop: shop.echo → shop.echo" in str(stopped.error)


def test_a_failure_that_is_told_belongs_to_the_chain_of_what_failed(shop: Deployment) -> None:
    from sqlalchemy import select

    from comptoir.jobs.models import QueuedWork

    leave(shop, "shop.stumble")
    (work,) = claim(shop.engine, "ana", now=shop.clock())
    execute(shop, work)
    with shop.system_context("test", write=False) as ctx:
        told = select(QueuedWork.cause).where(QueuedWork.name == "after_job_failed")
        assert ctx.bookkeeping("test").scalars(told).all() == [["shop.stumble"]]


def test_the_failure_of_the_last_in_a_long_chain_is_told_all_the_same(shop: Deployment) -> None:
    with shop.system_context("test") as ctx:
        work = Deferred(name="shop.stumble", args={}, module="shop")
        enqueue_many(ctx.bookkeeping("test"), [work], cause=["shop.echo"] * (CHAIN_BUDGET - 1))
    assert [outcome.state for outcome in run_pending(shop)] == ["failed", "done"]


# -- declaring ------------------------------------------------------------------------------------------------------


def test_work_is_declared_with_a_function_or_with_steps() -> None:
    with pytest.raises(ValueError, match=r"shop\.x needs either a function or steps"):
        DeferredWork("shop.x")
    with pytest.raises(ValueError, match=r"shop\.x needs either a function or steps"):
        Job("shop.x", print, Every(minutes=1), steps=Steps(Step(lambda _ctx, _progress: False)))
    with pytest.raises(ValueError, match=r"shop\.x needs a schedule"):
        Job("shop.x", print)
    with pytest.raises(ValueError, match="at least one"):
        Steps()
