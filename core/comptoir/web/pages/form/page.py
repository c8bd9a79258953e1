"""The form of a record type: shown, sent, and shown again with everything that was typed when something is wrong."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from comptoir.db.record import Record
from comptoir.errors import Conflict as Stale
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import load
from comptoir.records.write import save
from comptoir.web.frame import page, redirect_with
from comptoir.web.models.form import FormPage
from comptoir.web.models.shell import Toast
from comptoir.web.pages.form.conflict import conflict
from comptoir.web.pages.form.inputs import each_violation, read_text
from comptoir.web.pages.form.sent import Sent
from comptoir.web.pages.form.view import RecordForm
from comptoir.web.session import Visit


def show_new(visit: Visit, declared: DeclaredType) -> Response:
    """An empty form, filled from the address where it names fields."""
    visit.context.require(declared.permission("create"))
    sent = Sent()
    for name, text in request.args.items():
        wire = declared.by_path.get(name)
        if wire is not None:
            value, problem = read_text(visit, declared.fields[wire], text, wire, declared)
            if problem is None:
                sent.take(wire, text, (value, None))
    return _page(RecordForm(visit, declared, declared.model(), sent))


def show_edit(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """The form of a record."""
    return _page(RecordForm(visit, declared, _to_change(visit, declared, record_id)))


def create(visit: Visit, declared: DeclaredType) -> Response:
    """Save a new record; on trouble the form again, with everything that was typed."""
    visit.context.require(declared.permission("create"))
    record = declared.model()
    sent = RecordForm(visit, declared, record).read()
    if _save(visit, declared, record, sent):
        return _saved(declared, record, sent, _("{title} is created", title=declared.title_of(record)))
    return _page(RecordForm(visit, declared, declared.model(), sent))


def update(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Save a changed record; a newer version of somebody else's is shown beside one's own."""
    record = _to_change(visit, declared, record_id)
    sent = RecordForm(visit, declared, record).read()
    is_stale = request.form.get("version", "") != str(record.version)
    try:
        if not is_stale and _save(visit, declared, record, sent):
            return _saved(declared, record, sent, _("{title} is saved", title=declared.title_of(record)))
    except Stale:
        visit.context.session.refresh(record)
        is_stale = True
    return _page(RecordForm(visit, declared, record, sent), stale=is_stale)


def _to_change(visit: Visit, declared: DeclaredType, record_id: int) -> Record:
    record = load(visit.context, declared.model, record_id)
    visit.context.require(declared.permission("write"), record)
    return record


def _save(visit: Visit, declared: DeclaredType, record: Record, sent: Sent) -> bool:
    """Whether all went well; what did not is noted in what was sent."""
    if sent.violations:
        return False
    try:
        with visit.context.savepoint():
            sent.apply(visit.context, declared, record)
            save(visit.context, [record])
    except (RuleViolation, RuleViolations) as refused:
        sent.violations += each_violation(refused)
    return not sent.violations


def _saved(declared: DeclaredType, record: Record, sent: Sent, text: Any) -> Response:
    said = Toast(" ".join([str(text), *sent.remarks(declared, record)]))
    is_followed = request.form.get("then") == "new"
    return redirect_with(f"{declared.url}/new" if is_followed else f"{declared.url}/{record.id}", said)


def _page(form: RecordForm, *, stale: bool = False) -> Response:
    declared, record, is_new = form.declared, form.record, form.is_new
    label = str(declared.declaration.label).lower()
    title = str(_("New {label}", label=label)) if is_new else declared.title_of(record)
    base = declared.url if is_new else f"{declared.url}/{record.id}"
    model = FormPage(
        title,
        f"{base}/new" if is_new else f"{base}/edit",
        form.sections,
        base,
        str(_("Save {label}", label=label)),
        version=None if is_new else record.version,
        errors=tuple(form.form_errors()),
        conflict=conflict(form) if stale else None,
        draft_key=f"{declared.name}:{'new' if is_new else f'{record.id}:{record.version}'}",
        keep=tuple((name, str(record_id)) for name, record_id in form.along.items()),
        second_submit=str(_("Save and add another")) if is_new else "",
    )
    crumbs: list[Any] = [(declared.declaration.plural, declared.url)]
    crumbs += [title] if is_new else [(title, base), _("Edit")]
    status = 409 if stale else (422 if form.sent is not None and form.sent.violations else 200)
    return page("records/form.html", model, crumbs=crumbs, status=status)
