"""Taking the last move of a record back, by whoever made it, as long as nothing else happened to the record since."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from comptoir.context import unrestricted
from comptoir.db.record import Record
from comptoir.db.workflow import Transition, Workflow
from comptoir.errors import Conflict
from comptoir.i18n import _
from comptoir.records.history import HistoryEntry
from comptoir.records.write.refusal import put_back_when_refused
from comptoir.records.write.save import write_batch

if TYPE_CHECKING:
    from comptoir.context import Context

WITHIN = dt.timedelta(minutes=10)
"""How long a move can be taken back; later on a move back is a move like any other."""


def take_back(ctx: Context, record: Record) -> Transition:
    """Undo the actor's last move of a record: its stage and all that the move changed are as before.

    Needs the right to edit the record, but not the one that the same move needs later on, such as to reopen what is
    closed.  Raises `Conflict` when somebody did something else to the record since, or too much time has passed.
    """
    declared = ctx.registry.record_type(type(record))
    workflow = declared.declaration.workflow
    entry = _last_entry(ctx, declared.name, record.id)
    if workflow is None or entry is None or entry.action != "moved" or workflow.field not in entry.changes:
        raise Conflict(_("Something else happened to it since. Move it by hand."))
    if entry.user_id != ctx.actor.id:
        raise Conflict(_("Somebody else moved it since. Move it by hand."))
    if ctx.now() - entry.at > WITHIN:
        raise Conflict(_("That was too long ago to be undone. Move it by hand."))
    ctx.require(declared.permission("write"), [record])
    back = way_back(ctx, record, workflow, str(entry.changes[workflow.field][0]))
    locked = declared.locked_fields(ctx.actor.grants)
    with put_back_when_refused([record]):
        for name, (value, _after) in entry.changes.items():
            described = declared.fields.get(name)
            if described is not None and "." not in name and name not in locked and not described.kind.lined:
                kept = None if value is None else described.kind.from_json(described, value)
                setattr(record, name, kept)
    write_batch(ctx, [record], chosen={record: back})
    return back


def way_back(ctx: Context, record: Record, workflow: Workflow, stage: str) -> Transition:
    """The transition to a stage where the record was before, which needs no right and asks nothing."""
    here = getattr(record, workflow.field)
    found = next((t for t in workflow.transitions(ctx, record) if t.target == stage and t.applies_to(here)), None)
    return replace(found or Transition("undo", _("Undo"), stage), permission=None, asks=())


def _last_entry(ctx: Context, record_type: str, record_id: int) -> HistoryEntry | None:
    return unrestricted(ctx, "the last move").scalar(
        select(HistoryEntry)
        .where(HistoryEntry.record_type == record_type, HistoryEntry.record_id == record_id)
        .order_by(HistoryEntry.id.desc())
        .limit(1)
    )
