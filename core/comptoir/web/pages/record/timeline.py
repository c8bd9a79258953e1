"""A record's history as one stream: changes, and what other records say happened with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from comptoir.db.record import Record
from comptoir.i18n import Text, _
from comptoir.records.declared import DeclaredType
from comptoir.records.history import Entry, history_of
from comptoir.records.query import All, Compare, Query, run
from comptoir.values import RecordRef
from comptoir.web.models.record import TimelineEntry
from comptoir.web.pages.cells import Cells, shown_change
from comptoir.web.session import Visit

PART = 30
ACTIONS: dict[str, Text] = {
    "created": _("created it"), "changed": _("changed it"), "moved": _("moved it"), "archived": _("moved it to the bin"),
    "restored": _("restored it"), "deleted": _("deleted it"), "imported": _("imported it"), "merged": _("merged it"), "undone": _("took it back"),
}  # fmt: skip
ICONS = {"created": "plus", "moved": "ar", "archived": "trash", "restored": "undo", "imported": "up", "merged": "split"}
KIND_ICONS = {"call": "phone", "mail": "mail", "meeting": "users", "chat": "msg", "note": "note", "letter": "doc"}
KIND_TONES = {"call": "call", "mail": "mail", "note": "brass", "meeting": "plum"}
MAX_CHANGES = 6


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, before it is formatted."""

    at: dt.datetime
    entry: Entry | None = None
    declared: DeclaredType | None = None
    row: dict[str, Any] | None = None


def happenings(
    visit: Visit, declared: DeclaredType, record: Record, before: dt.datetime | None = None
) -> list[Happening]:
    """The newest things that happened with a record, or those before a moment."""
    found: list[Happening] = []
    for related, where_found, moment in _related_types(visit, declared, record):
        wanted = [
            n
            for n in ("kind", "direction", "body", "minutes", related.title, moment, "owner_id")
            if n in related.fields
        ]
        where: list[Any] = [*where_found]
        if before is not None:
            where.append(Compare(moment, "lt", before))
        query = Query(where=All(tuple(where)), sort=(f"-{moment}",), fields=tuple(wanted), size=PART)
        found += [
            Happening(row[moment], declared=related, row=row)
            for row in run(visit.context, related, query, total=False).rows
        ]
    limit = PART * 2 if before is not None else PART
    kept = (entry for entry in history_of(visit.context, record, limit=limit) if before is None or entry.at < before)
    found += [Happening(entry.at, entry=entry) for entry in kept]
    found.sort(key=lambda happening: happening.at, reverse=True)
    return found


def _related_types(
    visit: Visit, declared: DeclaredType, record: Record
) -> Iterator[tuple[DeclaredType, tuple[Compare, ...], str]]:
    """The record types that appear in this one's history, which of their records do, and the time to sort by."""
    grants = visit.context.actor.grants
    for related in visit.registry.record_types.values():
        reference = related.declaration.contact
        if reference is None or grants.scope(related.permission("read")) is None:
            continue
        field = related.fields.get(reference)
        moment = "happened_at" if "happened_at" in related.fields else "created_at"
        if field is not None and field.target == declared.table.name:
            yield related, (Compare(field.path, "eq", record.id),), moment
            continue
        for name in (name for name, own in related.fields.items() if own.kind.points_anywhere):
            yield related, (Compare(name, "eq", RecordRef(declared.name, record.id)),), moment


def entries(visit: Visit, cells: Cells, found: Sequence[Happening]) -> tuple[TimelineEntry, ...]:
    """The stream as the page shows it."""
    return tuple(
        _change(visit, cells, h.at, h.entry) if h.entry is not None else _event(visit, cells, h) for h in found
    )


def _change(visit: Visit, cells: Cells, at: dt.datetime, entry: Entry) -> TimelineEntry:
    formats = visit.formats
    changes = []
    if entry.action not in {"created", "archived", "restored"}:
        for name, (before, after) in list(entry.changes.items())[:MAX_CHANGES]:
            field = cells.declared.fields.get(name)
            if field is None or (field.server and entry.action != "imported"):
                continue
            changes.append((str(field.label), shown_change(cells, name, before), shown_change(cells, name, after)))
    return TimelineEntry(
        formats.long_day(at.astimezone(formats.timezone).date()), formats.time(at), at.isoformat(),
        str(ACTIONS.get(entry.action, entry.action)), ICONS.get(entry.action, "edit"), actor=entry.actor,
        changes=tuple(changes),
    )  # fmt: skip


def _event(visit: Visit, cells: Cells, happening: Happening) -> TimelineEntry:
    declared, row = happening.declared, happening.row
    assert declared is not None
    assert row is not None
    formats, kind = visit.formats, str(row.get("kind") or "")
    label = declared.fields["kind"].label_of(kind) if "kind" in declared.fields and kind else declared.declaration.label
    title = str(row.get(declared.title) or "") or str(label)
    owner = cells.titles.get(("core_user", row.get("owner_id") or 0), "")
    icon = KIND_ICONS.get(kind, declared.declaration.icon)
    if kind == "call" and row.get("direction") in {"in", "out"}:
        icon = "phonein" if row["direction"] == "in" else "phoneout"
    body = str(row.get("body") or "")
    if row.get("minutes"):
        body = f"{body}\n{_('{count} min', count=row['minutes'])}".strip()
    return TimelineEntry(
        formats.long_day(happening.at.astimezone(formats.timezone).date()), formats.time(happening.at),
        happening.at.isoformat(), f"{label}: {title}" if title != str(label) else title, icon, KIND_TONES.get(kind, ""),
        owner, body, card=bool(body) and kind != "note", url=f"{declared.url}/{row['id']}",
    )  # fmt: skip


def people_of(found: Iterable[Happening]) -> set[int]:
    """The users whose names the stream shows."""
    return {h.row["owner_id"] for h in found if h.row is not None and h.row.get("owner_id")}
