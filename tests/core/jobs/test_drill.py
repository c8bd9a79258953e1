"""The drill: three workers that are killed, a service that is slow and lossy, loops, and a colleague who saves meanwhile."""

from __future__ import annotations

import http.server
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.drills import FIGURES, LONGER

from comptoir.db.unit_of_work import UnitOfWork
from comptoir.deployment import Deployment
from comptoir.jobs import inspect
from comptoir.jobs.models import DEAD, JobRun, QueuedWork
from comptoir.jobs.outbox import CHAIN_BUDGET, Deferred, enqueue_many
from comptoir.values import RecordRef

pytestmark = [pytest.mark.slow, pytest.mark.drill, pytest.mark.timeout(300 * LONGER)]

DEPLOYED = Path(__file__).parent / "deployed"
WORKERS, KILLS, WORKS, RECORDS, LOOPS = 3, 6 * LONGER, 60 * LONGER, 20, 2
LEASE_SECONDS = 1.0


class Service(http.server.ThreadingHTTPServer):
    """Accepts each key once; fails now and then, and now and then accepts without an answer that arrives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.door = threading.Lock()
        self.accepted: list[tuple[int, int]] = []
        self.keys: Counter[str] = Counter()


class Answering(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key, dice = self.headers["Idempotency-Key"], random.random()
        time.sleep(random.uniform(0.02, 0.3))
        fails = dice < 0.06
        with self.server.door:
            if not fails and not self.server.keys[key]:
                self.server.accepted.append((body["record"], body["number"]))
            self.server.keys[key] += not fails
        time.sleep(2.5 if dice > 0.97 else random.uniform(0.02, 0.1))
        if not fails and dice < 0.12:
            self.close_connection = True
            return  # accepted, and the answer is lost
        try:
            self.send_response(503 if fails else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # whoever asked was killed

    def log_message(self, *_arguments: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()
        thread.join()


@contextmanager
def saving(shop: Deployment) -> Iterator[list[float]]:
    """A colleague who saves all the time; how long each save took."""
    over, waits = threading.Event(), list[float]()

    def save_again_and_again() -> None:
        while not over.wait(0.015):
            began = time.monotonic()
            with UnitOfWork(shop.engine, write=True) as uow:
                uow.system.execute(update(JobRun).where(JobRun.id == 0).values(took_ms=1))
            waits.append(time.monotonic() - began)

    thread = threading.Thread(target=save_again_and_again)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def start_worker(shop: Deployment) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(DEPLOYED / "run_worker.py"), shop.settings.database_url, str(LEASE_SECONDS)],
        env={**os.environ, "PYTHONPATH": str(DEPLOYED)},
        stderr=subprocess.DEVNULL,
    )


def until(condition: Callable[[], bool], seconds: float) -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not end in time"
        pause.wait(0.1)


def leave(shop: Deployment, port: int) -> None:
    works = [
        Deferred(
            name="shop.push",
            args={"number": n, "record": n % RECORDS, "port": port, "echo": n < LOOPS},
            module="shop",
            record=RecordRef("shop.thing", n % RECORDS),
        )
        for n in range(WORKS - 4)
    ]
    works += [Deferred(name="shop.fill", args={"total": 40}, module="shop") for _work in range(4)]
    with shop.system_context("test") as ctx:
        inspect.pause(ctx, "shop.restock")  # each quarter of an hour it would fill shelves besides
    with UnitOfWork(shop.engine, write=True) as uow:
        enqueue_many(uow.system, works)


def count(shop: Deployment, statement: Any) -> int:
    with shop.engine.connect() as connection:
        return connection.scalar(statement) or 0


def test_nothing_is_lost_doubled_or_out_of_order_and_nobody_waits(
    shop: Deployment, record_property: Callable[[str, object], None]
) -> None:
    from jobs_deployment import labels

    waiting = select(func.count()).where(QueuedWork.state != DEAD, QueuedWork.queue == "outbox")
    kills = 0
    with serving() as service, saving(shop) as waits:
        leave(shop, service.server_port)
        workers = [start_worker(shop) for _worker in range(WORKERS)]
        try:

            def all_is_done() -> bool:
                nonlocal kills
                if kills < KILLS and len(service.accepted) > (kills + 1) * 6:
                    place = kills % WORKERS
                    workers[place].kill()
                    workers[place].wait()
                    workers[place] = start_worker(shop)
                    kills += 1
                return count(shop, waiting) == 0

            until(all_is_done, 200 * LONGER)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    effects = Counter(label for label in labels(shop) if label.startswith("pushed"))
    shelves = Counter(label for label in labels(shop) if label.startswith("filled"))
    order = defaultdict(list)
    for record, number in service.accepted:
        order[record].append(number)
    resumed = count(shop, select(func.count()).where(JobRun.error == "The worker stopped during this run."))
    record_property(
        FIGURES,
        f"{kills} kills, {resumed} works resumed, "
        f"{len(service.keys)} keys, {sum(service.keys.values())} acceptances, "
        f"{len(waits)} saves of a colleague, the longest took {max(waits):.3f} s",
    )
    assert kills == KILLS
    assert Counter(f"pushed {number}" for _record, number in service.accepted) == effects
    assert {number: effects[f"pushed {number}"] for number in range(WORKS - 4)} == {
        number: CHAIN_BUDGET if number < LOOPS else 1 for number in range(WORKS - 4)
    }
    assert shelves == Counter({f"filled {shelf}": 4 for shelf in range(1, 41)})
    for numbers in order.values():
        leftovers = [number for number in numbers if number >= LOOPS]
        assert leftovers == sorted(leftovers)
    with shop.engine.connect() as connection:
        reasons = connection.scalars(select(QueuedWork.error).where(QueuedWork.state == DEAD)).all()
    assert len(reasons) == LOOPS
    assert all("most likely a loop: shop.push → shop.push" in str(reason) for reason in reasons)
