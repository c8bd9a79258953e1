"""Records taken through the transitions of their workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comptoir.db.record import Record
from comptoir.db.workflow import Transition
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.write.assign import assign
from comptoir.records.write.refusal import put_back_when_refused
from comptoir.records.write.save import write_batch

if TYPE_CHECKING:
    from comptoir.context import Context


def move(
    ctx: Context, record: Record, transition: str | Transition, values: Mapping[str, Any] | None = None
) -> Transition:
    """Take a record through a transition of its workflow; ``values`` are the fields that the transition asks for or offers.

    A transition that the workflow offers to nobody, because a service alone makes it, is passed itself.
    """
    declared = ctx.registry.record_type(type(record))
    workflow = declared.declaration.workflow
    if workflow is None:
        raise NotFound(_("{label} has no stages.", label=declared.declaration.label))
    ctx.require(declared.permission("write"), [record])
    here = getattr(record, workflow.field)
    if isinstance(transition, Transition):
        candidates = [transition]
    else:
        candidates = [t for t in workflow.transitions(ctx, record) if t.name == transition]
    if not candidates:
        raise NotFound(_("There is no transition {name}.", name=transition))
    chosen = next((t for t in candidates if t.applies_to(here)), None)
    if chosen is None:
        allowed = ", ".join(t.name for t in workflow.moves_from(ctx, record)) or "–"
        raise RuleViolation(
            "core.wrong_stage",
            _(
                "{transition} does not start at this stage. From here: {allowed}.",
                transition=candidates[0].name,
                allowed=allowed,
            ),
            field=workflow.field,
        )
    given = dict(values or {})
    if strangers := given.keys() - set(chosen.takes):
        raise RuleViolations(
            RuleViolation("core.not_asked", _("{transition} does not ask for it.", transition=chosen.name), field=name)
            for name in sorted(strangers)
        )
    with put_back_when_refused([record]):
        assign(ctx, record, given)
        setattr(record, workflow.field, chosen.target)
    write_batch(ctx, [record], chosen={record: chosen})
    return chosen
