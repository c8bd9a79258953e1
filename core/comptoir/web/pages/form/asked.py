"""The few inputs of a move or an action: shown filled, read as on any form, shown again with what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request

from comptoir.db.fields import Field
from comptoir.db.record import Record
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, run, titles
from comptoir.web.frame import is_partial, page, part
from comptoir.web.models.form import AskForm
from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.pages.form.inputs import Input, field_input, read_text
from comptoir.web.pages.form.sent import Sent
from comptoir.web.session import Visit

FEW = 30
"""Up to so many candidates stand in a list; more are searched for."""


@dataclass
class Asked:
    """What is asked for about a record."""

    visit: Visit
    declared: DeclaredType
    record: Record
    inputs: Sequence[Input]

    def read(self) -> Sent:
        """What was sent: values, texts as typed, and what could not be read."""
        sent = Sent()
        for item in self.inputs:
            if item.declared.kind.input == "bool" or item.name in request.form:
                text = request.form.get(item.name, "") or request.form.get(f"{item.name}.text", "")
                sent.take(item.name, text, read_text(self.visit, item.declared, text, item.name, self.declared))
        return sent

    def shown(self, sent: Sent | None) -> Iterator[FieldInput]:
        """The inputs as the page shows them, with what was typed and what is wrong with it."""
        texts = sent.texts if sent is not None else {}
        items = [replace(i, value=sent.values.get(i.name)) if sent and i.name in texts else i for i in self.inputs]
        names = self._names(items)
        for number, item in enumerate(items):
            made = field_input(
                self.visit, self.declared, self.record, item, names=names, typed=texts.get(item.name),
                error=sent.errors.get(item.name, "") if sent is not None else "", autofocus=number == 0,
            )  # fmt: skip
            options = self._candidates(item.declared) if made.kind == "reference" else made.options
            kind = "choice" if made.kind == "reference" and options else made.kind
            if kind == "choice" and options and options[0].value:
                options = (Option("", str(_("Choose one"))), *options)
            yield replace(made, kind=kind, options=options, width=12, key=f"ask-{made.name}")

    def _names(self, items: Iterable[Input]) -> Mapping[str, Mapping[int, str]]:
        wanted: dict[str, set[int]] = {}
        for item in items:
            if (referred := item.declared.kind.refers_to(item.declared, item.value)) is not None:
                wanted.setdefault(referred[0], set()).add(referred[1])
        return titles(self.visit.context, wanted)

    def _candidates(self, described: Field) -> tuple[Option, ...]:
        """All that a reference may point at, where they are few; none where they are better searched for."""
        target = self.visit.registry.target_of(str(described.target))
        if target is None:
            return ()
        sort = (target.title,) if target.fields[target.title].sortable else ()
        query = Query(fields=(target.title,), sort=sort, size=FEW + 1)
        rows = run(self.visit.context, target, query, total=False).rows
        if len(rows) > FEW:
            return ()
        return tuple(Option(str(row["id"]), str(row.get(target.title) or row["id"])) for row in rows)


def errors_of(violations: Iterable[RuleViolation], fields: Iterable[FieldInput]) -> tuple[FormError, ...]:
    """Everything that is wrong, each with the input where it is mended."""
    known = {made.name: made.id for made in fields}
    return tuple(FormError(str(violation), known.get(violation.field or "", "")) for violation in violations)


def answer_form(model: AskForm, declared: DeclaredType) -> Response:
    """What is asked, as a part for a dialog or as a page."""
    status = 422 if model.errors else 200
    if is_partial():
        return part("records/_ask.html", model, status=status)
    crumbs: list[Any] = [(declared.declaration.plural, declared.url), (model.subject, model.cancel_url), model.title]
    return page("records/ask.html", model, crumbs=crumbs, status=status)
