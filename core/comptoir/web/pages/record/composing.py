"""What is written beside a record's history without leaving its page: notes, calls, tasks, as the modules offer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response, request

from comptoir.contributions import Composer
from comptoir.db.record import Record
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import load
from comptoir.records.write import assign, save
from comptoir.values import RecordRef
from comptoir.web.frame import redirect_with
from comptoir.web.models.input import FieldInput
from comptoir.web.models.record import ComposerView
from comptoir.web.models.shell import Toast
from comptoir.web.pages.cells import wire_name
from comptoir.web.pages.form.page import each_violation, input_text, inputs_for, read_text
from comptoir.web.session import Visit, current_visit


@dataclass(frozen=True)
class Refused:
    """What was typed into a composer, and what is wrong with it."""

    name: str
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def composers(
    visit: Visit, declared: DeclaredType, record: Record, refused: Refused | None = None
) -> tuple[ComposerView, ...]:
    """What the reader may write about a record; the one that was refused comes first, as it was typed."""
    offered = list(_offered(visit, declared, record)) if declared.declaration.timeline else []
    shown = [
        _view(visit, declared, record, c, refused if refused and refused.name == c.name else None) for c in offered
    ]
    return tuple(sorted(shown, key=lambda view: not view.is_refused))


def _offered(visit: Visit, declared: DeclaredType, record: Record) -> Iterator[Composer]:
    ctx = visit.context
    for _plugin, composer in visit.registry.offered(Composer, ctx.actor.grants):
        target = ctx.registry.record_type(composer.model)
        reference = target.declaration.contact
        if reference is None or record.archived_at is not None or not ctx.may(target.permission("create")):
            continue
        is_about = _about_of(target) is not None
        contact_id = _contact_of(declared, record, target)
        if contact_id is not None or (is_about and not target.fields[reference].required):
            yield composer


def _about_of(target: DeclaredType) -> str | None:
    """The field in which such a record says what it is about besides the contact."""
    return next((name for name, described in target.fields.items() if described.kind.points_anywhere), None)


def _contact_of(declared: DeclaredType, record: Record, target: DeclaredType) -> int | None:
    """The contact that something about this record concerns: the record itself, or the one that it names."""
    contacts = target.fields[str(target.declaration.contact)].target
    if declared.table.name == contacts:
        return record.id
    reference = declared.declaration.contact
    if reference is None or declared.fields[reference].target != contacts:
        return None
    found: int | None = getattr(record, reference)
    return found


def _asked(visit: Visit, composer: Composer, given: Mapping[str, Any]) -> Iterator[FieldInput]:
    target = visit.context.registry.record_type(composer.model)
    locked = target.locked_fields(visit.context.actor.grants)
    names = [wire_name(column) for column in composer.fields]
    for made in inputs_for(visit, target, [n for n in names if n not in locked], composer.model()):
        value = input_text(visit, target.fields[made.name], given[made.name]) if made.name in given else made.value
        yield replace(made, value=value, width=6, key=f"{composer.name}-{made.name}".replace(".", "-"), hint="")


def _view(
    visit: Visit, declared: DeclaredType, record: Record, composer: Composer, refused: Refused | None
) -> ComposerView:
    given = composer.given(visit.context, record) if composer.given is not None else {}
    fields = tuple(_asked(visit, composer, given))
    body = wire_name(composer.body)
    typed, error = "", ""
    if refused is not None:
        fields = tuple(
            replace(f, value=refused.texts.get(f.name, f.value), error=refused.errors.get(f.name, "")) for f in fields
        )
        at_fields = {f.name for f in fields}
        typed = refused.texts.get(body, "")
        error = refused.errors.get(body, "") or " ".join(m for n, m in refused.errors.items() if n not in at_fields)
    return ComposerView(
        composer.name.replace(".", "-"), str(composer.label), composer.icon,
        f"{declared.url}/{record.id}/compose/{composer.name}", str(composer.hint), str(composer.deed or _("Save")), fields, body, typed, error,
        draft_key=f"{declared.name}:{record.id}:{composer.name}", is_refused=refused is not None,
    )  # fmt: skip


ShowPage = Callable[[Visit, DeclaredType, Record, Refused | None], Response]


def compose(declared: DeclaredType, record_id: int, name: str, *, show_page: ShowPage) -> Response:
    """Write what was typed beside a record; on trouble its page again, with everything that was typed."""
    visit = current_visit()
    ctx = visit.context
    record = load(ctx, declared.model, record_id)
    composer = next((c for c in _offered(visit, declared, record) if c.name == name), None)
    if composer is None:
        raise NotFound(_("Nothing like this can be written here."))
    target = ctx.registry.record_type(composer.model)
    given = dict(composer.given(ctx, record)) if composer.given is not None else {}
    made = composer.model()
    texts: dict[str, str] = {}
    violations: list[RuleViolation] = []
    body = wire_name(composer.body)
    for own in (body, *(f.name for f in _asked(visit, composer, given))):
        if own not in request.form:
            continue
        texts[own] = request.form[own].replace("\r\n", "\n")
        value, problem = read_text(visit, target.fields[own], texts[own], own)
        if problem is not None:
            violations.append(problem)
        elif own != body or value is not None:
            given[own] = value
    if not given.get(body):
        violations.append(RuleViolation("core.required", _("Write something first."), field=body))
    if not violations:
        given[str(target.declaration.contact)] = _contact_of(declared, record, target)
        about = _about_of(target)
        if about is not None and declared.table.name != target.fields[str(target.declaration.contact)].target:
            given[about] = RecordRef(declared.name, record_id)
        try:
            with ctx.savepoint():
                assign(ctx, made, given)
                save(ctx, [made])
        except (RuleViolation, RuleViolations) as wrong:
            violations += each_violation(wrong)
    if violations:
        errors = {v.field or "": str(v) for v in reversed(violations)}
        return show_page(visit, declared, record, Refused(name, texts, errors))
    said = _("{label} noted: {title}", label=composer.label, title=target.title_of(made))
    return redirect_with(f"{declared.url}/{record_id}", Toast(str(said)))
