"""The mark of what is planned next with a record: late, today, planned or nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from comptoir.formats import Formats
from comptoir.i18n import Text, _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.planned import Planned, next_planned
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


def _cell(formats: Formats, planned: Planned) -> Cell:
    late = (formats.today - planned.on).days
    if planned.mark == "late":
        note = str(_("{count} d late", count=late))
    elif planned.mark == "today" and planned.at is not None:
        note = formats.time(planned.at)
    else:
        note = formats.near_day(planned.on)
    return Cell(f"{LABELS[planned.mark]}: {planned.declared.declaration.label}", "act", tone=planned.mark, note=note)
