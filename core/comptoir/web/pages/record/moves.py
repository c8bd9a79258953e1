"""From stage to stage: the bar of a record's stages, the form of a move that asks for something, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Response, request

from comptoir.db.workflow import Transition
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, run
from comptoir.records.write import move
from comptoir.records.write.undo import take_back as take_last_move_back
from comptoir.web.addresses import own_path
from comptoir.web.frame import is_partial, page, part, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.form import MoveForm, StageStep
from comptoir.web.models.input import FormError, Option
from comptoir.web.models.shell import Toast
from comptoir.web.pages.form.inputs import each_violation, inputs_for, read_text
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit
from comptoir.web.versions import check_seen

FEW = 30
"""Up to so many candidates stand in a list; more are searched for."""


def steps(view: RecordView) -> tuple[StageStep, ...]:
    """The stages of a record, where it stands, and which of the others it may go to."""
    workflow = view.declared.declaration.workflow
    if workflow is None:
        return ()
    ctx = view.ctx
    stages = workflow.stages(ctx, view.record)
    here = getattr(view.record, workflow.field)
    at = next((number for number, stage in enumerate(stages) if stage.name == here), -1)
    may_move = view.record.archived_at is None and view.may("write")
    moves = {t.target: t for t in reversed(_usable(view))} if may_move else {}
    return tuple(
        StageStep(
            stage.name, str(stage.label),
            state="now" if number == at else "done" if number < at and not stages[at].closes and not stage.closes else "",
            outcome="" if not stage.closes else "lost" if stage.won is False else "won",
            asks_url=f"{view.url}/move?to={stage.name}" if stage.name in moves and moves[stage.name].asks else "",
            reachable=stage.name in moves,
        )
        for number, stage in enumerate(stages)
    )  # fmt: skip


def _usable(view: RecordView) -> list[Transition]:
    """The moves from here that the reader's rights leave."""
    found = view.workflow.moves_from(view.ctx, view.record)
    return [t for t in found if t.permission is None or view.ctx.may(t.permission, view.record)]


def attempt(view: RecordView, target: str, came_from: str) -> Toast | MoveForm:
    """Move a record: what to say of it, or the form of the move where what it asks for is missing or wrong."""
    ctx = view.ctx
    check_seen(view.record)
    chosen = _towards(view, target)
    values, texts, violations = _asked(view, chosen)
    if not violations:
        try:
            with ctx.savepoint():
                move(ctx, view.record, chosen.name, values)
        except (RuleViolation, RuleViolations) as refused:
            if not chosen.asks:
                raise
            violations += each_violation(refused)
        else:
            ctx.session.refresh(view.record)
            return said(view, came_from)
    return _form(view, chosen, texts, violations, came_from)


def said(view: RecordView, came_from: str) -> Toast:
    """What to say after a move, with the way back."""
    here = view.workflow.stage(view.ctx, getattr(view.record, view.workflow.field), view.record)
    title = view.declared.title_of(view.record)
    text = str(_("{title}: {stage}", title=title, stage=here.label if here is not None else ""))
    fields = (("version", str(view.record.version)), ("next", came_from))
    return Toast(text, f"{view.url}/move/undo", fields)


def _towards(view: RecordView, target: str) -> Transition:
    moves = view.workflow.moves_from(view.ctx, view.record)
    usable = [t for t in _usable(view) if t.target == target]
    chosen = next((t for t in [*usable, *moves] if t.target == target), None)
    if chosen is None:
        raise RuleViolation("core.wrong_stage", _("It cannot move there from its stage."), field=view.workflow.field)
    return chosen


def _asked(view: RecordView, transition: Transition) -> tuple[dict[str, Any], dict[str, str], list[RuleViolation]]:
    """What the transition asks for, read as on any form: values, texts as typed, and what could not be read."""
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    violations: list[RuleViolation] = []
    for name in transition.takes:
        text = request.form.get(name, "") or request.form.get(f"{name}.text", "")
        texts[name] = text
        value, problem = read_text(view.visit, view.declared.fields[name], text, name, view.declared)
        if problem is not None:
            violations.append(problem)
        elif value is not None:
            values[name] = value
    return values, texts, violations


