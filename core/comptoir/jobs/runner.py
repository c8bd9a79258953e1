"""One run: the effect and the end of the work in one transaction or in steps, its history around it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, bindparam, delete, insert, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from comptoir.access.permissions import system_actor
from comptoir.context import unrestricted
from comptoir.contributions import DeferredWork
from comptoir.db.engine import writing
from comptoir.edge import perform, trying_again
from comptoir.errors import ComptoirError
from comptoir.i18n import _
from comptoir.jobs.delivery import CORE_WORK, FAILED_HOOK, announce_failure, implementers, label
from comptoir.jobs.models import DONE, FAILED, RUNNING, STOPPED, JobRun
from comptoir.jobs.outbox import SCHEDULED
from comptoir.jobs.queue import (
    LEASE_SECONDS,
    MOST_CRASHES,
    Claimable,
    GivenUp,
    Recoverable,
    Work,
    fail,
    finish,
    gave_up,
    reason,
)
from comptoir.jobs.steps import Course, Ended, LeaseEnded
from comptoir.registry.deadlines import Overdue, limited

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.contributions import Job
    from comptoir.jobs.host import Host
    from comptoir.registry.registry import Registry

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOG_LINES = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one piece of work; ``lost`` means that another worker has it by now."""

    work: Work
    state: Literal["done", "failed", "dead", "lost", "cancelled", "handed over"]
    error: str | None = None


def deferred_work(registry: Any) -> Mapping[str, DeferredWork]:
    """What is done of deferred work, by its name."""
    return {**registry.deferred_work, **CORE_WORK}


def claimable(registry: Registry, stuck: Collection[str] = ()) -> Claimable:
    """The work of enabled modules but what is stuck here; what belongs to a paused or quarantined module waits for it."""
    return Claimable(
        modules=["core", *registry.plugins],
        jobs=[name for name in registry.jobs if name not in stuck],
        handlers=[name for name in deferred_work(registry) if name not in stuck],
    )


def execute(
    host: Host,
    work: Work,
    *,
    lease: timedelta = timedelta(seconds=LEASE_SECONDS),
    stop: threading.Event | None = None,
    on_stuck: Callable[[Outcome], None] = lambda _outcome: None,
) -> Outcome:
    """Run the work and record the run; whatever it raises ends here.

    Work in steps renews its `lease` with every turn, and between two of them is given back once `stop` is set. Where
    the work takes too long and cannot be ended, its run is recorded and `on_stuck` called in another thread.
    """
    registry = host.registry
    declared = registry.jobs[work.name] if work.queue == SCHEDULED else deferred_work(registry)[work.name]
    started = host.clock()
    clock = time.perf_counter()
    run = trying_again(lambda: _begin(host.engine, work, started))
    chain = (*work.cause, label(work.name, work.args))

    def record(connection: Session | Connection, state: str, error: str | None = None) -> None:
        values = {
            "run": run,
            "ended_as": state,
            "reason": error,
            "ended_at": host.clock(),
            "took": round((time.perf_counter() - clock) * 1000),
            "lines": "\n".join(lines) or None,
        }
        connection.execute(_CONCLUDING, values, execution_options={"synchronize_session": False})

    def transaction(part: Callable[[Context], T]) -> T:
        def within(ctx: Context) -> T:
            unrestricted(ctx, "jobs").info["cause"] = chain
            return part(ctx)

        who = system_actor(f"job {work.name}")
        return perform(host, who, within, registry=registry, language=host.settings.language)

    def whole(ctx: Context) -> Ended:
        if not finish(unrestricted(ctx, "jobs"), work, now=host.clock()):
            raise LeaseEnded
        assert declared.function is not None
        arguments = () if work.queue == SCHEDULED else (work.args,)
        declared.function(ctx, *arguments)
        # Changes that wait for their flush count to the effect: what they raise must not follow a "done".
        ctx.session.flush()
        record(unrestricted(ctx, "jobs"), DONE)
        return Ended("done")

    def conclude(ctx: Context, ended: Ended) -> None:
        record(
            unrestricted(ctx, "jobs"), DONE if ended.how == "done" else STOPPED, str(ended.why) if ended.why else None
        )

    def account(error: Exception, text: str) -> Outcome:
        def give() -> bool:
            with writing(host.engine) as connection:
                now = host.clock()
                dead = fail(connection, work, error, now=now, backoff=declared.backoff)
                record(connection, FAILED, text)
                if work.name != FAILED_HOOK:  # a failure to tell of a failure would tell of itself for ever
                    plugins = implementers(registry.hooks, FAILED_HOOK)
                    announce_failure(connection, plugins, work.name, text, run, now=now, cause=chain)
                return dead

        try:
            return Outcome(work, "dead" if trying_again(give) else "failed", text)
        except SQLAlchemyError as unreachable:
            _log.error("%s stays held until its lease ends: %s", work.name, unreachable)
            return Outcome(work, "failed", text)

    def leave(_plugin: str, why: str) -> None:
        on_stuck(account(Recoverable(why), why))

    with (
        _captured() as lines,
        limited(registry.plugins, _limit(host, declared), deployment=host, on_stuck=leave) as timed,
    ):
        try:
            if work.crashes >= MOST_CRASHES:
                raise GivenUp(gave_up(MOST_CRASHES))
            if declared.steps is None:
                ended = transaction(whole)
            else:
                stopping = stop.is_set if stop is not None else bool
                course = Course(
                    work, declared.steps, lease, transaction=transaction, conclude=conclude, stopping=stopping
                )
                ended = course.run()
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever a plugin raises is the run's result
            if timed.is_stuck:  # its run is recorded, and another one may be under way
                return Outcome(work, "lost")
            if isinstance(raised, LeaseEnded):
                with writing(host.engine) as connection:
                    connection.execute(delete(JobRun).where(JobRun.id == run))
                return Outcome(work, "lost")
            error = raised if isinstance(raised, Exception) else Recoverable(str(raised) or type(raised).__name__)
            if isinstance(raised, Overdue):
                error = Recoverable(str(timed.reason))
            text = reason(error)
            _log.error("%s failed, try %s: %s", work.name, work.attempt, text, exc_info=_unexpected(error))
        else:
            return Outcome(work, ended.how, str(ended.why) if ended.why else None)
        return account(error, text)


