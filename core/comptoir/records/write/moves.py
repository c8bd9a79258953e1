"""Records taken through the transitions of their workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comptoir.db.record import Record
from comptoir.db.workflow import Transition
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.write.refusal import gather, put_back_when_refused
from comptoir.records.write.save import save

if TYPE_CHECKING:
    from comptoir.context import Context


def move(ctx: Context, record: Record, transition: str, values: Mapping[str, Any] | None = None) -> Transition:
    """Take a record through a transition of its workflow; ``values`` are the fields that the transition asks for."""
    declared = ctx.registry.record_type(type(record))
    workflow = declared.declaration.workflow
    if workflow is None:
        raise NotFound(_("{label} has no stages.", label=declared.declaration.label))
    ctx.require(declared.permission("write"), [record])
    here = getattr(record, workflow.field)
    candidates = [t for t in workflow.transitions(ctx, record) if t.name == transition]
    if not candidates:
        raise NotFound(_("There is no transition {name}.", name=transition))
    chosen: Transition | None = next((t for t in candidates if t.applies_to(here)), None)
    if chosen is None:
        allowed = ", ".join(t.name for t in workflow.moves_from(ctx, record)) or "–"
        raise RuleViolation(
            "core.wrong_stage",
            _(
                "{transition} does not start at this stage. From here: {allowed}.",
                transition=transition,
                allowed=allowed,
            ),
            field=workflow.field,
        )
    if chosen.permission is not None:
        ctx.require(chosen.permission, [record])
    given = dict(values or {})
    missing = [
        RuleViolation("core.required", _("Fill in {label}.", label=declared.fields[name].label), field=name)
        for name in chosen.asks
        if given.get(name) in (None, "") and getattr(record, name) in (None, "")
    ]
    if missing:
        raise RuleViolations(missing)
    with ctx.session.no_autoflush, put_back_when_refused([record]):
        for name, value in given.items():
            setattr(record, name, value)
        gather(ctx.each_hook("check_transition", ctx=ctx, record=record, transition=chosen))
        setattr(record, workflow.field, chosen.target)
    with ctx.moving(record, chosen):
        save(ctx, [record], action="moved")
    ctx.hooks.on_transition(ctx=ctx, record=record, transition=chosen)
    return chosen
