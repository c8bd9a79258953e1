"""A job that does not come to an end is ended and named; one that waits outside Python is left, and the worker goes on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from comptoir.base.models import Task
from comptoir.deployment import Deployment
from comptoir.jobs import inspect
from comptoir.jobs.worker import Worker
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing import platform
from comptoir.testing.platform import Clock

BROKEN = Path(__file__).parent.parent.parent / "broken_plugins"


@pytest.fixture
def deployment(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    """A deployment with a module whose jobs do not come back; at the end they do."""
    sys.path.insert(0, str(BROKEN))
    blocks = Available("blocks", "comptoir_blocks.plugin", "1.0")
    settings = platform.test_settings(database_url, tmp_path, job_seconds=2)
    opened = Deployment(settings, clock=clock, discover=lambda: {**discover_plugins(), "blocks": blocks})
    initialise(opened)
    enable_modules(opened, ["blocks"])
    yield opened
    answer_at_last()
    opened.close()
    sys.path.remove(str(BROKEN))
    for name in [n for n in sys.modules if n.startswith("comptoir_blocks")]:
        del sys.modules[name]


def test_a_job_that_takes_too_long_is_ended_rolled_back_and_named(deployment: Deployment) -> None:
    outcome = run_now(deployment, Worker(deployment), "blocks.count")

    assert (outcome.state, outcome.error) == ("failed", "count_for_ever takes longer than 1.0 s")
    run, tasks = seen(deployment, "blocks.count")
    assert (run.state, run.error) == ("failed", "count_for_ever takes longer than 1.0 s")
    assert tasks == []


def test_a_job_that_waits_outside_python_is_left_rolled_back_and_named(deployment: Deployment) -> None:
    outcome = run_now(deployment, Worker(deployment), "blocks.fetch_tariff")

    assert (outcome.state, outcome.error) == ("failed", "ask_the_service takes longer than 2 s")
    run, tasks = seen(deployment, "blocks.fetch_tariff")
    assert (run.state, run.error) == ("failed", "ask_the_service takes longer than 2 s")
    assert tasks == []
    assert [thread.name for thread in left()] == ["work blocks.fetch_tariff"]


def test_a_worker_that_has_left_a_job_does_other_work(deployment: Deployment) -> None:
    worker = Worker(deployment)
    run_now(deployment, worker, "blocks.fetch_tariff")

    outcome = run_now(deployment, worker, other_job(deployment))

    assert outcome.state == "done"
    assert len(left()) == 1


def test_a_job_that_was_left_begins_again_once_its_thread_is_back(deployment: Deployment, clock: Clock) -> None:
    worker = Worker(deployment)
    run_now(deployment, worker, "blocks.fetch_tariff")
    clock.advance(minutes=2)
    assert worker.step() is None

    answer_at_last()

    outcome = worker.step()
    assert outcome is not None
    assert outcome.state == "done"
    _run, tasks = seen(deployment, "blocks.fetch_tariff")
    assert tasks == ["Look at the tariff"]


def run_now(deployment: Deployment, worker: Worker, name: str) -> Any:
    with deployment.system_context("test") as ctx:
        inspect.run_now(ctx, name)
    outcome = worker.step()
    assert outcome is not None
    assert outcome.work.name == name
    return outcome


def other_job(deployment: Deployment) -> str:
    return next(name for name in sorted(deployment.registry.jobs) if not name.startswith("blocks."))


def seen(deployment: Deployment, name: str) -> tuple[inspect.Run, list[str]]:
    with deployment.system_context("test") as ctx:
        return inspect.runs(ctx, job=name)[0], list(ctx.session.scalars(select(Task.title)))


def left() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("work ")]


def answer_at_last() -> None:
    """Let the service answer, and wait until the threads that asked are back."""
    plugin: Any = sys.modules["comptoir_blocks.plugin"]
    if plugin.service is not None:
        os.close(plugin.service)
        plugin.service = None
    for thread in left():
        thread.join(60)
