"""Workers as real processes: killed, stopped, several at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from comptoir.deployment import Deployment
from comptoir.jobs import inspect
from comptoir.jobs.models import JobClaim, JobRun, QueuedWork
from comptoir.jobs.outbox import Deferred, enqueue_many
from comptoir.jobs.worker import Worker
from comptoir.registry.models import State

pytestmark = pytest.mark.slow

DEPLOYED = Path(__file__).parent / "deployed"


def labels(shop: Deployment) -> list[str]:
    from jobs_deployment import labels

    return labels(shop)


def leave(shop: Deployment, name: str, *arguments: dict[str, Any]) -> None:
    with Session(shop.engine) as session, session.begin():
        enqueue_many(session, [Deferred(name=name, args=args, module="shop") for args in arguments])


def waiting(shop: Deployment) -> int:
    with Session(shop.engine) as session:
        return session.scalar(select(func.count()).select_from(QueuedWork)) or 0


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.05)


@contextmanager
def worker_process(shop: Deployment, *, lease_seconds: float = 60) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(DEPLOYED / "run_worker.py"), shop.settings.database_url, str(lease_seconds)],
        env={**os.environ, "PYTHONPATH": str(DEPLOYED)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker_here(shop: Deployment) -> Iterator[Worker]:
    stop = threading.Event()
    worker = Worker(shop)
    thread = threading.Thread(target=worker.run, args=[stop])
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def test_four_workers_of_which_one_is_killed_do_all_work_once(shop: Deployment, tmp_path: Path) -> None:
    mark = tmp_path / "fallen"
    leave(shop, "shop.tell", *({"number": n} for n in range(100)))
    leave(shop, "shop.fall", {"mark": str(mark)})
    leave(shop, "shop.tell", *({"number": n} for n in range(100, 200)))
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(shop, lease_seconds=2)) for _worker in range(4)]
        until(lambda: waiting(shop) == 0)
        assert sum(worker.poll() is not None for worker in workers) == 1
        for worker in workers:
            worker.terminate()
        codes = sorted(worker.wait(30) for worker in workers)
    assert codes == [-9, 0, 0, 0]
    done = Counter(label for label in labels(shop) if label.startswith(("told", "fell")))
    assert done == Counter([f"told {n}" for n in range(200)] + ["fell"])


def test_with_two_clocks_each_moment_runs_once_and_the_second_takes_over(shop: Deployment) -> None:
    def breaths() -> int:
        return labels(shop).count("breathed")

    with worker_process(shop) as first:
        until(lambda: breaths() >= 1)
        with worker_process(shop) as second:
            until(lambda: breaths() >= 3)
            first.terminate()
            assert first.wait(30) == 0
            before = breaths()
            until(lambda: breaths() >= before + 2)
            second.terminate()
            assert second.wait(30) == 0
    with Session(shop.engine) as session:
        served = select(JobClaim.due).where(JobClaim.job == "shop.breathe", JobClaim.skipped.is_(False))
        moments = session.scalars(served).all()
        runs = session.scalars(select(JobRun.due).where(JobRun.job == "shop.breathe")).all()
    # The last moment may have been enqueued when its worker was told to stop.
    assert sorted(moments)[: len(runs)] == sorted(runs)
    assert len(moments) - len(runs) <= 1
    assert breaths() == len(runs)


def test_a_worker_notices_that_a_module_is_paused_and_resumed(shop: Deployment) -> None:
    from jobs_deployment import set_state

    with worker_here(shop):
        until(lambda: "breathed" in labels(shop))
        set_state(shop, "shop", State.PAUSED)
        until(lambda: "shop" not in shop.registry.plugins)
        until(lambda: all(run.finished_at for run in session_runs(shop)))
        leave(shop, "shop.tell", {"number": 1})
        set_state(shop, "shop", State.ENABLED)
        until(lambda: "told 1" in labels(shop))


def session_runs(shop: Deployment) -> list[JobRun]:
    with Session(shop.engine) as session:
        return list(session.scalars(select(JobRun)))


def test_a_worker_shows_that_it_is_alive_and_that_it_has_gone(shop: Deployment) -> None:
    def scheduler() -> inspect.SchedulerStatus:
        with Session(shop.engine) as session:
            return inspect.scheduler(session, now=shop.clock())

    assert not scheduler().alive
    with worker_here(shop):
        until(lambda: scheduler().alive)
        assert scheduler().workers == 1
    gone = scheduler()
    assert (gone.alive, gone.workers) == (False, 0)
