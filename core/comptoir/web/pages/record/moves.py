"""From stage to stage: the bar of a record's stages, the form of a move that asks for something, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flask import Response, request

from comptoir.db.record import Record
from comptoir.db.workflow import Transition
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, load, run
from comptoir.records.write import move
from comptoir.records.write.undo import take_back as take_last_move_back
from comptoir.web.frame import is_partial, page, part, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.form import MoveForm, StageStep
from comptoir.web.models.input import FormError, Option
from comptoir.web.models.shell import Toast
from comptoir.web.pages.form.page import each_violation, inputs_for, read_text
from comptoir.web.session import Visit, current_visit
from comptoir.web.versions import check_seen

FEW = 30
"""Up to so many candidates stand in a list; more are searched for."""


def steps(visit: Visit, declared: DeclaredType, record: Record) -> tuple[StageStep, ...]:
    """The stages of a record, where it stands, and which of the others it may go to."""
    workflow = declared.declaration.workflow
    if workflow is None:
        return ()
    ctx = visit.context
    stages = workflow.stages(ctx, record)
    here = getattr(record, workflow.field)
    at = next((number for number, stage in enumerate(stages) if stage.name == here), -1)
    may_move = record.archived_at is None and ctx.may(declared.permission("write"), record)
    moves = {t.target: t for t in reversed(_usable(visit, declared, record))} if may_move else {}
    return tuple(
        StageStep(
            stage.name, str(stage.label),
            state="now" if number == at else "done" if number < at and not stages[at].closes and not stage.closes else "",
            outcome="" if not stage.closes else "lost" if stage.won is False else "won",
            asks_url=f"{declared.url}/{record.id}/move?to={stage.name}" if stage.name in moves and moves[stage.name].asks else "",
            reachable=stage.name in moves,
        )
        for number, stage in enumerate(stages)
    )  # fmt: skip


def _usable(visit: Visit, declared: DeclaredType, record: Record) -> list[Transition]:
    """The moves from here that the reader's rights leave."""
    workflow = declared.declaration.workflow
    assert workflow is not None
    ctx = visit.context
    return [
        t for t in workflow.moves_from(ctx, record) if t.permission is None or ctx.may(t.permission, record)
    ]  # fmt: skip


def attempt(visit: Visit, declared: DeclaredType, record: Record, target: str, came_from: str) -> Toast | MoveForm:
    """Move a record: what to say of it, or the form of the move where what it asks for is missing or wrong."""
    ctx, workflow = visit.context, declared.declaration.workflow
    assert workflow is not None
    check_seen(record)
    chosen = _towards(visit, declared, record, target)
    values, texts, violations = _asked(visit, declared, chosen)
    if not violations:
        try:
            with ctx.savepoint():
                move(ctx, record, chosen.name, values)
        except (RuleViolation, RuleViolations) as refused:
            if not chosen.asks:
                raise
            violations += each_violation(refused)
        else:
            ctx.session.refresh(record)
            return said(visit, declared, record, came_from)
    return _form(visit, declared, record, chosen, texts, violations, came_from)


def said(visit: Visit, declared: DeclaredType, record: Record, came_from: str) -> Toast:
    """What to say after a move, with the way back."""
    workflow = declared.declaration.workflow
    assert workflow is not None
    here = workflow.stage(visit.context, getattr(record, workflow.field), record)
    text = str(_("{title}: {stage}", title=declared.title_of(record), stage=here.label if here is not None else ""))
    fields = (("version", str(record.version)), ("next", came_from))
    return Toast(text, f"{declared.url}/{record.id}/move/undo", fields)


def _towards(visit: Visit, declared: DeclaredType, record: Record, target: str) -> Transition:
    workflow = declared.declaration.workflow
    assert workflow is not None
    moves = workflow.moves_from(visit.context, record)
    usable = [t for t in _usable(visit, declared, record) if t.target == target]
    chosen = next((t for t in [*usable, *moves] if t.target == target), None)
    if chosen is None:
        raise RuleViolation("core.wrong_stage", _("It cannot move there from its stage."), field=workflow.field)
    return chosen


def _asked(
    visit: Visit, declared: DeclaredType, transition: Transition
) -> tuple[dict[str, Any], dict[str, str], list[RuleViolation]]:
    """What the transition asks for, read as on any form: values, texts as typed, and what could not be read."""
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    violations: list[RuleViolation] = []
    for name in transition.takes:
        text = request.form.get(name, "") or request.form.get(f"{name}.text", "")
        texts[name] = text
        value, problem = read_text(visit, declared.fields[name], text, name, declared)
        if problem is not None:
            violations.append(problem)
        elif value is not None:
            values[name] = value
    return values, texts, violations


