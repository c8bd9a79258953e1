"""The clock: it turns what is due into queue rows, each moment once whatever number of processes it runs in.

APScheduler says when to look. Whether a moment was served is decided by rows in the database: the lease makes one
process look, the claim on (job, moment) makes a moment one look's, and the queue row is written with the claim.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy import Engine, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from comptoir.db.engine import writing
from comptoir.i18n import _
from comptoir.jobs.delivery import FAILED_HOOK, announce_failure, implementers
from comptoir.jobs.models import READY, RUNNING, JobClaim, JobPause, JobRun, Lease, QueuedWork
from comptoir.jobs.outbox import SCHEDULED, Deferred, enqueue_many, insert_unless_there
from comptoir.jobs.queue import run_key
from comptoir.schedules import Schedule

if TYPE_CHECKING:
    from comptoir.contributions import Job
    from comptoir.jobs.host import Host

CLOCK = "clock"
WORKER = "worker:"
BEAT = timedelta(seconds=1.5)
LEASE = timedelta(seconds=3.5)
"""How long a clock holds after its last beat; another one has taken over within this and a beat, five seconds."""
WORKER_BEAT = timedelta(seconds=5)
SILENCE = timedelta(seconds=20)
"""How long a clock or a worker counts as alive after its last beat: nobody is alarmed by a database that is busy."""
KEPT = timedelta(days=30)
CLAIMS_KEPT = timedelta(days=2)
SHORTEST_PATIENCE = timedelta(minutes=1)

_log = logging.getLogger(__name__)


def take_lease(engine: Engine, name: str, holder: str, length: timedelta = LEASE, *, now: datetime) -> int | None:
    """Hold `name` until `length` from now, or None while another does; the number grows with every change of holder."""
    with engine.connect() as reader:  # whoever only waits for it writes nothing
        held = select(Lease.name).where(Lease.name == name, Lease.holder != holder, Lease.until > now)
        if reader.execute(held).first() is not None:
            return None
    with writing(engine) as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(Lease).values(name=name, holder=holder, until=now + length, token=1)
        taken = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "holder": statement.excluded.holder,
                "until": statement.excluded.until,
                "token": Lease.token + case((Lease.holder == holder, 0), else_=1),
            },
            where=or_(Lease.holder == holder, Lease.until <= now),
        )
        return connection.execute(taken.returning(Lease.token)).scalar()


def release_lease(engine: Engine, name: str, holder: str, *, now: datetime) -> None:
    """Let another take it at once; the row stays, so that its number goes on growing."""
    with writing(engine) as connection:
        held = update(Lease).where(Lease.name == name, Lease.holder == holder)
        connection.execute(held.values(until=now - SILENCE))  # nor does it count as alive


def tick(engine: Engine, job: Job, holder: str, token: int, tz: tzinfo, *, now: datetime) -> bool:
    """Enqueue the job when its last moment up to `now` was not served; True when a row was written.

    All the moments missed before fall into this one. The first look at a new job serves nothing: it begins with its
    next moment. A clock that has lost its lease writes nothing.
    """
    due = job.schedule.last_due(now, tz)
    with writing(engine) as connection:
        # The update locks the lease until the commit: a successor waits for this tick to be over.
        mine = update(Lease).where(Lease.name == CLOCK, Lease.holder == holder, Lease.token == token)
        if connection.execute(mine.values(token=token)).rowcount != 1:
            return False
        served = connection.execute(select(func.max(JobClaim.due)).where(JobClaim.job == job.name)).scalar()
        if served is not None and served >= due:
            return False
        claim = {"job": job.name, "due": due, "skipped": False}
        if not insert_unless_there(connection, JobClaim.__table__, [claim], "job", "due"):
            return False
        paused = connection.execute(select(JobPause.job).where(JobPause.job == job.name)).first()
        written = 0
        if served is not None and paused is None:
            row = Deferred(
                name=job.name, args={"due": due.isoformat()}, module=job.module, key=run_key(job.name), run_at=due
            )
            written = enqueue_many(connection, [row], queue=SCHEDULED, now=now)
        if not written:
            skipped = update(JobClaim).where(JobClaim.job == job.name, JobClaim.due == due)
            connection.execute(skipped.values(skipped=True))
        return written == 1


def forget_old(engine: Engine, *, now: datetime) -> None:
    """Delete runs of a month ago and claims of some days ago; each job's last claim stays: it says what was served."""
    later = aliased(JobClaim)
    with writing(engine) as connection:
        connection.execute(delete(JobRun).where(JobRun.started_at < now - KEPT))
        superseded = select(later.job).where(later.job == JobClaim.job, later.due > JobClaim.due).exists()
        connection.execute(delete(JobClaim).where(JobClaim.due < now - CLAIMS_KEPT, superseded))
        connection.execute(delete(Lease).where(Lease.name.startswith(WORKER), Lease.until < now - CLAIMS_KEPT))


def overdue_from(job: Job, moment: datetime, tz: tzinfo) -> datetime:
    """From when on work that waits or runs since `moment` is late: the job's next moment, but not within a minute."""
    return max(job.schedule.next_due(moment, tz), moment + SHORTEST_PATIENCE)


