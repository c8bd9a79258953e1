"""The queue: who takes which work, and what becomes of it.

Every transaction here begins with its write, so that SQLite never has to turn a reader into a writer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    CursorResult,
    Delete,
    Engine,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningUpdate

from comptoir.contributions import Backoff
from comptoir.db.engine import writing
from comptoir.db.types import UtcDateTime
from comptoir.errors import (
    ComptoirError,
    ConfigurationError,
    NotAllowed,
    NotFound,
    PluginError,
    RuleViolation,
    RuleViolations,
)
from comptoir.i18n import Text, _
from comptoir.jobs.models import DEAD, LEASED, READY, JobPause, QueuedWork
from comptoir.jobs.outbox import SCHEDULED

MOST_CRASHES = 5
"""Tries in a row that take their worker down before the work is given up."""
LEASE_SECONDS = 60.0
USUAL_BACKOFF = Backoff()


class GivenUp(ComptoirError):
    """The worker died in every try before this one."""


NOT_RECOVERABLE: tuple[type[Exception], ...] = (
    RuleViolation,
    RuleViolations,
    NotAllowed,
    NotFound,
    PluginError,
    ConfigurationError,
    TypeError,
    GivenUp,
)
"""What another try cannot change: the work is dead at once, with the reason."""


class Recoverable(ComptoirError):
    """Another try may do it, for instance when a server did not answer; `retry_after` says when to try at the earliest."""

    status = 503
    code = "core.recoverable"

    def __init__(self, message: Any, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Work:
    """Work that one worker holds until its lease ends; `fence` keeps an earlier holder off, `attempt` counts from one."""

    id: int
    queue: str
    name: str
    module: str
    args: dict[str, Any]
    attempt: int
    worker: str
    run_at: datetime
    priority: int
    fence: int
    crashes: int
    cause: list[str]


@dataclass(frozen=True, slots=True)
class Claimable:
    """What this process is able to do; all else waits for a process, or a time, that is."""

    modules: Collection[str]
    jobs: Collection[str]
    handlers: Collection[str]


def claim(
    engine: Engine,
    worker: str,
    n: int = 1,
    lease_seconds: float = LEASE_SECONDS,
    *,
    now: datetime,
    only: Claimable | None = None,
) -> list[Work]:
    """Take up to `n` due pieces of work that nobody holds, in their order; work of paused jobs stays."""
    values: dict[str, Any] = {
        "by": worker,
        "moment": now,
        "until": now + timedelta(seconds=lease_seconds),
        "most": n,
    }
    if only is not None:
        values |= {"modules": list(only.modules), "jobs": list(only.jobs), "handlers": list(only.handlers)}
    locking = engine.dialect.name == "postgresql"
    if not locking:  # on SQLite an idle worker must not take the one write lock to find out that it is idle
        with engine.connect() as reader:
            if reader.execute(_due(locking, only is not None), values).first() is None:
                return []
    with writing(engine) as connection:
        statement = _claiming(locking, only is not None)
        taken = connection.execute(statement, values).all()
    return sorted((Work(*row) for row in taken), key=lambda work: (work.priority, work.run_at, work.id))


# Built once, as building them takes longer than running them.
@cache
def _due(locking: bool, narrowed: bool) -> Select[int]:
    moment = bindparam("moment", type_=UtcDateTime())
    earlier = aliased(QueuedWork)
    before = select(earlier.id).where(
        earlier.ordered_by == QueuedWork.ordered_by,
        earlier.id < QueuedWork.id,
        earlier.state != literal(DEAD, literal_execute=True),
    )
    due = select(QueuedWork.id).where(
        QueuedWork.state != literal(DEAD, literal_execute=True),  # inline, for the partial index
        QueuedWork.run_at <= moment,
        or_(QueuedWork.state == READY, QueuedWork.leased_until <= moment),
        or_(QueuedWork.queue != SCHEDULED, QueuedWork.name.not_in(select(JobPause.job))),
        or_(QueuedWork.ordered_by.is_(None), ~before.exists()),
    )
    if narrowed:
        due = due.where(
            QueuedWork.module.in_(bindparam("modules", expanding=True)),
            or_(
                and_(QueuedWork.queue == SCHEDULED, QueuedWork.name.in_(bindparam("jobs", expanding=True))),
                and_(QueuedWork.queue != SCHEDULED, QueuedWork.name.in_(bindparam("handlers", expanding=True))),
            ),
        )
    due = due.order_by(QueuedWork.priority, QueuedWork.run_at, QueuedWork.id).limit(bindparam("most", type_=Integer()))
    return due.with_for_update(skip_locked=True, of=QueuedWork) if locking else due


@cache
def _claiming(locking: bool, narrowed: bool) -> ReturningUpdate[Any]:
    picked = _due(locking, narrowed).cte("picked")
    return (
        update(QueuedWork)
        .where(QueuedWork.id.in_(select(picked.c.id)))
        .values(
            state=LEASED,
            worker=bindparam("by"),
            attempts=QueuedWork.attempts + 1,
            fence=QueuedWork.fence + 1,
            crashes=case((QueuedWork.state == LEASED, QueuedWork.crashes + 1), else_=QueuedWork.crashes),
            key=case((QueuedWork.queue == SCHEDULED, QueuedWork.key)),
            leased_until=bindparam("until"),
        )
        .returning(
            QueuedWork.id,
            QueuedWork.queue,
            QueuedWork.name,
            QueuedWork.module,
            QueuedWork.args,
            QueuedWork.attempts,
            QueuedWork.worker,
            QueuedWork.run_at,
            QueuedWork.priority,
            QueuedWork.fence,
            QueuedWork.crashes,
            QueuedWork.cause,
        )
    )


def finish(session: Session | Connection, work: Work, *, now: datetime) -> bool:
    """Complete the work in the transaction of its effect, before the effect; False when the lease has ended meanwhile.

    The deleted row stays locked until that transaction ends, so nobody else takes the work however long it lasts.
    """
    held = {"work": work.id, "by": work.worker, "fence": work.fence, "moment": now}
    done = session.execute(_FINISHING, held, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


_FINISHING = delete(QueuedWork).where(
    QueuedWork.id == bindparam("work"),
    QueuedWork.state == LEASED,
    QueuedWork.worker == bindparam("by"),
    QueuedWork.fence == bindparam("fence"),
    QueuedWork.leased_until > bindparam("moment"),
)


def fail(
    session: Session | Connection, work: Work, error: Exception, *, now: datetime, backoff: Backoff = USUAL_BACKOFF
) -> bool:
    """Record a try that failed: the work waits for the next one, or is dead; True when it is dead.

    Does nothing when somebody else holds the work by now.
    """
    held = session.execute(select(QueuedWork.attempts, QueuedWork.failing_since).where(*_held(work))).first()
    if held is None:
        return False
    since = held.failing_since or now
    last = since + backoff.give_up
    dead = isinstance(error, NOT_RECOVERABLE) or now >= last
    values: dict[str, Any] = {
        "state": DEAD if dead else READY,
        "error": reason(error),
        "leased_until": None,
        "crashes": 0,
        "failing_since": since,
    }
    if dead and work.queue == SCHEDULED:
        values["key"] = None  # the next tick of the job may go on
    if not dead:
        pause = max(backoff.pause(held.attempts), getattr(error, "retry_after", None) or timedelta())
        values["run_at"] = max(min(now + pause, last), now)
    _count(session, update(QueuedWork).where(*_held(work)).values(values))
    return dead


def give_back(session: Session | Connection, work: Work) -> None:
    """Leave work that was taken to others; the try does not count."""
    given = {"state": READY, "leased_until": None, "worker": None, "attempts": QueuedWork.attempts - 1}
    _count(session, update(QueuedWork).where(*_held(work)).values(given))


def reason(error: BaseException) -> str:
    """One short line for a person; what a database or library adds in further lines stays in the server's log."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    if not isinstance(error, ComptoirError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 500 else f"{text[:499]}…"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Work that was given up; `replay` gives it its tries again."""

    id: int
    queue: str
    name: str
    module: str
    args: dict[str, Any]
    attempts: int
    error: str
    created_at: datetime


