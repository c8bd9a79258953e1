"""One run: the effect and the end of the work in one transaction, its history around it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Engine, bindparam, delete, insert, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from comptoir.errors import ComptoirError
from comptoir.i18n import _
from comptoir.jobs.delivery import CORE_HANDLERS, FAILED_HOOK, announce_failure, implementers
from comptoir.jobs.models import DONE, FAILED, RUNNING, JobRun
from comptoir.jobs.outbox import SCHEDULED
from comptoir.jobs.queue import MAX_ATTEMPTS, Claimable, Recoverable, Work, fail, finish, gave_up, reason

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.jobs.host import Handler, Host, Registry

_log = logging.getLogger(__name__)
_LOG_LINES = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one piece of work; ``lost`` means that another worker has it by now."""

    work: Work
    state: Literal["done", "failed", "dead", "lost"]
    error: str | None = None


class _LeaseEnded(Exception):
    """Somebody else may do the work by now: nothing of it may be kept here."""


class _GivenUp(ComptoirError):
    """The worker died in every try before this one."""


def handlers(registry: Registry) -> Mapping[str, Handler]:
    """Who does deferred work, by its name."""
    return {**registry.handlers, **CORE_HANDLERS}


def claimable(registry: Registry) -> Claimable:
    """The work of enabled modules; what belongs to a paused or quarantined one waits for it."""
    return Claimable(modules=["core", *registry.plugins], jobs=list(registry.jobs), handlers=list(handlers(registry)))


def execute(host: Host, work: Work) -> Outcome:
    """Run the work and record the run; whatever it raises ends here."""
    registry = host.registry
    started = host.clock()
    clock = time.perf_counter()
    run = _begin(host.engine, work, started)

    def conclude(connection: Session | Connection, state: str, error: str | None = None) -> None:
        values = {
            "run": run,
            "ended_as": state,
            "reason": error,
            "ended_at": host.clock(),
            "took": round((time.perf_counter() - clock) * 1000),
            "lines": "\n".join(lines) or None,
        }
        connection.execute(_CONCLUDING, values, execution_options={"synchronize_session": False})

    with _captured() as lines:
        try:
            if work.attempt > MAX_ATTEMPTS:
                raise _GivenUp(gave_up(MAX_ATTEMPTS))
            with host.system_context(f"job {work.name}", write=True) as ctx:
                if not finish(ctx.bookkeeping("jobs"), work, now=host.clock()):
                    raise _LeaseEnded
                _effect(registry, work)(ctx)
                # Changes that wait for their flush count to the effect: what they raise must not follow a "done".
                ctx.session.flush()
                conclude(ctx.bookkeeping("jobs"), DONE)
        except _LeaseEnded:
            with host.engine.begin() as connection:
                connection.execute(delete(JobRun).where(JobRun.id == run))
            return Outcome(work, "lost")
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever a plugin raises is the run's result
            error = raised if isinstance(raised, Exception) else Recoverable(str(raised) or type(raised).__name__)
            text = reason(error)
            _log.error("%s failed, try %s: %s", work.name, work.attempt, text, exc_info=_unexpected(error))
        else:
            return Outcome(work, "done")
        try:
            with host.engine.begin() as connection:
                now = host.clock()
                dead = fail(connection, work, error, now=now)
                conclude(connection, FAILED, text)
                if work.name != FAILED_HOOK:  # a failure to tell of a failure would tell of itself for ever
                    plugins = implementers(registry.hooks, FAILED_HOOK)
                    announce_failure(connection, plugins, work.name, text, run, now=now)
        except SQLAlchemyError as unreachable:
            _log.error("%s stays held until its lease ends: %s", work.name, unreachable)
            dead = False
    return Outcome(work, "dead" if dead else "failed", text)


def _effect(registry: Registry, work: Work) -> Callable[[Context], Any]:
    if work.queue == SCHEDULED:
        return registry.jobs[work.name].function
    handler = handlers(registry)[work.name]
    return lambda ctx: handler(ctx, work.args)


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
    with engine.begin() as connection:
        if work.attempt > 1:
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
