"""One form of a record as its reader gets it: sections from its declaration and from other modules, what was sent kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from flask import request

from comptoir.contributions import Section, When
from comptoir.db.record import Record
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import titles
from comptoir.web.frame import module_of
from comptoir.web.ids import id_of
from comptoir.web.models.form import FormSection, LineSet
from comptoir.web.models.input import FieldInput, FormError
from comptoir.web.models.shell import Module
from comptoir.web.pages.cells import value_of, wire_name
from comptoir.web.pages.form.inputs import Form, Input, field_input, read_text
from comptoir.web.pages.form.lines import line_set, sent_lines
from comptoir.web.pages.form.sent import Sent
from comptoir.web.session import Visit

log = logging.getLogger("comptoir.web")


def sections_of(visit: Visit, declared: DeclaredType) -> list[tuple[Module | None, Section]]:
    """The record type's own sections, then those that other modules add."""
    registry = visit.registry
    found: list[tuple[Module | None, Section]] = [(None, s) for s in registry.screens(declared).form.sections]
    for name, addition in registry.additions.get(declared.model, ()):
        if addition.section is not None:
            found.append((module_of(registry, name), addition.section))
    return found


class RecordForm:
    """The inputs of a record, filled from what is kept or from what was sent."""

    def __init__(self, visit: Visit, declared: DeclaredType, record: Record, sent: Sent | None = None) -> None:
        self.visit, self.declared, self.record, self.sent = visit, declared, record, sent
        self.is_new = record.id is None
        self.errors = sent.errors if sent is not None else {}

    @cached_property
    def inputs(self) -> Mapping[str, Input]:
        """The inputs by wire name, as modules adapted them."""
        ctx = self.visit.context
        form = Form({item.name: item for item in self._declared_inputs()})
        for call in ctx.each_hook("adapt_form", ctx=ctx, form=form, record=self.record):
            try:
                with ctx.reading():
                    call()
            except Exception:
                log.exception("adapt_form failed; the form is shown without it")
        return form.inputs

    def _declared_inputs(self) -> Iterator[Input]:
        grants = self.visit.context.actor.grants
        declared, sent = self.declared, self.sent
        hidden, locked = declared.hidden_fields(grants), declared.locked_fields(grants)
        if self.is_new:
            hidden = hidden | {wire_name(c) for c in self.visit.registry.screens(declared).form.later}
        columns = (column for _module, section in sections_of(self.visit, declared) for column in section.fields)
        for name in dict.fromkeys(map(wire_name, columns)):
            described = declared.fields.get(name)
            if described is None or name in hidden:
                continue
            value = sent.values[name] if sent is not None and name in sent.values else self._kept(name)
            yield Input(
                name, described, described.label, read_only=described.server or name in locked,
                required=described.required and described.default is None, help=described.help or "", value=value,
            )  # fmt: skip

    def _kept(self, name: str) -> Any:
        described = self.declared.fields[name]
        if self.is_new and described.kind.lined:
            return []
        value = value_of(self.record, self.declared, name)
        is_default = value is None and self.is_new and described.default is not None and not callable(described.default)
        return described.default if is_default else value

    @cached_property
    def along(self) -> Mapping[str, int]:
        """What a new record is about, where the address or the form says so and the form does not ask."""
        given = {
            name: id_of(request.values.get(name, ""))
            for name in self.declared.with_role("about")
            if self.is_new and name not in self.inputs and self.declared.fields[name].target is not None
        }
        return {name: record_id for name, record_id in given.items() if record_id is not None}

    # -- showing --------------------------------------------------------------------------------------------------------

    @cached_property
    def sections(self) -> tuple[FormSection, ...]:
        """What is shown, in order; a field stands where it comes first."""
        shown: list[FormSection] = []
        left = {name: item for name, item in self.inputs.items() if not item.hidden}
        for module, section in sections_of(self.visit, self.declared):
            fields: list[FieldInput] = []
            lines: list[LineSet] = []
            for column in section.fields:
                item = left.pop(wire_name(column), None)
                if item is None:
                    continue
                if item.declared.kind.lined:
                    sent = self.sent.lines.get(item.name) if self.sent is not None else None
                    lines.append(line_set(self.visit, item, sent, self.errors))
                else:
                    is_first = not fields and not any(other.fields for other in shown)
                    fields.append(self._input(item, autofocus=is_first and not self.errors))
            if fields or lines:
                shown.append(FormSection(str(section.title), tuple(fields), tuple(lines), module))
        return tuple(shown)

    @cached_property
    def _names(self) -> Mapping[str, Mapping[int, str]]:
        wanted: dict[str, set[int]] = {}
        for item in self.inputs.values():
            if (referred := item.declared.kind.refers_to(item.declared, item.value)) is not None:
                wanted.setdefault(referred[0], set()).add(referred[1])
        return titles(self.visit.context, wanted)

    @cached_property
    def _conditions(self) -> Mapping[str, When]:
        conditions = self.visit.registry.screens(self.declared).form.conditions
        return {wire_name(c): when for when in conditions for c in when.fields if wire_name(when.choice) in self.inputs}

    def _input(self, item: Input, *, autofocus: bool) -> FieldInput:
        typed = self.sent.texts.get(item.name) if self.sent is not None else None
        made = field_input(
            self.visit, self.declared, self.record, item, names=self._names, typed=typed,
            error=self.errors.get(item.name, ""), autofocus=autofocus,
        )  # fmt: skip
        when = self._conditions.get(item.name)
        if when is None:
            return made
        choice = wire_name(when.choice)
        return replace(made, shown_by=choice, shown_for=when.among, is_away=self.inputs[choice].value not in when.among)

    def form_errors(self) -> Iterator[FormError]:
        """Everything that is wrong, each with the input where it is mended."""
        known = {made.name for section in self.sections for made in section.fields}
        for violation in self.sent.violations if self.sent is not None else ():
            name = violation.field or ""
            parts = name.split(".")
            if name in known:
                yield FormError(str(violation), FieldInput(name, "").id)
            elif len(parts) == 3 and parts[1].isdigit():
                yield FormError(str(violation), FieldInput(f"{parts[0]}[{parts[1]}].{parts[2]}", "").id)
            else:
                yield FormError(str(violation))

    # -- reading --------------------------------------------------------------------------------------------------------

    def read(self) -> Sent:
        """What was sent; fields that are not on the form, or that the reader may not change, are not touched."""
        sent = Sent()
        for name, item in self.inputs.items():
            if item.read_only or item.hidden:
                continue
            if item.declared.kind.lined:
                sent.lines[name], wrong, left_out = sent_lines(self.visit, item)
                sent.violations += wrong
                sent.left_out += left_out
            elif item.declared.kind.input == "bool" or name in request.form:
                text = request.form.get(name, "")
                if item.declared.target is not None and not text:
                    text = request.form.get(f"{name}.text", "").strip()
                sent.take(name, text, read_text(self.visit, item.declared, text, name, self.declared))
                if item.required and sent.values.get(name, text) in (None, ""):
                    wanted = RuleViolation("core.required", _("Fill in {label}.", label=item.label), field=name)
                    sent.violations.append(wanted)
        sent.values |= self.along
        return sent
