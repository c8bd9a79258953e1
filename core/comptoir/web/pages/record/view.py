"""One record as its page shows it to one reader: what all parts of the page ask for, each once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any

from flask import current_app, request

from comptoir.db.record import Record
from comptoir.db.workflow import Workflow
from comptoir.kinds import Cell, Face
from comptoir.records.declared import DeclaredType
from comptoir.records.query import load
from comptoir.records.timeline import Part, Place, timeline_of
from comptoir.registry.deadlines import Inside
from comptoir.web.pages.cells import Cells, look_up_titles, stored_value, value_of
from comptoir.web.pages.faces import face_of, faces_of
from comptoir.web.session import Visit

log = logging.getLogger("comptoir.web")


class RecordView:
    """A record, its reader and what the reader may do; ``whole`` includes what comes after the first paint."""

    def __init__(
        self, visit: Visit, declared: DeclaredType, record: Record, *, whole: bool = False, after: Place | None = None
    ) -> None:
        self.visit, self.declared, self.record, self.whole, self.after = visit, declared, record, whole, after
        self.ctx, self.registry, self.grants = visit.context, visit.registry, visit.context.actor.grants
        self.url = f"{declared.url}/{record.id}"
        self.title = declared.title_of(record)
        self.hidden = declared.hidden_fields(self.grants)

    @classmethod
    def of(cls, visit: Visit, declared: DeclaredType, record_id: int, **options: Any) -> RecordView:
        """The view of a record that the reader may see."""
        visit.context.require(declared.permission("read"))
        return cls(visit, declared, load(visit.context, declared.model, record_id), **options)

    @property
    def workflow(self) -> Workflow:
        """The stages of the record's type, which has some."""
        found = self.declared.declaration.workflow
        assert found is not None
        return found

    @property
    def wanted_tab(self) -> str:
        """The tab that the address names."""
        return request.args.get("tab", "")

    def may(self, action: str) -> bool:
        """Whether the reader may do this with the record."""
        return self.ctx.may(self.declared.permission(action), self.record)

    @cached_property
    def part(self) -> Part:
        """What happened, as far as this part of the page shows it."""
        shows = self.whole and self.declared.declaration.timeline
        return timeline_of(self.ctx, self.record, after=self.after) if shows else Part()

    @cached_property
    def cells(self) -> Cells:
        """Makes cells, and knows the titles of everything that the page mentions."""
        rows = [h.row for h in self.part.happenings if h.row is not None]
        wanted: dict[str, set[int]] = {"core_user": {row["owner_id"] for row in rows if row.get("owner_id")}}
        for name, field in self.declared.fields.items():
            if name in self.hidden or not (field.target is not None or field.kind.points_anywhere):
                continue
            values = [value_of(self.record, self.declared, name)]
            for happening in self.part.happenings:
                change = happening.entry.changes.get(name) if happening.entry is not None else None
                values += [value for value in map(partial(stored_value, field), change or ()) if value is not None]
            for referred in filter(None, (field.kind.refers_to(field, value) for value in values)):
                wanted.setdefault(referred[0], set()).add(referred[1])
        return Cells(self.visit, self.declared, look_up_titles(self.visit, wanted))

    @cached_property
    def face(self) -> Face:
        """How the record looks."""
        return face_of(self.declared, self.row(faces_of(self.visit, self.declared)))

    def with_role(self, role: str) -> list[str]:
        """The fields with a role that the reader may see and that hold something."""
        shown = (name for name in self.declared.with_role(role) if name not in self.hidden)
        return [name for name in shown if getattr(self.record, name) not in (None, "")]

    def row(self, names: Iterable[str]) -> Mapping[str, Any]:
        """The values that cells need for these fields, currencies included."""
        currencies = [c for name in names if (c := self.declared.currency_of(name)) is not None]
        return {name: value_of(self.record, self.declared, name) for name in (*names, *currencies)}

    def cell(self, name: str) -> Cell:
        """The value of a field."""
        return self.cells.cell(name, self.declared.fields[name], self.row((name,)))

    def guarded(self, plugin: str, call: Callable[[], Any]) -> Any:
        """A plugin's answer, or None when it raised: the page stays up and the log says why."""
        try:
            with self.ctx.reading(), Inside(self.visit.registry.plugins[plugin]):
                return call()
        except Exception:
            if current_app.debug:
                raise
            log.exception("a part of the page by the module %s failed", plugin)
            return None