def dead_letters(
    session: Session | Connection, *, module: str | None = None, before: int | None = None, limit: int = 80
) -> list[DeadLetter]:
    """What was given up, the latest first; `before` is the id of the last one seen."""
    query = select(
        QueuedWork.id,
        QueuedWork.queue,
        QueuedWork.name,
        QueuedWork.module,
        QueuedWork.args,
        QueuedWork.attempts,
        QueuedWork.error,
        QueuedWork.created_at,
    ).where(QueuedWork.state == DEAD)
    if module is not None:
        query = query.where(QueuedWork.module == module)
    if before is not None:
        query = query.where(QueuedWork.id < before)
    return [DeadLetter(*row) for row in session.execute(query.order_by(QueuedWork.id.desc()).limit(limit))]


def replay(session: Session | Connection, ids: Sequence[int], *, now: datetime) -> int:
    """Let dead work be tried again from where it stood, with all its time; how many pieces that were."""
    dead = (QueuedWork.id.in_(ids), QueuedWork.state == DEAD)
    jobs = select(QueuedWork.id, QueuedWork.name).where(*dead, QueuedWork.queue == SCHEDULED).order_by(QueuedWork.id)
    latest = {name: number for number, name in session.execute(jobs)}
    keys = select(QueuedWork.key).where(QueuedWork.key.in_([run_key(name) for name in latest]))
    waits = set(session.execute(keys).scalars())
    # A job has one run at a time: its dead rows make room for the one that waits already, or for the latest of them.
    kept = [number for name, number in latest.items() if run_key(name) not in waits]
    given_up = delete(QueuedWork).where(*dead, QueuedWork.queue == SCHEDULED, QueuedWork.id.not_in(kept))
    merged = _count(session, given_up)
    revived = update(QueuedWork).where(*dead)
    values: dict[str, Any] = {
        "state": READY, "attempts": 0, "crashes": 0, "failing_since": None, "run_at": now, "worker": None, "cause": [],
        "key": case((QueuedWork.queue == SCHEDULED, literal(run_key("")) + QueuedWork.name)),
    }  # fmt: skip
    return merged + _count(session, revived.values(values))


def waiting(session: Session | Connection) -> dict[str, int]:
    """How much work waits or is held, by module."""
    query = select(QueuedWork.module, func.count()).where(QueuedWork.state != DEAD).group_by(QueuedWork.module)
    return dict(session.execute(query).all())


def run_key(job: str) -> str:
    """The key of a scheduled job's row: with it a job has one run at a time, and late ticks fall into one."""
    return f"job:{job}"


def gave_up(attempts: int) -> Text:
    """Why work is dead that takes its worker down each time."""
    return _("The worker stopped during each of {count} tries.", count=attempts)


def _held(work: Work) -> tuple[Any, ...]:
    return (
        QueuedWork.id == work.id,
        QueuedWork.state == LEASED,
        QueuedWork.worker == work.worker,
        QueuedWork.fence == work.fence,
    )


def _count(session: Session | Connection, statement: Update | Delete) -> int:
    # No object of the session stands for a row of the queue: nothing to bring up to date.
    done = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return done.rowcount
