"""What can be done with a record from its page: reach it, edit it, throw it away, and what modules offer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request

from comptoir.contributions import Action as Deed
from comptoir.contributions.parts import OF_REQUESTS
from comptoir.db.record import Record
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import load
from comptoir.records.write import archive, delete, restore
from comptoir.web.frame import redirect_with
from comptoir.web.models.form import AskForm
from comptoir.web.models.shell import Action, Toast
from comptoir.web.pages.form.asked import Asked, answer_form, errors_of
from comptoir.web.pages.form.inputs import Input, each_violation
from comptoir.web.pages.form.sent import Sent
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit
from comptoir.web.versions import check_seen, of_form


def buttons(view: RecordView) -> Iterator[Action]:
    """The buttons of the head."""
    reached = {role: view.declared.reached_by(role, view.record, view.grants) for role in ("dial", "mail")}
    if number := next((n for n in reached["dial"] if any(c.isdigit() for c in n)), ""):
        yield Action(str(_("Call")), f"tel:{number}", "phone")
    if address := next(reached["mail"], ""):
        yield Action(str(_("Mail")), f"mailto:{address}", "mail")
    for deed in _contributed(view):
        yield Action(
            str(deed.label), f"{view.url}/actions/{deed.name}", deed.icon, post=not deed.asks, tone="primary",
            fields=of_form(view.record), asks=bool(deed.asks),
        )  # fmt: skip
    if view.may("write"):
        yield Action(str(_("Edit")), f"{view.url}/edit", "edit", key="E", hidden_on_phone=True)


def _contributed(view: RecordView) -> Iterator[Deed]:
    for plugin, deed in view.registry.contributions(Deed):
        if deed.on is not view.declared.model or not view.ctx.may(deed.permission, view.record):
            continue
        shown = deed.shown
        if shown is None or view.guarded(plugin.name, lambda shown=shown: shown(view.ctx, view.record)):  # type: ignore[misc]
            yield deed


def menu(view: RecordView) -> Iterator[Action]:
    """What is done less often."""
    fields = of_form(view.record)
    in_bin = view.record.archived_at is not None
    if view.may("write"):
        yield Action(str(_("Edit")), f"{view.url}/edit", "edit")
        if in_bin:
            yield Action(str(_("Restore from the bin")), f"{view.url}/restore", "undo", post=True, fields=fields)
        else:
            yield Action(str(_("Move to the bin")), f"{view.url}/archive", "trash", post=True, fields=fields)
    if in_bin and view.may("delete"):
        yield Action(
            str(_("Delete for good")), f"{view.url}/delete", "trash", post=True, tone="danger", fields=fields,
            confirm=str(_("Delete {title} for good? This cannot be taken back.", title=view.title)),
        )  # fmt: skip


# -- what their forms do ----------------------------------------------------------------------------------------------------


def _seen(visit: Visit, declared: DeclaredType, record_id: int) -> tuple[Record, str]:
    """The record in the version that the form was made from, and its title."""
    record = load(visit.context, declared.model, record_id)
    check_seen(record)
    return record, declared.title_of(record)


def put_away(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Move a record to the bin."""
    record, title = _seen(visit, declared, record_id)
    archive(visit.context, [record])
    text = str(_("{title} moved to the bin", title=title))
    return redirect_with(declared.url, Toast(text, f"{declared.url}/{record_id}/restore", of_form(record)))


def bring_back(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Take a record out of the bin."""
    record, title = _seen(visit, declared, record_id)
    restore(visit.context, [record])
    return redirect_with(f"{declared.url}/{record_id}", Toast(str(_("{title} restored", title=title))))


def remove(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Delete a record for good."""
    record, title = _seen(visit, declared, record_id)
    delete(visit.context, [record])
    return redirect_with(declared.url, Toast(str(_("{title} deleted", title=title))))


def ask(visit: Visit, declared: DeclaredType, record_id: int, name: str) -> Response:
    """What a plugin's button asks for."""
    view = RecordView.of(visit, declared, record_id)
    deed = _named(view, name)
    if not deed.asks:
        return redirect_with(view.url)
    return answer_form(_form(view, deed, None), declared)


def act(visit: Visit, declared: DeclaredType, record_id: int, name: str) -> Response:
    """Do what a plugin's button does, and go where it leads; where what it asks for is missing or wrong, ask again."""
    view = RecordView.of(visit, declared, record_id)
    deed = _named(view, name)
    check_seen(view.record)
    if not deed.asks:
        given = {k: v for k, v in request.form.items() if k not in OF_REQUESTS}
        return _done(view, deed, deed.perform(view.ctx, view.record, given))
    sent = _asked(view, deed).read()
    if not sent.violations:
        try:
            with view.ctx.savepoint():
                found = deed.perform(view.ctx, view.record, sent.values)
        except (RuleViolation, RuleViolations) as refused:
            sent.violations += each_violation(refused)
        else:
            return _done(view, deed, found)
    return answer_form(_form(view, deed, sent), declared)


def _named(view: RecordView, name: str) -> Deed:
    deed = next((deed for deed in _contributed(view) if deed.name == name), None)
    if deed is None:
        raise NotFound(_("There is no action {name} here.", name=name[:60]))
    return deed


def _asked(view: RecordView, deed: Deed) -> Asked:
    begins = deed.begins(view.ctx, view.record)
    inputs = [
        Input(
            name, described, described.label, required=described.required, help=described.help or "", value=begins[name]
        )
        for name, described in deed.asked(view.grants).items()
    ]
    return Asked(view.visit, view.declared, view.record, inputs)


def _form(view: RecordView, deed: Deed, sent: Sent | None) -> AskForm:
    fields = tuple(_asked(view, deed).shown(sent))
    return AskForm(
        str(deed.label), view.title, f"{view.url}/actions/{deed.name}", fields=fields, keep=of_form(view.record),
        cancel_url=view.url, errors=errors_of(sent.violations if sent is not None else (), fields),
    )  # fmt: skip


def _done(view: RecordView, deed: Deed, found: Any) -> Response:
    """Say what was done, and go to the record that it led to."""
    ctx, target = view.ctx, view.url
    if isinstance(found, Record):
        ctx.session.flush()
        target = f"{ctx.registry.record_type(type(found)).url}/{found.id}"
    said = deed.said(ctx, view.record, found) if deed.said is not None else _("“{deed}” is done", deed=deed.label)
    undo = f"{view.url}/actions/{deed.undo}" if deed.undo else ""
    return redirect_with(target, Toast(str(said), undo, of_form(view.record) if undo else ()))
