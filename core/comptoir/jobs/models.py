"""The tables of the queue, its history and its clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, Text, and_, literal
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.base import Base
from comptoir.db.types import Json, UtcDateTime

_Id = BigInteger().with_variant(Integer, "sqlite")

READY, LEASED, DEAD = "ready", "leased", "dead"
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


class QueuedWork(Base):
    """Work that waits: written with its cause, deleted with its effect."""

    __tablename__ = "core_job"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    queue: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(120))
    args: Mapped[dict[str, Any]] = mapped_column(Json)
    key: Mapped[str | None] = mapped_column(String(200), unique=True)
    """Deferred work holds it until it begins; a scheduled job until it has ended."""
    state: Mapped[str] = mapped_column(String(8), default=READY)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Lower goes first."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Tries that were begun since it last got on."""
    crashes: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    """Tries in a row that their worker did not survive."""
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    """Grows with every holder, so that an earlier one is told apart."""
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(120))
    error: Mapped[str | None] = mapped_column(Text)
    module: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ordered_by: Mapped[str | None] = mapped_column(String(300))
    """Work with the same value is done one after the other, in the order in which it was left."""
    cause: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    """The names of the work in a row that led to it, the oldest first."""
    step: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    intent: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """A call that was planned and is not concluded: its request and its idempotency key."""
    kept: Mapped[dict[str, Any] | None] = mapped_column(Json)
    done: Mapped[int] = mapped_column(default=0, server_default="0")
    total: Mapped[int | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(200))
    """Who asked it to end; it does before its next turn."""


_waiting = QueuedWork.state != literal(DEAD, literal_execute=True)
Index(
    "ix_core_job_waiting",
    QueuedWork.priority,
    QueuedWork.run_at,
    QueuedWork.id,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
_ordered = and_(_waiting, QueuedWork.ordered_by.is_not(None))
Index("ix_core_job_order", QueuedWork.ordered_by, QueuedWork.id, postgresql_where=_ordered, sqlite_where=_ordered)
Index("ix_core_job_name", QueuedWork.queue, QueuedWork.name)


class JobRun(Base):
    """One run of a scheduled job or of deferred work, as it is shown to administrators."""

    __tablename__ = "core_job_run"
    __table_args__ = (
        Index("ix_core_job_run_job", "job", "id"),
        Index("ix_core_job_run_started_at", "started_at"),
        Index("ix_core_job_run_work_id", "work_id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    work_id: Mapped[int] = mapped_column(BigInteger)
    """The queue row; it is gone once the work is done."""
    queue: Mapped[str] = mapped_column(String(40))
    job: Mapped[str] = mapped_column(String(120))
    module: Mapped[str] = mapped_column(String(60))
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(8), default=RUNNING)
    took_ms: Mapped[int | None]
    attempt: Mapped[int]
    error: Mapped[str | None] = mapped_column(String(500))
    worker: Mapped[str] = mapped_column(String(120))
    log: Mapped[str | None] = mapped_column(Text)


class JobClaim(Base):
    """A tick that a clock has taken: the primary key makes it one clock's, once."""

    __tablename__ = "core_job_claim"

    job: Mapped[str] = mapped_column(String(120), primary_key=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    skipped: Mapped[bool] = mapped_column(default=False)
    """Nothing was enqueued: the job was paused, new, or its previous run was still there."""


class Lease(Base):
    """Something that one process holds at a time; `token` grows with every change of holder."""

    __tablename__ = "core_lease"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    holder: Mapped[str] = mapped_column(String(120))
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    token: Mapped[int]


class JobPause(Base):
    """A scheduled job that an administrator has paused."""

    __tablename__ = "core_job_pause"

    job: Mapped[str] = mapped_column(String(120), primary_key=True)
    paused_by: Mapped[str] = mapped_column(String(200))
    paused_at: Mapped[datetime] = mapped_column(UtcDateTime)
