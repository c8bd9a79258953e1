"""A run keeps its whole effect or none of it, and says what happened."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from comptoir.deployment import Deployment
from comptoir.errors import Conflict, NotAllowed, NotFound, PluginError
from comptoir.jobs import inspect
from comptoir.jobs.clock import CLOCK, raise_alarms, take_lease, tick
from comptoir.jobs.models import JobRun, QueuedWork
from comptoir.jobs.outbox import defer, deliver_later
from comptoir.jobs.queue import MOST_CRASHES, claim, dead_letters
from comptoir.jobs.runner import execute
from comptoir.jobs.worker import Worker, run_pending
from comptoir.registry.models import State
from comptoir.values import RecordRef


def labels(shop: Deployment) -> list[str]:
    from jobs_deployment import labels

    return labels(shop)


def set_state(shop: Deployment, module: str, state: State) -> None:
    from jobs_deployment import set_state

    set_state(shop, module, state)


def leave(shop: Deployment, name: str, **args: Any) -> None:
    with shop.system_context("test") as ctx:
        defer(ctx, name, args)


def run_now(shop: Deployment, name: str) -> None:
    with shop.system_context("test") as ctx:
        inspect.run_now(ctx, name)


def status(shop: Deployment, name: str) -> inspect.JobStatus:
    with shop.system_context("test", write=False) as ctx:
        return inspect.job(ctx, name)


def history(shop: Deployment, name: str) -> list[tuple[str, int, str | None]]:
    with shop.system_context("test", write=False) as ctx:
        return [(run.state, run.attempt, run.error) for run in inspect.runs(ctx, job=name)]


def beat(shop: Deployment) -> None:
    """A clock that is alive and has looked at every job."""
    token = take_lease(shop.engine, CLOCK, "test", now=shop.clock())
    assert token is not None
    for job in shop.registry.jobs.values():
        tick(shop.engine, job, "test", token, shop.timezone, now=shop.clock())


def move_clock(shop: Deployment, **by: float) -> None:
    moment = datetime.now(UTC) + timedelta(**by)
    shop.clock = lambda: moment


# -- deferred work --------------------------------------------------------------------------------------------------


def test_deferred_work_is_done_once_and_recorded(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=7)
    assert [outcome.state for outcome in run_pending(shop)] == ["done"]
    assert run_pending(shop) == []
    assert labels(shop) == ["told 7"]
    assert history(shop, "shop.tell") == [("done", 1, None)]


def test_deferring_work_that_nobody_does_is_refused_where_it_is_left(shop: Deployment) -> None:
    with pytest.raises(PluginError, match=r"shop.tell"):
        leave(shop, "shop.tel")


def test_a_hook_after_commit_reaches_the_plugin_that_implements_it(shop: Deployment) -> None:
    with shop.system_context("test") as ctx:
        deliver_later(ctx.bookkeeping("test"), "after_records_committed", "shop", [RecordRef("base.contact", 3)])
    run_pending(shop)
    assert labels(shop) == ["committed base.contact/3"]


def test_work_that_fails_leaves_no_effect_and_each_plugin_hears_of_it(shop: Deployment) -> None:
    leave(shop, "shop.stumble")
    assert [outcome.state for outcome in run_pending(shop)] == ["failed", "done"]
    assert labels(shop) == ["shop.stumble failed: OSError: no route"]
    assert history(shop, "shop.stumble") == [("failed", 1, "OSError: no route")]


def test_work_that_another_try_cannot_change_is_dead_at_once(shop: Deployment) -> None:
    leave(shop, "shop.stumble", how="rule")
    assert [outcome.state for outcome in run_pending(shop)] == ["dead", "done"]
    with Session(shop.engine) as session:
        assert [letter.error for letter in dead_letters(session)] == ["The shop is closed."]


def test_work_that_tries_to_end_the_process_fails_alone(shop: Deployment) -> None:
    leave(shop, "shop.stumble", how="exit")
    leave(shop, "shop.tell", number=1)
    run_pending(shop)
    assert "told 1" in labels(shop)
    assert history(shop, "shop.stumble") == [("failed", 1, "enough")]


def test_work_is_tried_again_when_its_pause_is_over(shop: Deployment) -> None:
    leave(shop, "shop.stumble", how="later")
    run_pending(shop)
    move_clock(shop, minutes=14)
    assert run_pending(shop) == []
    move_clock(shop, minutes=20)
    run_pending(shop)
    assert [attempt for _state, attempt, _error in history(shop, "shop.stumble")] == [2, 1]


def test_work_that_lost_its_lease_leaves_neither_effect_nor_run(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=1)
    (work,) = claim(shop.engine, "slow", lease_seconds=0, now=shop.clock())
    assert execute(shop, work).state == "lost"
    assert labels(shop) == []
    assert history(shop, "shop.tell") == []


def test_work_that_takes_its_worker_down_each_time_is_given_up(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=1)
    for _try in range(MOST_CRASHES):
        claim(shop.engine, "doomed", lease_seconds=0, now=shop.clock())
    assert run_pending(shop)[0].state == "dead"
    assert history(shop, "shop.tell")[0][2] == "The worker stopped during each of 5 tries."


def test_a_run_that_its_worker_did_not_survive_is_shown_as_failed(shop: Deployment) -> None:
    leave(shop, "shop.stumble", how="later")
    run_pending(shop)
    with Session(shop.engine) as session, session.begin():
        session.execute(update(JobRun).values(state="running", error=None))
    move_clock(shop, minutes=20)
    run_pending(shop)
    assert history(shop, "shop.stumble")[1] == ("failed", 1, "The worker stopped during this run.")


def test_work_of_a_paused_module_waits_until_it_is_resumed(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=1)
    set_state(shop, "shop", State.PAUSED)
    shop.refresh()
    assert run_pending(shop) == []
    set_state(shop, "shop", State.ENABLED)
    shop.refresh()
    run_pending(shop)
    assert labels(shop) == ["told 1"]


# -- scheduled jobs -------------------------------------------------------------------------------------------------


def test_a_job_runs_now_when_an_administrator_says_so(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    run_pending(shop)
    assert labels(shop) == ["counted"]


def test_what_a_job_logs_is_kept_with_its_run(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    run_pending(shop)
    with shop.system_context("test", write=False) as ctx:
        (run,) = inspect.runs(ctx, job="shop.count")
        assert inspect.run_log(ctx, run.id).endswith(" warning counting 3 shelves")
        with pytest.raises(NotFound):
            inspect.run_log(ctx, run.id + 1)


def test_a_job_that_runs_is_not_started_again(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    claim(shop.engine, "busy", now=shop.clock())
    with pytest.raises(Conflict, match="is running now"):
        run_now(shop, "shop.count")


def test_a_job_asked_for_twice_before_it_starts_runs_once(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    run_now(shop, "shop.count")
    run_pending(shop)
    assert labels(shop) == ["counted"]


def test_a_paused_job_neither_ticks_nor_runs_and_says_who_paused_it(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    with shop.system_context("Ana") as ctx:
        inspect.pause(ctx, "shop.count")
    assert run_pending(shop) == []
    paused = status(shop, "shop.count")
    assert (paused.state, str(paused.why), paused.next_due) == ("paused", "Paused by Ana.", None)
    with pytest.raises(Conflict, match="Resume it first"):
        run_now(shop, "shop.count")
    with shop.system_context("Ana") as ctx:
        inspect.resume(ctx, "shop.count")
    run_pending(shop)
    assert labels(shop) == ["counted"]


def test_a_job_that_does_not_exist_is_named(shop: Deployment) -> None:
    with pytest.raises(NotFound, match=r"shop\.coun "):
        run_now(shop, "shop.coun")


def test_only_administrators_see_and_steer_jobs(shop: Deployment) -> None:
    from comptoir.access.permissions import Actor

    with shop.context(Actor(7, "Bob"), write=False) as ctx, pytest.raises(NotAllowed):
        inspect.jobs(ctx)


# -- why a job did not run ------------------------------------------------------------------------------------------


def test_without_a_clock_every_job_is_late_and_says_how_to_start_one(shop: Deployment) -> None:
    late = status(shop, "shop.count")
    assert late.needs_attention
    assert "comptoir worker" in str(late.why)


def test_a_worker_in_a_long_run_counts_as_alive_where_it_cannot_beat(shop: Deployment) -> None:
    beat(shop)
    run_now(shop, "shop.count")
    run_pending(shop)
    with Session(shop.engine) as session, session.begin():
        session.execute(update(JobRun).values(state="running", finished_at=None, worker="test"))
    move_clock(shop, minutes=2)
    with Session(shop.engine) as session:
        alive = inspect.scheduler(session, now=shop.clock()).alive
    assert alive is (shop.engine.dialect.name == "sqlite")


def test_a_job_that_was_never_due_is_new_and_knows_its_next_moment(shop: Deployment) -> None:
    beat(shop)
    new = status(shop, "shop.count")
    assert (new.state, new.needs_attention) == ("new", False)
    assert new.next_due is not None
    assert timedelta(0) < new.next_due - shop.clock() <= timedelta(minutes=15)
    assert (str(new.title), str(new.schedule)) == ("Count the shelves", "every 15 min")


def test_a_job_that_went_well_says_so(shop: Deployment) -> None:
    beat(shop)
    run_now(shop, "shop.count")
    run_pending(shop)
    assert status(shop, "shop.count").state == "ok"


def test_a_job_that_runs_longer_than_its_period_hangs_and_is_told_once(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    run_pending(shop)
    with Session(shop.engine) as session, session.begin():
        session.execute(update(JobRun).values(state="running", finished_at=None))
    assert status(shop, "shop.count").state == "running"
    move_clock(shop, minutes=16)
    assert status(shop, "shop.count").state == "hanging"
    assert raise_alarms(shop, now=shop.clock()) == 1
    assert raise_alarms(shop, now=shop.clock()) == 0
    run_pending(shop)
    assert "longer than its period" in labels(shop)[-1]


def test_a_job_that_never_starts_is_late_and_told_once(shop: Deployment) -> None:
    run_now(shop, "shop.count")
    move_clock(shop, minutes=16)
    beat(shop)
    assert status(shop, "shop.count").state == "late"
    assert raise_alarms(shop, now=shop.clock()) == 1
    assert raise_alarms(shop, now=shop.clock()) == 0


def test_a_job_whose_last_try_failed_shows_the_reason_and_the_next_try(shop: Deployment) -> None:
    beat(shop)
    run_now(shop, "shop.count")
    with Session(shop.engine) as session, session.begin():
        soon = shop.clock() + timedelta(seconds=8)
        failing = {"attempts": 2, "error": "The ERP did not answer.", "failing_since": shop.clock(), "run_at": soon}
        session.execute(update(QueuedWork).values(failing))
    retrying = status(shop, "shop.count")
    assert (retrying.state, retrying.next_due) == ("retrying", soon)
    assert re.fullmatch(
        r"The ERP did not answer\. Failing since \d{4}-\d\d-\d\d \d\d:\d\d; the next try is number 3, at [\d:]{8}\.",
        str(retrying.why),
    )


def test_a_day_is_counted(shop: Deployment) -> None:
    leave(shop, "shop.tell", number=1)
    leave(shop, "shop.stumble", how="rule")
    run_pending(shop)
    with shop.system_context("test", write=False) as ctx:
        day = inspect.last_day(ctx)
    assert (day.runs, day.done, day.failed) == (3, 2, 1)


def test_a_worker_that_is_named_twice_alike_is_two_workers(shop: Deployment) -> None:
    assert Worker(shop).name != Worker(shop).name
