"""What administrators see of scheduled and deferred work, and what they can do about it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from comptoir.context import unrestricted
from comptoir.errors import Conflict, NotFound
from comptoir.i18n import Text, _
from comptoir.jobs.clock import CLOCK, LEASE, SILENCE, WORKER, overdue_from
from comptoir.jobs.models import (
    DEAD,
    DONE,
    FAILED,
    LEASED,
    READY,
    RUNNING,
    JobClaim,
    JobPause,
    JobRun,
    Lease,
    QueuedWork,
)
from comptoir.jobs.outbox import SCHEDULED, Deferred, enqueue_many, insert_unless_there
from comptoir.jobs.queue import run_key
from comptoir.jobs.steps import far

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.contributions import Job

PERMISSION = "core.admin"
SHOWN_RUNS = 20
LONGEST_SILENCE = timedelta(minutes=10)

State = Literal["new", "ok", "running", "hanging", "retrying", "failing", "late", "paused"]


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the history."""

    id: int
    job: str
    module: str
    due: datetime
    started_at: datetime
    finished_at: datetime | None
    state: str
    took_ms: int | None
    attempt: int
    error: str | None
    worker: str
    done: int | None = None
    """How far work in steps has come that is under way."""
    total: int | None = None


_RUN = (
    JobRun.id,
    JobRun.job,
    JobRun.module,
    JobRun.due,
    JobRun.started_at,
    JobRun.finished_at,
    JobRun.state,
    JobRun.took_ms,
    JobRun.attempt,
    JobRun.error,
    JobRun.worker,
)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A scheduled job as it stands now."""

    name: str
    title: Text
    module: str
    schedule: Text
    state: State
    why: Text
    """One sentence: why it runs, waits, or did not run."""
    progress: str
    """How far work in steps has come, ``40 / 100``; empty for other work."""
    failing_since: datetime | None
    runs: tuple[Run, ...]
    """The last ones, the latest first."""
    next_due: datetime | None
    """The next moment or the next try; None while paused."""
    paused_by: str | None
    paused_at: datetime | None

    @property
    def last_run(self) -> Run | None:
        return self.runs[0] if self.runs else None

    @property
    def needs_attention(self) -> bool:
        return self.state in {"hanging", "retrying", "failing", "late"}


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """Whether anything beats: without a worker nothing is due."""

    alive: bool
    last_beat: datetime | None
    workers: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """The runs of the last 24 hours."""

    runs: int
    done: int
    failed: int


def jobs(ctx: Context) -> list[JobStatus]:
    """Every scheduled job of the enabled modules, by module and name."""
    ctx.require(PERMISSION)
    return [status for _name, status in sorted(_statuses(ctx).items(), key=lambda item: (item[1].module, item[0]))]


def job(ctx: Context, name: str) -> JobStatus:
    """One scheduled job."""
    ctx.require(PERMISSION)
    _declared(ctx, name)
    return _statuses(ctx)[name]


def runs(
    ctx: Context,
    *,
    job: str | None = None,
    module: str | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 80,
) -> list[Run]:
    """The history, the latest first; `before` is the id of the last run seen."""
    ctx.require(PERMISSION)
    steps = (QueuedWork.id == JobRun.work_id) & (JobRun.state == RUNNING) & (QueuedWork.done > 0)
    query = select(*_RUN, QueuedWork.done, QueuedWork.total).outerjoin(QueuedWork, steps)
    for column, value in ((JobRun.job, job), (JobRun.module, module), (JobRun.state, state)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(JobRun.id < before)
    return [Run(*row) for row in unrestricted(ctx, "jobs").execute(query.order_by(JobRun.id.desc()).limit(limit))]


def run_log(ctx: Context, run_id: int) -> str:
    """What was logged during a run; raises `NotFound` for one that is not kept any more."""
    ctx.require(PERMISSION)
    row = unrestricted(ctx, "jobs").execute(select(JobRun.log).where(JobRun.id == run_id)).first()
    if row is None:
        raise NotFound(_("Run {number} is not kept any more.", number=run_id))
    return row.log or ""


def last_day(ctx: Context) -> DayCount:
    """How the last 24 hours went."""
    ctx.require(PERMISSION)
    since = ctx.now() - timedelta(days=1)
    query = select(JobRun.state, func.count()).where(JobRun.started_at >= since).group_by(JobRun.state)
    counts = dict(unrestricted(ctx, "jobs").execute(query).all())
    return DayCount(sum(counts.values()), counts.get(DONE, 0), counts.get(FAILED, 0))


def scheduler(session: Session, *, now: datetime) -> SchedulerStatus:
    """Whether a clock beats and how many workers there are; for the jobs page and the readiness check."""
    leases = {row.name: row for row in session.execute(select(Lease.name, Lease.holder, Lease.until))}
    clock = leases.get(CLOCK)
    return SchedulerStatus(
        alive=clock is not None
        and (clock.until - LEASE + SILENCE > now or _holds_the_database(session, clock.holder, now)),
        last_beat=None if clock is None else clock.until - LEASE,
        workers=sum(name.startswith(WORKER) and lease.until > now for name, lease in leases.items()),
    )


def _holds_the_database(session: Session, worker: str, now: datetime) -> bool:
    """Whether the worker runs something on SQLite, where nobody, its own clock included, can write meanwhile."""
    if session.get_bind().dialect.name != "sqlite":
        return False
    recent = JobRun.started_at > now - LONGEST_SILENCE
    running = select(JobRun.id).where(JobRun.state == RUNNING, JobRun.worker == worker, recent)
    return session.execute(running.limit(1)).first() is not None


def pause(ctx: Context, name: str) -> None:
    """Let a job rest: its moments pass, and work of it that waits goes on waiting."""
    ctx.require(PERMISSION)
    _declared(ctx, name)
    row = {"job": name, "paused_by": ctx.actor.name[:200], "paused_at": ctx.now()}
    insert_unless_there(unrestricted(ctx, "jobs"), JobPause.__table__, [row], "job")


def resume(ctx: Context, name: str) -> None:
    """Let a paused job go on with its next moment."""
    ctx.require(PERMISSION)
    _declared(ctx, name)
    unrestricted(ctx, "jobs").execute(delete(JobPause).where(JobPause.job == name))


def run_now(ctx: Context, name: str) -> None:
    """Put a job first in the queue; a try that waits for its pause to end goes at once. Raises `Conflict` while it runs."""
    ctx.require(PERMISSION)
    declared = _declared(ctx, name)
    session, now = unrestricted(ctx, "jobs"), ctx.now()
    if session.execute(select(JobPause.job).where(JobPause.job == name)).first():
        raise Conflict(_("{name} is paused. Resume it first.", name=name), code="core.job_paused")
    row = Deferred(name=name, args={}, module=declared.module, key=run_key(name), run_at=now, priority=-1)
    if enqueue_many(session, [row], queue=SCHEDULED, now=now):
        return
    hurried = (
        update(QueuedWork)
        .where(QueuedWork.key == run_key(name), QueuedWork.state == READY)
        .values(run_at=now, priority=-1)
        .returning(QueuedWork.id)
    )
    if session.execute(hurried, execution_options={"synchronize_session": False}).first() is None:
        raise Conflict(_("{name} is running now. Its next run can start when this one has ended.", name=name))


def _declared(ctx: Context, name: str) -> Job:
    found: Job | None = ctx.registry.jobs.get(name)
    if found is None:
        known = ", ".join(sorted(ctx.registry.jobs))
        raise NotFound(_("There is no job {name} in the enabled modules. They have: {known}", name=name, known=known))
    return found


def _statuses(ctx: Context) -> dict[str, JobStatus]:
    session, now = unrestricted(ctx, "jobs"), ctx.now()
    tz = ctx.settings.timezone
    history = defaultdict(list)
    for row in session.execute(_last_runs(list(ctx.registry.jobs))):
        history[row.job].append(Run(*row[:-1]))
    waiting = select(QueuedWork).where(QueuedWork.queue == SCHEDULED, QueuedWork.state != DEAD)
    queued = {row.name: row for row in session.scalars(waiting)}
    paused = {row.job: row for row in session.execute(select(JobPause.job, JobPause.paused_by, JobPause.paused_at))}
    served = dict(session.execute(select(JobClaim.job, func.max(JobClaim.due)).group_by(JobClaim.job)).all())
    alive = scheduler(session, now=now).alive
    statuses = {}
    for name, declared in ctx.registry.jobs.items():
        rest, waits, past = paused.get(name), queued.get(name), tuple(history[name])
        following: datetime | None = declared.schedule.next_due(now, tz)
        state: State
        why: Text
        if rest is not None:
            state, why, following = "paused", _("Paused by {who}.", who=rest.paused_by), None
        else:
            state, why = _judge(declared, waits, past, served.get(name), alive, now, tz)
            if waits is not None and waits.failing_since is not None and waits.state == READY:
                following = waits.run_at
        statuses[name] = JobStatus(
            name=name,
            title=declared.title or name,
            module=declared.module,
            schedule=declared.schedule.describe(),
            state=state,
            why=why,
            progress=far(waits.done, waits.total) if waits is not None and declared.steps is not None else "",
            failing_since=waits.failing_since if waits is not None else None,
            runs=past,
            next_due=following,
            paused_by=rest and rest.paused_by,
            paused_at=rest and rest.paused_at,
        )
    return statuses


def _last_runs(names: list[str]) -> Select[Any]:
    place = func.row_number().over(partition_by=JobRun.job, order_by=JobRun.id.desc()).label("place")
    ranked = select(*_RUN, place).where(JobRun.queue == SCHEDULED, JobRun.job.in_(names)).subquery()
    return select(ranked).where(ranked.c.place <= SHOWN_RUNS).order_by(ranked.c.id.desc())


def _judge(
    declared: Job,
    waits: QueuedWork | None,
    past: tuple[Run, ...],
    served: datetime | None,
    alive: bool,
    now: datetime,
    tz: Any,
) -> tuple[State, Text]:
    last = past[0] if past else None
    if last is not None and last.state == RUNNING:
        since = last.started_at.astimezone(tz).strftime("%H:%M:%S")
        if now >= overdue_from(declared, last.started_at, tz):
            return "hanging", _("It runs since {moment}, longer than its period.", moment=since)
        return "running", _("It runs since {moment}.", moment=since)
    if not alive:
        return "late", _("No worker is running, so nothing is due. Start one with “comptoir worker”.")
    if waits is not None and waits.state == READY and waits.failing_since is not None:
        return "retrying", _(
            "{error} Failing since {since}; the next try is number {count}, at {next}.",
            error=waits.error,
            since=f"{waits.failing_since.astimezone(tz):%Y-%m-%d %H:%M}",
            count=waits.attempts + 1,
            next=f"{waits.run_at.astimezone(tz):%H:%M:%S}",
        )
    if waits is not None and waits.state in {READY, LEASED}:
        if now >= overdue_from(declared, waits.run_at, tz):
            return "late", _("It was due and waits for a worker: all of them are busy with other work.")
        return "running", _("It is about to start.")
    missed = declared.schedule.last_due(now, tz)
    if served is not None and served < missed and now >= overdue_from(declared, missed, tz):
        return "late", _("The clock has passed over its last moment. Look at the log of the workers.")
    if last is None:
        return "new", _("It was not due since the module was enabled.")
    if last.state == FAILED:
        return "failing", _("The last run failed for good: {error}", error=last.error or "")
    return "ok", _("The last run went well.")
