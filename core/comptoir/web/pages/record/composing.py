"""What is written beside a record's history without leaving its page: notes, calls, tasks, as the modules offer them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask import request

from comptoir.contributions import Composer
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.write import assign, save
from comptoir.values import RecordRef
from comptoir.web.models.input import FieldInput
from comptoir.web.models.record import ComposerView
from comptoir.web.models.shell import Toast
from comptoir.web.pages.cells import wire_name
from comptoir.web.pages.form.inputs import each_violation, input_text, inputs_for, read_text
from comptoir.web.pages.record.view import RecordView


@dataclass(frozen=True)
class Refused:
    """What was typed into a composer, and what is wrong with it."""

    name: str
    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def composers(view: RecordView, refused: Refused | None = None) -> tuple[ComposerView, ...]:
    """What the reader may write about a record; the one that was refused comes first, as it was typed."""
    offered = _offered(view) if view.declared.declaration.timeline else ()
    shown = [_view(view, c, refused if refused and refused.name == c.name else None) for c in offered]
    return tuple(sorted(shown, key=lambda made: not made.is_refused))


def _offered(view: RecordView) -> Iterator[Composer]:
    for _plugin, composer in view.registry.offered(Composer, view.grants):
        target = view.registry.record_type(composer.model)
        may_write = view.record.archived_at is None and view.ctx.may(target.permission("create"))
        if may_write and _about(view, target) is not None:
            yield composer


def _about(view: RecordView, target: DeclaredType) -> dict[str, Any] | None:
    """By what another record says that it is about this one: the record itself, and what both are about.

    None where it could not say so, or would have to name something that this record does not.
    """
    found: dict[str, Any] = {}
    held = {view.declared.fields[name].target: getattr(view.record, name) for name in view.with_role("about")}
    names = target.with_role("about")
    direct = [name for name in names if target.fields[name].target == view.declared.table.name]
    for name in names:
        described = target.fields[name]
        if name in direct:
            found[name] = view.record.id
        elif described.target in held:
            found[name] = held[described.target]
        elif described.kind.points_anywhere and not direct:
            found[name] = RecordRef(view.declared.name, view.record.id)
        elif described.required:
            return None
    return found or None


def _asked(view: RecordView, composer: Composer, given: Mapping[str, Any]) -> Iterator[FieldInput]:
    target = view.registry.record_type(composer.model)
    locked = target.locked_fields(view.grants)
    names = [wire_name(column) for column in composer.fields]
    for made in inputs_for(view.visit, target, [n for n in names if n not in locked], composer.model()):
        value = input_text(view.visit, target.fields[made.name], given[made.name]) if made.name in given else made.value
        yield replace(made, value=value, width=6, key=f"{composer.name}-{made.name}".replace(".", "-"), hint="")


def _given(view: RecordView, composer: Composer) -> dict[str, Any]:
    return dict(composer.given(view.ctx, view.record)) if composer.given is not None else {}


def _view(view: RecordView, composer: Composer, refused: Refused | None) -> ComposerView:
    fields = tuple(_asked(view, composer, _given(view, composer)))
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
        f"{view.url}/compose/{composer.name}", str(composer.hint), str(composer.deed or _("Save")), fields, body, typed, error,
        draft_key=f"{view.declared.name}:{view.record.id}:{composer.name}", is_refused=refused is not None,
    )  # fmt: skip


def write(view: RecordView, name: str) -> Toast | Refused:
    """Save what was typed: what to say of it, or what is wrong with it."""
    ctx = view.ctx
    composer = next((c for c in _offered(view) if c.name == name), None)
    if composer is None:
        raise NotFound(_("Nothing like this can be written here."))
    target = view.registry.record_type(composer.model)
    given, made = _given(view, composer), composer.model()
    texts: dict[str, str] = {}
    violations: list[RuleViolation] = []
    body = wire_name(composer.body)
    for own in (body, *(f.name for f in _asked(view, composer, given))):
        if own not in request.form:
            continue
        texts[own] = request.form[own].replace("\r\n", "\n")
        value, problem = read_text(view.visit, target.fields[own], texts[own], own)
        if problem is not None:
            violations.append(problem)
        elif own != body or value is not None:
            given[own] = value
    if not given.get(body):
        violations.append(RuleViolation("core.required", _("Write something first."), field=body))
    if not violations:
        try:
            with ctx.savepoint():
                assign(ctx, made, {**given, **(_about(view, target) or {})})
                save(ctx, [made])
        except (RuleViolation, RuleViolations) as wrong:
            violations += each_violation(wrong)
    if violations:
        return Refused(name, texts, {v.field or "": str(v) for v in reversed(violations)})
    return Toast(str(_("{label} noted: {title}", label=composer.label, title=target.title_of(made))))