def _form(
    visit: Visit, declared: DeclaredType, record: Record, transition: Transition, texts: dict[str, str],
    violations: Sequence[RuleViolation], came_from: str,
) -> MoveForm:  # fmt: skip
    workflow = declared.declaration.workflow
    assert workflow is not None
    stage = workflow.stage(visit.context, transition.target, record)
    errors = {v.field: str(v) for v in reversed(violations) if v.field}
    inputs = []
    for number, made in enumerate(inputs_for(visit, declared, transition.takes, record)):
        options = _candidates(visit, declared, made.name) if made.kind == "reference" else made.options
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
        str(_("Move to {stage}", stage=label)), declared.title_of(record), f"{declared.url}/{record.id}/move",
        fields=tuple(inputs), keep=(("to", transition.target), ("version", str(record.version)), ("next", came_from)),
        danger=stage is not None and stage.won is False, cancel_url=f"{declared.url}/{record.id}",
        errors=tuple(FormError(str(v), known.get(v.field or "", "")) for v in violations),
    )  # fmt: skip


def _candidates(visit: Visit, declared: DeclaredType, name: str) -> tuple[Option, ...]:
    """All that a reference may point at, where they are few; none where they are better searched for."""
    target = visit.context.registry.target_of(str(declared.fields[name].target))
    if target is None:
        return ()
    sort = (target.title,) if target.fields[target.title].sortable else ()
    rows = run(visit.context, target, Query(fields=(target.title,), sort=sort, size=FEW + 1), total=False).rows
    if len(rows) > FEW:
        return ()
    return tuple(Option(str(row["id"]), str(row.get(target.title) or row["id"])) for row in rows)


def answer_form(model: MoveForm, declared: DeclaredType) -> Response:
    """The form of a move, as a part for a dialog or as a page."""
    status = 422 if model.errors else 200
    if is_partial():
        return part("records/_move.html", model, status=status)
    crumbs: Iterable[Any] = [
        (declared.declaration.plural, declared.url),
        (model.subject, model.cancel_url),
        model.title,
    ]
    return page("records/move.html", model, crumbs=list(crumbs), status=status)


# -- pages ------------------------------------------------------------------------------------------------------------------


def show(declared: DeclaredType, record_id: int) -> Response:
    """The form of one move, or where no move is named, all that can be made."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    visit.context.require(declared.permission("write"), record)
    came_from = own_path(declared, request.args.get("next", ""), f"{declared.url}/{record_id}")
    target = request.args.get("to", "")
    if target:
        chosen = _towards(visit, declared, record, target)
        return answer_form(_form(visit, declared, record, chosen, {}, (), came_from), declared)
    title = declared.title_of(record)
    model = MoveForm(
        str(_("Move {name} to", name=title)), title, f"{declared.url}/{record_id}/move",
        steps=steps(visit, declared, record), keep=(("version", str(record.version)), ("next", came_from)),
        cancel_url=f"{declared.url}/{record_id}",
    )  # fmt: skip
    return answer_form(model, declared)


def take(declared: DeclaredType, record_id: int) -> Response:
    """Take a record to another stage and go back to where the reader came from."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    came_from = own_path(declared, request.form.get("next", ""), f"{declared.url}/{record_id}")
    try:
        outcome = attempt(visit, declared, record, request.form.get("to", ""), came_from)
    except ComptoirError as refused:
        if refused.status >= 500:
            raise
        return redirect_with(came_from, Toast(str(refused), tone="bad"))
    if isinstance(outcome, MoveForm):
        return answer_form(outcome, declared)
    return redirect_with(came_from, outcome)


def undo(declared: DeclaredType, record_id: int) -> Response:
    """Take the reader's last move back."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    came_from = own_path(declared, request.form.get("next", ""), f"{declared.url}/{record_id}")
    try:
        check_seen(record)
        with visit.context.savepoint():
            take_last_move_back(visit.context, record)
    except ComptoirError as refused:
        if refused.status >= 500:
            raise
        return redirect_with(came_from, Toast(str(refused), tone="bad"))
    visit.context.session.refresh(record)
    return redirect_with(came_from, said(visit, declared, record, came_from))


def own_path(declared: DeclaredType, wished: str, otherwise: str) -> str:
    """A page of this record type to return to."""
    fine = wished.isprintable() and "\\" not in wished and wished.startswith((f"{declared.url}/", f"{declared.url}?"))
    return wished if fine or wished == declared.url else otherwise


def record_of_form(declared: DeclaredType) -> Record:
    """The record whose id the form carries."""
    record_id = id_of(request.form.get("record", ""))
    if record_id is None:
        raise NotFound(_("Say which record to move."))
    return load(current_visit().context, declared.model, record_id)
