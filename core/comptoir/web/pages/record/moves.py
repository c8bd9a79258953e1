"""From stage to stage: the bar of a record's stages, the form of a move that asks for something, and the way back."""

from __future__ import annotations

from flask import Response, request

from comptoir.db.workflow import Transition
from comptoir.errors import ComptoirError, NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.write import move
from comptoir.records.write.undo import take_back as take_last_move_back
from comptoir.web.addresses import own_path
from comptoir.web.frame import redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.form import AskForm, StageStep
from comptoir.web.models.shell import Toast
from comptoir.web.pages.form.asked import Asked, answer_form, errors_of
from comptoir.web.pages.form.inputs import Input, each_violation
from comptoir.web.pages.form.sent import Sent
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit
from comptoir.web.versions import check_seen


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


def attempt(view: RecordView, target: str, came_from: str) -> Toast | AskForm:
    """Move a record: what to say of it, or the form of the move where what it asks for is missing or wrong."""
    ctx = view.ctx
    check_seen(view.record)
    chosen = _towards(view, target)
    sent = _asked(view, chosen).read()
    if not sent.violations:
        try:
            with ctx.savepoint():
                move(ctx, view.record, chosen.name, {n: v for n, v in sent.values.items() if v is not None})
        except (RuleViolation, RuleViolations) as refused:
            if not chosen.asks:
                raise
            sent.violations += each_violation(refused)
        else:
            ctx.session.refresh(view.record)
            return said(view, came_from)
    return _form(view, chosen, sent, came_from)


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


def _asked(view: RecordView, transition: Transition) -> Asked:
    """What the transition asks for."""
    fields = [(name, view.declared.fields[name]) for name in transition.takes]
    inputs = [
        Input(name, described, described.label, required=name in transition.asks, help=described.help or "")
        for name, described in fields
    ]
    return Asked(view.visit, view.declared, view.record, inputs)


def _form(view: RecordView, transition: Transition, sent: Sent | None, came_from: str) -> AskForm:
    stage = view.workflow.stage(view.ctx, transition.target, view.record)
    label = str(stage.label) if stage is not None else transition.target
    fields = tuple(_asked(view, transition).shown(sent))
    return AskForm(
        str(_("Move to {stage}", stage=label)), view.title, f"{view.url}/move",
        fields=fields, keep=(("to", transition.target), ("version", str(view.record.version)), ("next", came_from)),
        danger=stage is not None and stage.won is False, cancel_url=view.url,
        errors=errors_of(sent.violations if sent is not None else (), fields),
    )  # fmt: skip


# -- pages ------------------------------------------------------------------------------------------------------------------


def show(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """The form of one move, or where no move is named, all that can be made."""
    view = RecordView.of(visit, declared, record_id)
    view.ctx.require(declared.permission("write"), view.record)
    came_from = own_path(request.args.get("next", ""), view.url, below=declared.url)
    target = request.args.get("to", "")
    if target:
        return answer_form(_form(view, _towards(view, target), None, came_from), declared)
    model = AskForm(
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
    return answer_form(outcome, declared) if isinstance(outcome, AskForm) else redirect_with(came_from, outcome)


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
