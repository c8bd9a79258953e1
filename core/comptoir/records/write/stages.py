"""Every change of a stage is a move: however it was set, its transition's right, questions and hooks apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from comptoir.db.record import Record
from comptoir.db.workflow import Transition, Workflow
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.changes import Change

if TYPE_CHECKING:
    from comptoir.context import Context

Chosen = Mapping[Record, Transition]
"""The transitions that were asked for by name; a stage that was assigned takes the first one that leads there."""


@dataclass(frozen=True, slots=True)
class Move:
    """A record on its way through a transition, and the stage that it leaves."""

    record: Record
    transition: Transition
    before: str

    def checks(self, ctx: Context) -> Iterator[Callable[[], Any]]:
        """Each plugin's check of the move as a call; the record stands at its old stage during it."""
        for check in ctx.each_hook("check_transition", ctx=ctx, record=self.record, transition=self.transition):
            yield partial(self._at_the_old_stage, check)

    def _at_the_old_stage(self, check: Callable[[], Any]) -> None:
        with _standing_at(self.record, self.before):
            check()


def moves_of(ctx: Context, changes: Sequence[Change], chosen: Chosen) -> tuple[list[Move], list[RuleViolation]]:
    """The moves in a batch, and what is missing for them; raises `NotAllowed` where a transition's right is."""
    moves: list[Move] = []
    violations: list[RuleViolation] = []
    for change in changes:
        workflow = ctx.registry.record_type(type(change.record)).declaration.workflow
        if workflow is None or (not change.is_new and workflow.field not in change.fields):
            continue
        if change.is_new:
            violations += _unknown_stage(ctx, workflow, change.record)
            continue
        before = change.fields[workflow.field].before or ""
        transition = chosen.get(change.record) or _transition_to(ctx, workflow, change.record, before)
        if transition is None:
            violations.append(_wrong_stage(workflow, change))
            continue
        if transition.permission is not None:
            ctx.require(transition.permission, [change.record])
        violations += _unanswered(ctx, change.record, transition)
        moves.append(Move(change.record, transition, before))
    return moves, violations


def _transition_to(ctx: Context, workflow: Workflow, record: Record, before: str) -> Transition | None:
    target = getattr(record, workflow.field)
    with _standing_at(record, before):
        possible = workflow.transitions(ctx, record)
    return next((t for t in possible if t.target == target and t.applies_to(before)), None)


@contextmanager
def _standing_at(record: Record, stage: str) -> Iterator[None]:
    field = type(record).__record__.workflow.field  # type: ignore[union-attr]
    after = getattr(record, field)
    setattr(record, field, stage)
    try:
        yield
    finally:
        setattr(record, field, after)


def _unanswered(ctx: Context, record: Record, transition: Transition) -> Iterator[RuleViolation]:
    fields = ctx.registry.record_type(type(record)).fields
    for name in transition.asks:
        if getattr(record, name) in (None, ""):
            yield RuleViolation("core.required", _("Fill in {label}.", label=fields[name].label), field=name)


def _wrong_stage(workflow: Workflow, change: Change) -> RuleViolation:
    moved = change.fields[workflow.field]
    return RuleViolation(
        "core.wrong_stage",
        _("It cannot move from {before} to {after}.", before=moved.before, after=moved.after),
        field=workflow.field,
    )


def _unknown_stage(ctx: Context, workflow: Workflow, record: Record) -> Iterator[RuleViolation]:
    """A new record stands at a stage that there is; workflows whose stages are rows check that themselves."""
    if type(workflow).stages is not Workflow.stages:
        return
    stage, known = getattr(record, workflow.field), [stage.name for stage in workflow.stages(ctx, record)]
    if stage is not None and stage not in known:
        yield RuleViolation(
            "core.unknown_stage",
            _("There is no stage {stage}. Choose one of {known}.", stage=str(stage)[:60], known=", ".join(known)),
            field=workflow.field,
        )