def raise_alarms(host: Host, *, now: datetime) -> int:
    """Tell once of each run that hangs and each that has not begun within its period; how many were told."""
    registry = host.registry
    with host.engine.connect() as connection:
        running = select(JobRun.job, JobRun.started_at, JobRun.id).where(
            JobRun.queue == SCHEDULED, JobRun.state == RUNNING
        )
        unbegun = select(QueuedWork.name, QueuedWork.run_at, QueuedWork.id).where(
            QueuedWork.queue == SCHEDULED,
            QueuedWork.state == READY,
            QueuedWork.attempts == 0,
            QueuedWork.name.not_in(select(JobPause.job)),
        )
        seen = [
            *(
                ("hangs", row, _("It runs since {moment} UTC, longer than its period."))
                for row in connection.execute(running)
            ),
            *(
                ("waits", row, _("It was due at {moment} UTC and has not begun."))
                for row in connection.execute(unbegun)
            ),
        ]
    told = 0
    for kind, (name, moment, number), words in seen:
        job = registry.jobs.get(name)
        if job is None or now < overdue_from(job, moment, host.timezone):
            continue
        with writing(host.engine) as connection:
            mark = {"job": f"{kind}:{name}", "due": moment, "skipped": False}
            if insert_unless_there(connection, JobClaim.__table__, [mark], "job", "due"):
                text = str(words.format(moment=f"{moment:%Y-%m-%d %H:%M}"))
                plugins = implementers(registry.hooks, FAILED_HOOK)
                announce_failure(connection, plugins, name, text, f"{kind}-{number}", now=now)
                _log.error("%s: %s", name, text)
                told += 1
    return told


class _Due(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Asks the schedule; moments missed while the machine slept are passed over, as a tick looks back by itself."""

    def __init__(self, schedule: Schedule, tz: tzinfo) -> None:
        self._schedule = schedule
        self._tz = tz

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return self._schedule.next_due(max(previous_fire_time or now, now), self._tz)


class Clock:
    """Beats in a thread of its own; while it holds the lease it ticks for every job of the current generation."""

    def __init__(self, host: Host, holder: str) -> None:
        self._host = host
        self._holder = holder
        self._token: int | None = None
        self._generation: int | None = None
        self._turn = threading.Lock()
        self._stopped = False
        self._shown_at = self._alarmed_at = self._forgot_at = datetime.fromtimestamp(0, UTC)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # One thread: a beat and the ticks never overlap within a process.
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        self._scheduler.add_job(
            self._beat, "interval", id="beat", seconds=BEAT.total_seconds(), next_run_time=datetime.now(UTC)
        )
        self._scheduler.start()

    def look(self) -> None:
        """Beat now, for instance because the generation has changed."""
        self._scheduler.modify_job("beat", next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Finish the tick under way and let another process take over at once."""
        with self._turn:  # APScheduler waits under the lock that a beat needs to set its jobs
            self._stopped = True
        self._scheduler.shutdown(wait=True)
        for name in (CLOCK, WORKER + self._holder):
            try:
                release_lease(self._host.engine, name, self._holder, now=self._host.clock())
            except SQLAlchemyError as error:
                _log.warning("The lease %r ends by itself: %s", name, error)

    def _beat(self) -> None:
        with self._turn:
            if not self._stopped:
                self._renew(self._host.clock())

    def _renew(self, now: datetime) -> None:
        try:
            if now - self._shown_at >= WORKER_BEAT:
                take_lease(self._host.engine, WORKER + self._holder, self._holder, SILENCE, now=now)
                self._shown_at = now
            token = take_lease(self._host.engine, CLOCK, self._holder, now=now)
        except SQLAlchemyError as error:
            # Whoever is cut off from the database must not believe that it still holds the lease.
            _log.warning("The clock cannot reach the database: %s", error)
            token = None
        registry = self._host.registry
        if token != self._token or registry.generation != self._generation:
            self._token, self._generation = token, registry.generation
            self._set({} if token is None else dict(registry.jobs))
        if token is not None:
            self._look_after(now)

    def _look_after(self, now: datetime) -> None:
        try:
            if now - self._alarmed_at >= timedelta(seconds=30):
                self._alarmed_at = now
                raise_alarms(self._host, now=now)
            if now - self._forgot_at >= timedelta(hours=1):
                self._forgot_at = now
                forget_old(self._host.engine, now=now)
        except SQLAlchemyError as error:
            _log.warning("The watch over jobs waits for its next round: %s", error)

    def _set(self, jobs: dict[str, Job]) -> None:
        for entry in self._scheduler.get_jobs():
            if entry.id != "beat":
                entry.remove()
        for job in jobs.values():
            self._scheduler.add_job(self._tick, _Due(job.schedule, self._host.timezone), args=[job], id=job.name)
            self._tick(job)  # what was missed while no clock ran

    def _tick(self, job: Job) -> None:
        if self._token is None:
            return
        try:
            tick(self._host.engine, job, self._holder, self._token, self._host.timezone, now=self._host.clock())
        except SQLAlchemyError as error:
            _log.warning("The tick of %s waits for the next beat: %s", job.name, error)
            self._generation = None  # the next beat looks at every job again
