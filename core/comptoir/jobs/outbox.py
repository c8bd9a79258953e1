"""Deferred work, written in the transaction of its cause: it exists exactly when that transaction commits."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Connection, CursorResult, FromClause, String, Table, case, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from comptoir.context import unrestricted
from comptoir.errors import PluginError
from comptoir.i18n import _
from comptoir.jobs.models import DEAD, READY, QueuedWork
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context

DEFERRED = "outbox"
SCHEDULED = "jobs"
CHAIN_BUDGET = 10
"""How many pieces of deferred work may set each other off in a row; a longer chain is stopped, loop or not."""
_REFS_PER_DELIVERY = 5_000
_LOCKS_AT_ONCE = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """One piece of work for `enqueue_many`."""

    name: str
    args: Mapping[str, Any]
    module: str
    key: str | None = None
    record: RecordRef | None = None
    run_at: datetime | None = None
    priority: int = 0

    @property
    def ordered_by(self) -> str | None:
        """What it waits in line for: its record, else its key; each module has its own lines."""
        line = self.record or self.key
        return None if line is None else f"{self.module}:{line}"


def enqueue(
    session: Session | Connection,
    name: str,
    args: Mapping[str, Any],
    *,
    module: str,
    key: str | None = None,
    record: RecordRef | None = None,
    run_at: datetime | None = None,
    priority: int = 0,
) -> bool:
    """Leave work for the handler `name`, with what the session's transaction does, or not at all.

    False when work with this key waits already: that takes the newer arguments. Work that has begun holds its key no
    more. Work about one `record`, or with one key, is done in the order in which it was left. `module` is the plugin
    without which nobody can do it: while that one is paused the work waits. Lower `priority` goes first.
    """
    work = Deferred(name=name, args=args, module=module, key=key, record=record, run_at=run_at, priority=priority)
    return enqueue_many(session, [work]) == 1


def enqueue_many(
    session: Session | Connection,
    works: Iterable[Deferred],
    *,
    queue: str = DEFERRED,
    now: datetime | None = None,
    cause: Sequence[str] | None = None,
) -> int:
    """As `enqueue`, for a batch in a few statements; how many were new.

    `cause` is the work in a row that led here, by default what the session runs. Where it is longer than
    `CHAIN_BUDGET` the work is not done but kept as dead, with the chain as its reason: most likely it is a loop.
    """
    now = now or _now(session)
    cause = list(_cause(session) if cause is None else cause)
    stopped = _loop(cause) if len(cause) >= CHAIN_BUDGET else None
    works = list(works)
    rows = [
        {
            "queue": queue,
            "name": work.name,
            "args": dict(work.args),
            "key": None if stopped else work.key,
            "state": DEAD if stopped else READY,
            "error": stopped,
            "run_at": work.run_at or now,
            "priority": work.priority,
            "attempts": 0,
            "module": work.module,
            "created_at": now,
            "ordered_by": work.ordered_by if queue == DEFERRED else None,
            "cause": cause,
        }
        for work in works
    ]
    if stopped and rows:
        _log.error("%s was not done. %s", rows[0]["name"], stopped)
    _line_up(session, rows)
    new = insert_unless_there(session, QueuedWork.__table__, rows, "key")
    if new < len(rows) and queue == DEFERRED:
        _renew_waiting(session, [row for row in rows if row["key"] is not None])
    return new


def _line_up(session: Session | Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let the numbers of work in one line follow its commits: PostgreSQL gives them out before."""
    lines = sorted({row["ordered_by"] for row in rows} - {None})
    if lines and _dialect(session) == "postgresql":
        for start in range(0, len(lines), _LOCKS_AT_ONCE):
            some = func.unnest(literal(lines[start : start + _LOCKS_AT_ONCE], ARRAY(String))).column_valued("line")
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(some, 0))))


def _renew_waiting(session: Session | Connection, rows: list[dict[str, Any]]) -> None:
    """Give work that waits under a key the newer arguments; a row whose work began meanwhile makes room for a new one."""
    insert = postgresql.insert if _dialect(session) == "postgresql" else sqlite.insert
    statement = insert(QueuedWork.__table__)  # type: ignore[arg-type]
    newer = statement.excluded
    earlier = case((newer.run_at < QueuedWork.run_at, newer.run_at), else_=QueuedWork.run_at)
    renewed = statement.on_conflict_do_update(index_elements=["key"], set_={"args": newer.args, "run_at": earlier})
    for row in rows:  # one by one: a key that is there twice takes the last
        session.execute(renewed, row)


def _dialect(session: Session | Connection) -> str:
    return session.get_bind().dialect.name if isinstance(session, Session) else session.dialect.name


def _now(session: Session | Connection) -> datetime:
    """By the clock of the deployment, which it leaves with its sessions."""
    clock = session.info.get("clock") if isinstance(session, Session) else None
    return clock() if clock is not None else datetime.now(UTC)


def _cause(session: Session | Connection) -> Sequence[str]:
    """The work that runs in this session and what led to it, as the runner leaves it there."""
    return session.info.get("cause", ()) if isinstance(session, Session) else ()


def _loop(cause: Sequence[str]) -> str:
    text = _(
        "{count} pieces of work in a row set each other off, so the chain was stopped here, most likely a loop: {chain}",
        count=len(cause),
        chain=" → ".join(cause[-6:]),
    )
    return str(text)


def defer(
    ctx: Context,
    name: str,
    args: Mapping[str, Any],
    *,
    key: str | None = None,
    record: RecordRef | None = None,
    run_at: datetime | None = None,
) -> bool:
    """Leave work for what is contributed as `name`, to be done once the present transaction stands.

    False when work with this key waits already: that takes the newer arguments. Work about one `record`, or with one
    key, is done in the order in which it was left. `args` are plain JSON values: ids, not records.
    """
    if name not in ctx.registry.deferred_work:
        known = ", ".join(sorted(ctx.registry.deferred_work)) or "–"
        raise PluginError(
            name.partition(".")[0],
            _("Nothing does the deferred work {name}. Contributed are: {known}", name=name, known=known),
        )
    module = name.partition(".")[0]
    return enqueue(unrestricted(ctx, "outbox"), name, args, module=module, key=key, record=record, run_at=run_at)


def deliver_later(session: Session, hook: str, plugin: str, refs: Sequence[RecordRef]) -> None:
    """Leave a hook about records for one plugin; a long batch becomes several calls, none of them unbounded."""
    pairs = [[ref.record_type, ref.record_id, list(ref.changed)] for ref in refs]
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
    insert = postgresql.insert if _dialect(session) == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing(index_elements=list(unique))
    done = session.execute(statement, rows, execution_options={"preserve_rowcount": True})
    assert isinstance(done, CursorResult)
    return done.rowcount
