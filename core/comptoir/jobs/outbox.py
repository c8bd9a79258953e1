"""Deferred work, written in the transaction of its cause: it exists exactly when that transaction commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, CursorResult, FromClause, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from comptoir.errors import PluginError
from comptoir.i18n import _
from comptoir.jobs.models import READY, QueuedWork
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context

DEFERRED = "outbox"
SCHEDULED = "jobs"
_REFS_PER_DELIVERY = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """One piece of work for `enqueue_many`."""

    name: str
    args: Mapping[str, Any]
    module: str
    key: str | None = None
    run_at: datetime | None = None
    priority: int = 0


def enqueue(
    session: Session | Connection,
    name: str,
    args: Mapping[str, Any],
    *,
    module: str,
    key: str | None = None,
    run_at: datetime | None = None,
    priority: int = 0,
) -> bool:
    """Leave work for the handler `name`, with what the session's transaction does, or not at all.

    False when work with this key waits already: the first stands. `module` is the plugin without which nobody can do
    it: while that one is paused the work waits. Lower `priority` goes first.
    """
    work = Deferred(name=name, args=args, module=module, key=key, run_at=run_at, priority=priority)
    return enqueue_many(session, [work]) == 1


def enqueue_many(
    session: Session | Connection, works: Iterable[Deferred], *, queue: str = DEFERRED, now: datetime | None = None
) -> int:
    """As `enqueue`, for a batch in a few statements; how many were new."""
    now = now or _now(session)
    rows = [
        {
            "queue": queue,
            "name": work.name,
            "args": dict(work.args),
            "key": work.key,
            "state": READY,
            "run_at": work.run_at or now,
            "priority": work.priority,
            "attempts": 0,
            "module": work.module,
            "created_at": now,
        }
        for work in works
    ]
    return insert_unless_there(session, QueuedWork.__table__, rows, "key")


def _now(session: Session | Connection) -> datetime:
    """By the clock of the deployment, which it leaves with its sessions."""
    clock = session.info.get("clock") if isinstance(session, Session) else None
    return clock() if clock is not None else datetime.now(UTC)


def defer(
    ctx: Context, name: str, args: Mapping[str, Any], *, key: str | None = None, run_at: datetime | None = None
) -> bool:
    """Leave work for the function contributed as `name`, to be done once the present transaction stands.

    False when work with this key waits already. `args` are plain JSON values: ids, not records.
    """
    if name not in ctx.registry.handlers:
        known = ", ".join(sorted(ctx.registry.handlers)) or "–"
        raise PluginError(
            name.partition(".")[0],
            _("Nothing does the deferred work {name}. Contributed are: {known}", name=name, known=known),
        )
    return enqueue(ctx.bookkeeping("outbox"), name, args, module=name.partition(".")[0], key=key, run_at=run_at)


def deliver_later(session: Session, hook: str, plugin: str, refs: Sequence[RecordRef]) -> None:
    """Leave a hook about records for one plugin; a long batch becomes several calls, none of them unbounded."""
    pairs = [[ref.record_type, ref.record_id] for ref in refs]
    enqueue_many(
        session,
        [
            Deferred(
                name=hook,
                args={"plugin": plugin, "refs": pairs[start : start + _REFS_PER_DELIVERY]},
                module=module_of(plugin),
            )
            for start in range(0, len(pairs), _REFS_PER_DELIVERY)
        ],
    )


def module_of(plugin: str) -> str:
    """The module of what the hook relay calls a plugin; one with several files of hooks is there as ``sales/1`` too."""
    return plugin.partition("/")[0]


def insert_unless_there(
    session: Session | Connection, table: FromClause, rows: list[dict[str, Any]], *unique: str
) -> int:
    """Insert the rows whose `unique` columns are not taken; how many those were."""
    if not rows:
        return 0
    assert isinstance(table, Table)
    dialect = session.get_bind().dialect if isinstance(session, Session) else session.dialect
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing(index_elements=list(unique))
    done = session.execute(statement, rows, execution_options={"preserve_rowcount": True})
    assert isinstance(done, CursorResult)
    return done.rowcount
