"""The history of every change: who, when, from, to; append-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, String, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import Json, UtcDateTime
from comptoir.values import FieldChange


class HistoryEntry(Base):
    """What one save did to one record: ``changes`` maps a field to ``[before, after]``."""

    __tablename__ = "core_history"
    __table_args__ = (Index("ix_core_history_record", "record_type", "record_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80))
    record_id: Mapped[int] = mapped_column(Id)
    action: Mapped[str] = mapped_column(String(20))
    """created, changed, moved, archived, restored, deleted or imported."""
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
    user_id: Mapped[int | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(255))
    changes: Mapped[dict[str, Any]] = mapped_column(Json())


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a record's history as read back."""

    id: int
    action: str
    at: dt.datetime
    user_id: int | None
    actor: str
    changes: dict[str, Any]


PLAIN = frozenset({str, int, bool})


def as_json(value: Any) -> Any:
    """A field's value in the form that JSON keeps: decimals and dates as text."""
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return value


def entry_row(
    *, record_type: str, record_id: int, action: str, at: dt.datetime, actor: Any, fields: Sequence[FieldChange]
) -> dict[str, Any]:
    """A row for `write_history`."""
    return {
        "record_type": record_type,
        "record_id": record_id,
        "action": action,
        "at": at,
        "user_id": actor.id,
        "actor": actor.name[:255],
        "changes": {change.field: [as_json(change.before), as_json(change.after)] for change in fields},
    }


def write_history(ctx: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Append entries in the transaction of the change, on the system connection."""
    if rows:
        table: Any = HistoryEntry.__table__
        ctx.bookkeeping("history").connection().execute(insert(table), list(rows))


def history_of(ctx: Any, record: Any, *, limit: int = 50, before_id: int | None = None) -> list[Entry]:
    """A record's entries, newest first, without the fields that the reader may not see.

    The caller has loaded the record through its own session, which is the proof that it may be read.
    """
    declared = ctx.registry.record_type(type(record))
    query = (
        select(HistoryEntry)
        .where(HistoryEntry.record_type == declared.name, HistoryEntry.record_id == record.id)
        .order_by(HistoryEntry.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(HistoryEntry.id < before_id)
    hidden = declared.hidden_fields(ctx.actor.grants)
    return [
        Entry(
            row.id,
            row.action,
            row.at,
            row.user_id,
            row.actor,
            {name: pair for name, pair in row.changes.items() if name not in hidden},
        )
        for row in ctx.bookkeeping("history").scalars(query)
    ]
