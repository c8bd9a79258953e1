"""The history of every change: who, when, from, to; append-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, String, literal, select, text, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from comptoir.context import unrestricted
from comptoir.db.base import Base
from comptoir.db.fields import Id, fields_of
from comptoir.db.light import insert_values
from comptoir.db.types import Json, UtcDateTime
from comptoir.values import FieldChange, RecordRef

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.records.declared import DeclaredType


class HistoryEntry(Base):
    """What one save did to one record: ``changes`` maps a field to ``[before, after]``."""

    __tablename__ = "core_history"
    __table_args__ = (
        Index("ix_core_history_record", "record_type", "record_id", "id"),
        Index(
            "ix_core_history_import",
            "import_id",
            "id",
            sqlite_where=text("import_id IS NOT NULL"),
            postgresql_where=text("import_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80))
    record_id: Mapped[int] = mapped_column(Id)
    action: Mapped[str] = mapped_column(String(20))
    """created, changed, moved, archived, restored, deleted or imported."""
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
    user_id: Mapped[int | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(255))
    changes: Mapped[dict[str, Any]] = mapped_column(Json())
    import_id: Mapped[int | None] = mapped_column(Id)
    """The import that did it."""


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

IMPORT = "import_id"
"""Under this name the unrestricted session of a transaction knows the import that it belongs to."""


def as_json(value: Any) -> Any:
    """A field's value in the form that JSON keeps: decimals and dates as text."""
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, RecordRef):
        return str(value)
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
    """Append entries in the transaction of the change, on the system connection; in an import they carry its id."""
    if rows:
        session = unrestricted(ctx, "history")
        under_way = session.info.get(IMPORT)
        entries = [row | {"import_id": under_way} for row in rows]
        insert_values(session.connection(), HistoryEntry, entries, names=tuple(entries[0]))


def history_of(ctx: Any, record: Any, *, limit: int = 50, before_id: int | None = None) -> list[Entry]:
    """A record's entries, newest first, as if the fields that the reader may not see had never changed.

    The caller has loaded the record through its own session, which is the proof that it may be read.
    """
    return _read(ctx, record, limit, (HistoryEntry.id,), None if before_id is None else (before_id,))


def changes_until(
    ctx: Any, record: Any, *, limit: int = 50, before: tuple[dt.datetime, int] | None = None
) -> list[Entry]:
    """The same by moment and id, as they stand among what else happened; ``before`` is the last one that is known."""
    return _read(ctx, record, limit, (HistoryEntry.at, HistoryEntry.id), before)


def _read(
    ctx: Any, record: Any, limit: int, order: Sequence[InstrumentedAttribute[Any]], before: tuple[Any, ...] | None
) -> list[Entry]:
    declared = ctx.registry.record_type(type(record))
    of_record = (HistoryEntry.record_type == declared.name, HistoryEntry.record_id == record.id)
    found: list[Entry] = []
    while len(found) < limit:
        query = select(HistoryEntry).where(*of_record).order_by(*(column.desc() for column in order)).limit(limit)
        if before is not None:
            place = (literal(value, column.type) for value, column in zip(before, order, strict=True))
            query = query.where(tuple_(*order) < tuple_(*place))
        rows = unrestricted(ctx, "history").scalars(query).all()
        found += filter(None, (_entry(row, declared, ctx.actor.grants) for row in rows))
        if len(rows) < limit:
            break
        before = tuple(getattr(rows[-1], column.key) for column in order)
    return found[:limit]


def _entry(row: HistoryEntry, declared: DeclaredType, grants: Grants) -> Entry | None:
    """The entry as its reader may see it; None where nothing of it is left."""
    hidden = declared.hidden_fields(grants)
    shown = {}
    for name, pair in row.changes.items():
        described = declared.fields.get(name)
        if name in hidden:
            continue
        if described is None or described.line is None:
            shown[name] = pair
            continue
        lines = [_without_hidden(value, described.line, grants) for value in pair]
        if lines[0] != lines[1]:
            shown[name] = lines
    if row.changes and not shown and row.action != "created":
        return None
    return Entry(row.id, row.action, row.at, row.user_id, row.actor, shown)


def _without_hidden(lines: Any, line: Any, grants: Grants) -> Any:
    """The lines of an old or new value without what each holds in fields that the reader may not see."""
    hidden = {
        name
        for name, described in fields_of(line).items()
        if described.read is not None and grants.scope(described.read) is None
    }
    return lines and [{name: value for name, value in one.items() if name not in hidden} for one in lines]
