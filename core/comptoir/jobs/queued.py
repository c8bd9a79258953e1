"""What is in the queue now, as administrators see it, and what they can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.orm import aliased

from comptoir.context import unrestricted
from comptoir.errors import Conflict, NotFound
from comptoir.i18n import _
from comptoir.jobs.inspect import PERMISSION
from comptoir.jobs.models import DEAD, LEASED, READY, STOPPED, JobRun, QueuedWork
from comptoir.jobs.outbox import SCHEDULED
from comptoir.jobs.queue import replay
from comptoir.jobs.runner import deferred_work
from comptoir.jobs.steps import cancelled, far

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.contributions import DeferredWork, Job

WorkState = Literal["waiting", "running", "ending", "retrying", "dead"]


@dataclass(frozen=True, slots=True)
class WorkStatus:
    """One piece of work in the queue as it stands now."""

    id: int
    name: str
    module: str
    state: WorkState
    progress: str
    """How far work in steps has come, ``40 / 100``; empty for other work."""
    attempts: int
    failing_since: datetime | None
    next_try: datetime | None
    error: str | None
    created_at: datetime
    behind: int | None
    """The work about the same record that goes first."""
    has_steps: bool


def works(
    ctx: Context, *, state: WorkState | None = None, before: int | None = None, limit: int = 80
) -> list[WorkStatus]:
    """What is in the queue: first what fails, then what runs, then what waits, each the latest first.

    `before` is the id of the last one seen of one state.
    """
    ctx.require(PERMISSION)
    earlier = aliased(QueuedWork)
    ahead = (
        select(func.max(earlier.id))
        .where(earlier.ordered_by == QueuedWork.ordered_by, earlier.id < QueuedWork.id, earlier.state != DEAD)
        .scalar_subquery()
    )
    rank = case((QueuedWork.failing_since.is_not(None), 0), (QueuedWork.state == LEASED, 1), else_=2)
    query = select(QueuedWork, ahead).order_by(rank, QueuedWork.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_IN_STATE[state])
    if before is not None:
        query = query.where(QueuedWork.id < before)
    return [_work_status(ctx, row, behind) for row, behind in unrestricted(ctx, "jobs").execute(query)]


def work_counts(ctx: Context) -> dict[WorkState, int]:
    """How much work there is in each state."""
    ctx.require(PERMISSION)
    counts = select(*(func.count().filter(condition) for condition in _IN_STATE.values())).select_from(QueuedWork)
    return dict(zip(_IN_STATE, unrestricted(ctx, "jobs").execute(counts).one(), strict=True))


_IN_STATE: dict[WorkState, Any] = {
    "waiting": and_(QueuedWork.state == READY, QueuedWork.failing_since.is_(None)),
    "running": and_(QueuedWork.state == LEASED, QueuedWork.cancelled_by.is_(None)),
    "ending": and_(QueuedWork.state == LEASED, QueuedWork.cancelled_by.is_not(None)),
    "retrying": and_(QueuedWork.state == READY, QueuedWork.failing_since.is_not(None)),
    "dead": QueuedWork.state == DEAD,
}


def _work_status(ctx: Context, row: QueuedWork, behind: int | None) -> WorkStatus:
    state: WorkState
    if row.state == DEAD:
        state = "dead"
    elif row.state == LEASED:
        state = "running" if row.cancelled_by is None else "ending"
    else:
        state = "waiting" if row.failing_since is None else "retrying"
    has_steps = _has_steps(ctx, row)
    return WorkStatus(
        id=row.id,
        name=row.name,
        module=row.module,
        state=state,
        progress=far(row.done, row.total) if has_steps or row.done else "",
        attempts=row.attempts,
        failing_since=row.failing_since,
        next_try=row.run_at if row.state == READY else None,
        error=row.error,
        created_at=row.created_at,
        behind=behind,
        has_steps=has_steps,
    )


def _has_steps(ctx: Context, row: QueuedWork) -> bool:
    known: Mapping[str, Job | DeferredWork] = (
        ctx.registry.jobs if row.queue == SCHEDULED else deferred_work(ctx.registry)
    )
    found = known.get(row.name)
    return found is not None and found.steps is not None


def cancel(ctx: Context, work_id: int) -> WorkState | None:
    """End work: what waits, fails or was given up goes at once, what runs in steps before its next turn.

    The state that it has now, None when it is gone. Raises `Conflict` for what runs as one transaction.
    """
    ctx.require(PERMISSION)
    session, now = unrestricted(ctx, "jobs"), ctx.now()
    row = session.scalars(select(QueuedWork).where(QueuedWork.id == work_id).with_for_update(skip_locked=True)).first()
    if row is None:
        if session.scalar(select(QueuedWork.id).where(QueuedWork.id == work_id)) is None:
            raise NotFound(_("There is no work {number} any more: it is done, or was cancelled.", number=work_id))
        raise _runs_as_one(work_id)
    if row.state == LEASED and row.leased_until is not None and row.leased_until > now:
        if not _has_steps(ctx, row):
            raise _runs_as_one(work_id)
        row.cancelled_by = ctx.actor.name[:200]
        session.flush()
        return "ending"
    row.cancelled_by = ctx.actor.name
    session.add(
        JobRun(
            work_id=row.id, queue=row.queue, job=row.name, module=row.module, due=row.run_at, started_at=now,
            finished_at=now, state=STOPPED, attempt=row.attempts, error=str(cancelled(row))[:500], worker="",
        )
    )  # fmt: skip
    session.delete(row)
    session.flush()
    return None


def _runs_as_one(work_id: int) -> Conflict:
    return Conflict(_("Work {number} runs as one short transaction and ends by itself.", number=work_id))


def try_now(ctx: Context, work_id: int) -> None:
    """Let work that waits for its next try go at once; work that was given up has all its time again."""
    ctx.require(PERMISSION)
    session, now = unrestricted(ctx, "jobs"), ctx.now()
    hurried = update(QueuedWork).where(QueuedWork.id == work_id, QueuedWork.state == READY).values(run_at=now)
    found = session.execute(hurried.returning(QueuedWork.id), execution_options={"synchronize_session": False}).first()
    if found is None and not replay(session, [work_id], now=now):
        raise Conflict(_("Work {number} does not wait: it runs, is done, or was cancelled.", number=work_id))