def _form(
    view: RecordView, transition: Transition, texts: dict[str, str], violations: Sequence[RuleViolation], came_from: str
) -> MoveForm:
    stage = view.workflow.stage(view.ctx, transition.target, view.record)
    errors = {v.field: str(v) for v in reversed(violations) if v.field}
    inputs = []
    for number, made in enumerate(inputs_for(view.visit, view.declared, transition.takes, view.record)):
        options = _candidates(view, made.name) if made.kind == "reference" else made.options
        kind = "choice" if made.kind == "reference" and options else made.kind
        if kind == "choice" and options and options[0].value:
            options = (Option("", str(_("Choose one"))), *options)
        inputs.append(
            replace(
                made, kind=kind, options=options, value=texts.get(made.name, made.value if kind != "choice" else ""), width=12,
                required=made.name in transition.asks, error=errors.get(made.name, ""), autofocus=number == 0, key=f"move-{made.name}",
            )
        )  # fmt: skip
    label = str(stage.label) if stage is not None else transition.target
    known = {made.name: made.id for made in inputs}
    return MoveForm(
        str(_("Move to {stage}", stage=label)), view.title, f"{view.url}/move",
        fields=tuple(inputs), keep=(("to", transition.target), ("version", str(view.record.version)), ("next", came_from)),
        danger=stage is not None and stage.won is False, cancel_url=view.url,
        errors=tuple(FormError(str(v), known.get(v.field or "", "")) for v in violations),
    )  # fmt: skip


def _candidates(view: RecordView, name: str) -> tuple[Option, ...]:
    """All that a reference may point at, where they are few; none where they are better searched for."""
    target = view.ctx.registry.target_of(str(view.declared.fields[name].target))
    if target is None:
        return ()
    sort = (target.title,) if target.fields[target.title].sortable else ()
    rows = run(view.ctx, target, Query(fields=(target.title,), sort=sort, size=FEW + 1), total=False).rows
    if len(rows) > FEW:
        return ()
    return tuple(Option(str(row["id"]), str(row.get(target.title) or row["id"])) for row in rows)


def answer_form(model: MoveForm, declared: DeclaredType) -> Response:
    """The form of a move, as a part for a dialog or as a page."""
    status = 422 if model.errors else 200
    if is_partial():
        return part("records/_move.html", model, status=status)
    crumbs: list[Any] = [(declared.declaration.plural, declared.url), (model.subject, model.cancel_url), model.title]
    return page("records/move.html", model, crumbs=crumbs, status=status)


# -- pages ------------------------------------------------------------------------------------------------------------------


def show(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """The form of one move, or where no move is named, all that can be made."""
    view = RecordView.of(visit, declared, record_id)
    view.ctx.require(declared.permission("write"), view.record)
    came_from = own_path(request.args.get("next", ""), view.url, below=declared.url)
    target = request.args.get("to", "")
    if target:
        return answer_form(_form(view, _towards(view, target), {}, (), came_from), declared)
    model = MoveForm(
        str(_("Move {name} to", name=view.title)), view.title, f"{view.url}/move", steps=steps(view),
        keep=(("version", str(view.record.version)), ("next", came_from)), cancel_url=view.url,
    )  # fmt: skip
    return answer_form(model, declared)


def take(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Take a record to another stage and go back to where the reader came from."""
    view = RecordView.of(visit, declared, record_id)
    came_from = own_path(request.form.get("next", ""), view.url, below=declared.url)
    try:
        outcome = attempt(view, request.form.get("to", ""), came_from)
    except ComptoirError as refused:
        return _sent_back(refused, came_from)
    return answer_form(outcome, declared) if isinstance(outcome, MoveForm) else redirect_with(came_from, outcome)


def undo(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Take the reader's last move back."""
    view = RecordView.of(visit, declared, record_id)
    came_from = own_path(request.form.get("next", ""), view.url, below=declared.url)
    try:
        check_seen(view.record)
        with view.ctx.savepoint():
            take_last_move_back(view.ctx, view.record)
    except ComptoirError as refused:
        return _sent_back(refused, came_from)
    view.ctx.session.refresh(view.record)
    return redirect_with(came_from, said(view, came_from))


def _sent_back(refused: ComptoirError, came_from: str) -> Response:
    """Why it was not done, said where the reader came from; what is nobody's refusal is raised."""
    if refused.status >= 500:
        raise refused
    return redirect_with(came_from, Toast(str(refused), tone="bad"))


def view_of_form(visit: Visit, declared: DeclaredType) -> RecordView:
    """The record whose id the form carries."""
    record_id = id_of(request.form.get("record", ""))
    if record_id is None:
        raise NotFound(_("Say which record to move."))
    return RecordView.of(visit, declared, record_id)
