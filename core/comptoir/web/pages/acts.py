"""The mark of what is planned next with a record: late, today, planned or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from comptoir.formats import Formats
from comptoir.i18n import Text, _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.planned import Planned, is_followed_up, next_planned
from comptoir.web.models.list import ListPage
from comptoir.web.models.table import EMPTY, Column
from comptoir.web.session import Visit

LABELS: Mapping[str, Text] = {"late": _("Late"), "today": _("Due today"), "plan": _("Planned")}
NOTHING = _("Nothing planned")


def acts_of(visit: Visit, declared: DeclaredType, ids: Collection[int]) -> Mapping[int, Cell]:
    """By id the marks of records with which something is planned; one statement for all of them."""
    found = next_planned(visit.context, declared, ids) if declared.declaration.timeline else {}
    return {record_id: _cell(visit.formats, planned) for record_id, planned in found.items()}


def nothing_planned() -> Cell:
    """The mark of a record with which nothing is planned."""
    return Cell(str(NOTHING), "act", tone="none", note=" ")


def with_acts(visit: Visit, declared: DeclaredType, model: ListPage) -> ListPage:
    """A list with a last column of marks, where one follows its records up; one statement more."""
    if not is_followed_up(visit.context, declared):
        return model
    rows = {row.id: row for row in (*model.rows, *(row for group in model.groups for row in group.rows))}
    acts = acts_of(visit, declared, [int(record_id) for record_id in rows])
    # nothing need be planned with what is closed, and only a board tells that apart
    none = nothing_planned() if declared.declaration.workflow is None else EMPTY
    rows = {id_: replace(row, cells=(*row.cells, acts.get(int(id_), none))) for id_, row in rows.items()}
    return replace(
        model,
        columns=(*model.columns, Column("act", str(_("Next")), "act")),
        rows=tuple(rows[row.id] for row in model.rows),
        groups=tuple(
            replace(g, rows=tuple(rows[row.id] for row in g.rows), totals=(*g.totals, EMPTY)) for g in model.groups
        ),
        totals=(*model.totals, EMPTY) if model.totals else (),
    )


def _cell(formats: Formats, planned: Planned) -> Cell:
    late = (formats.today - planned.on).days
    if planned.mark == "late":
        note = str(_("{count} d late", count=late))
    elif planned.mark == "today" and planned.at is not None:
        note = formats.time(planned.at)
    else:
        note = formats.near_day(planned.on)
    return Cell(f"{LABELS[planned.mark]}: {planned.declared.declaration.label}", "act", tone=planned.mark, note=note)