def _limit(host: Host, declared: Job | DeferredWork) -> float:
    """How many seconds the work may take, or each of its steps; a step may always take as long as it says."""
    limit = declared.limit.total_seconds() if declared.limit is not None else host.settings.job_seconds
    steps = declared.steps.steps if declared.steps is not None else ()
    return max([limit, *(step.limit.total_seconds() for step in steps)]) if limit else 0


def _begin(engine: Engine, work: Work, started: datetime) -> int:
    row = {
        "work_id": work.id,
        "queue": work.queue,
        "job": work.name,
        "module": work.module,
        "due": work.run_at,
        "started_at": started,
        "state": RUNNING,
        "attempt": work.attempt,
        "worker": work.worker,
    }
    with writing(engine) as connection:
        if work.fence > 1:
            # A run of the same work that is still "running" belongs to a worker that is no more.
            stopped = update(JobRun).where(JobRun.work_id == work.id, JobRun.state == RUNNING)
            error = str(_("The worker stopped during this run."))
            connection.execute(stopped.values(state=FAILED, finished_at=started, error=error))
        run: int = connection.execute(_BEGINNING, row).scalar_one()
        return run


# Built once, as building them takes longer than running them.
_BEGINNING = insert(JobRun).returning(JobRun.id)
_CONCLUDING = (
    update(JobRun)
    .where(JobRun.id == bindparam("run"))
    .values(
        state=bindparam("ended_as"),
        error=bindparam("reason"),
        finished_at=bindparam("ended_at"),
        took_ms=bindparam("took"),
        log=bindparam("lines"),
    )
)


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, ComptoirError) else error


class _RunLog(logging.Handler):
    """Keeps what one thread logs, without tracebacks: those are for the server's log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self.lines) < _LOG_LINES:
            moment = datetime.fromtimestamp(record.created, UTC)
            self.lines.append(f"{moment:%H:%M:%S} {record.levelname.lower()} {record.getMessage()[:500]}")


@contextmanager
def _captured() -> Iterator[list[str]]:
    handler = _RunLog()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.lines
    finally:
        logging.getLogger().removeHandler(handler)
