"""A record's history as its page shows it: changes, and what other records say happened with it."""

from __future__ import annotations

from comptoir.i18n import Text, _
from comptoir.records.timeline import Happening
from comptoir.web.addresses import url_with
from comptoir.web.models.record import RecordPage, TimelineEntry
from comptoir.web.pages.cells import Cells, shown_change
from comptoir.web.pages.faces import face_of
from comptoir.web.pages.record.view import RecordView

ACTIONS: dict[str, Text] = {
    "created": _("created it"), "changed": _("changed it"), "moved": _("moved it"), "archived": _("moved it to the bin"),
    "restored": _("restored it"), "deleted": _("deleted it"), "imported": _("imported it"), "merged": _("merged it"), "undone": _("took it back"),
}  # fmt: skip
ICONS = {"created": "plus", "moved": "ar", "archived": "trash", "restored": "undo", "imported": "up", "merged": "split"}
MAX_CHANGES = 6


def entries(view: RecordView) -> tuple[TimelineEntry, ...]:
    """A part of the stream."""
    return tuple(_change(view, h) if h.entry is not None else _event(view, h) for h in view.part.happenings)


def next_url(view: RecordView) -> str:
    """The address of the following part; empty at the first thing that happened."""
    following = view.part.next
    return url_with(f"{view.url}/timeline", [("after", str(following))]) if following is not None else ""


def earlier(view: RecordView) -> RecordPage:
    """The part alone."""
    return RecordPage(view.title, view.url, timeline=entries(view), timeline_next_url=next_url(view))


def _when(view: RecordView, happening: Happening) -> tuple[str, str, str]:
    formats, at = view.visit.formats, happening.place.at
    return formats.long_day(at.astimezone(formats.timezone).date()), formats.time(at), at.isoformat()


def _change(view: RecordView, happening: Happening) -> TimelineEntry:
    entry = happening.entry
    assert entry is not None
    changes = []
    if entry.action not in {"created", "archived", "restored"}:
        for name, (before, after) in list(entry.changes.items())[:MAX_CHANGES]:
            field = view.declared.fields.get(name)
            if field is None or (field.server and entry.action != "imported"):
                continue
            pair = (shown_change(view.cells, name, before), shown_change(view.cells, name, after))
            changes.append((str(field.label), *pair))
    return TimelineEntry(
        *_when(view, happening), str(ACTIONS.get(entry.action, entry.action)), ICONS.get(entry.action, "edit"),
        actor=entry.actor, changes=tuple(changes),
    )  # fmt: skip


def _event(view: RecordView, happening: Happening) -> TimelineEntry:
    """A record about this one: what its face says it is, its title, and what its body tells."""
    declared, row = happening.declared, happening.row
    assert declared is not None
    assert row is not None
    face = face_of(declared, row)
    chosen = (declared.fields[name].label_of(row[name]) for name in declared.with_role("face") if row.get(name))
    label = str(next(chosen, "") if declared.title not in declared.with_role("face") else "") or str(
        declared.declaration.label
    )
    title, body = str(row.get(declared.title) or ""), _body(view, declared.name, row)
    repeats = not title or body.startswith(title)  # what is called by its first line says it once
    return TimelineEntry(
        *_when(view, happening), label if repeats else f"{label}: {title}", face.icon or declared.declaration.icon,
        face.tone, view.cells.titles.get(("core_user", row.get("owner_id") or 0), ""), body, card=bool(body),
        url=f"{declared.url}/{row['id']}",
    )  # fmt: skip


def _body(view: RecordView, name: str, row: dict[str, object]) -> str:
    """What an entry tells: its long texts as they are, then the other values."""
    declared = view.registry.record_types[name]
    cells = Cells(view.visit, declared, view.cells.titles)
    told = [name for name in declared.with_role("body") if row.get(name) not in (None, "")]
    told.sort(key=lambda name: not declared.fields[name].multiline)
    texts = (str(row[n]) if (f := declared.fields[n]).multiline else cells.cell(n, f, row).text for n in told)
    return "\n".join(texts)
