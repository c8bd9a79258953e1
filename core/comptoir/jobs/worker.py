"""Workers: each drains the queue and beats the clock; any number may run."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from comptoir.jobs.clock import Clock
from comptoir.jobs.queue import Work, claim
from comptoir.jobs.runner import Outcome, claimable, execute

if TYPE_CHECKING:
    from comptoir.jobs.host import Host

_IDLE_SECONDS = 0.25
_REFRESH_SECONDS = 0.5
_AWAY_SECONDS = 2.0

_log = logging.getLogger(__name__)


class _Turn(threading.Thread):
    """One piece of work in a thread of its own, which is left behind where a plugin does not give it back."""

    def __init__(self, work: Work, run: Callable[..., Outcome]) -> None:
        super().__init__(name=f"work {work.name}", daemon=True)
        self.work = work
        self.is_left = False
        self._execute = run
        self._over = threading.Event()
        self._outcome: Outcome | BaseException | None = None

    def run(self) -> None:
        try:
            self._end(self._execute(on_stuck=self._leave))
        except BaseException as error:  # noqa: BLE001 - raised where the turn is waited for
            self._end(error)

    def _leave(self, outcome: Outcome) -> None:
        self.is_left = True
        self._end(outcome)

    def _end(self, outcome: Outcome | BaseException) -> None:
        if not self._over.is_set():
            self._outcome = outcome
            self._over.set()

    def outcome(self) -> Outcome:
        """What became of the work, once that is known."""
        self.start()
        self._over.wait()
        if isinstance(self._outcome, Outcome):
            return self._outcome
        assert self._outcome is not None
        raise self._outcome


class Worker:
    """Runs one piece of work at a time; more at a time are more workers."""

    def __init__(self, host: Host, *, name: str | None = None, lease_seconds: float = 60.0) -> None:
        self.name = name or f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(3)}"
        self._host = host
        self._lease_seconds = lease_seconds
        self._left: list[_Turn] = []

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; the work under way is finished first."""
        clock = Clock(self._host, self.name)
        clock.start()
        refreshed = 0.0
        try:
            while not stop.is_set():
                try:
                    if time.monotonic() - refreshed >= _REFRESH_SECONDS:
                        generation = self._host.registry.generation
                        self._host.refresh()
                        refreshed = time.monotonic()
                        if self._host.registry.generation != generation:
                            clock.look()
                    if self.step(stop) is None:
                        stop.wait(_IDLE_SECONDS)
                except SQLAlchemyError as error:
                    _log.warning("The database cannot be reached, trying again: %s", error)
                    stop.wait(_AWAY_SECONDS)
        finally:
            clock.stop()

    def step(self, stop: threading.Event | None = None) -> Outcome | None:
        """Take and run one piece of work; None when nothing is due. Work in steps is given back once `stop` is set."""
        self._left = [turn for turn in self._left if turn.is_alive()]
        taken = claim(
            self._host.engine,
            self.name,
            1,
            self._lease_seconds,
            now=self._host.clock(),
            only=claimable(self._host.registry, {turn.work.name for turn in self._left}),
        )
        if not taken:
            return None
        lease = timedelta(seconds=self._lease_seconds)
        turn = _Turn(taken[0], partial(execute, self._host, taken[0], lease=lease, stop=stop))
        outcome = turn.outcome()
        if turn.is_left:
            self._left.append(turn)
        return outcome


def run_worker(host: Host) -> None:
    """Work in this process until it is told to end (SIGTERM, SIGINT); a second signal does not wait."""
    stop = threading.Event()

    def end(number: int, _frame: object) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    Worker(host).run(stop)


def run_pending(host: Host) -> list[Outcome]:
    """Do all that is due now, and what follows from it; what failed waits for its next try."""
    worker = Worker(host)
    outcomes = []
    while (outcome := worker.step()) is not None:
        outcomes.append(outcome)
    return outcomes
