"""The inputs of a form: what each shows of its field, and what the text in it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptoir.db.fields import Choice, Field
from comptoir.db.record import Record
from comptoir.db.types import fold
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import Text
from comptoir.records.declared import DeclaredType
from comptoir.records.naming import Named
from comptoir.web.models.input import FieldInput, Option
from comptoir.web.pages.cells import value_of
from comptoir.web.session import Visit


@dataclass
class Input:
    """One input of a form before it is shown; `adapt_form` may change it."""

    name: str
    declared: Field
    label: Text
    read_only: bool = False
    required: bool = False
    hidden: bool = False
    help: Text = ""
    options: list[Option] = field(default_factory=list)
    value: Any = None


@dataclass
class Form:
    """A form before it is shown: its inputs by wire name."""

    inputs: dict[str, Input]


def field_input(
    visit: Visit, declared: DeclaredType, record: Record, item: Input, *, names: Mapping[str, Mapping[int, str]] | None = None,
    typed: str | None = None, error: str = "", autofocus: bool = False,
) -> FieldInput:  # fmt: skip
    """An input as the page shows it; ``names`` are the titles of what it may refer to, ``typed`` what was sent."""
    described = item.declared
    value = typed if typed is not None else input_text(visit, described, item.value)
    display, search_url = "", ""
    if described.target is not None:
        target = visit.registry.target_of(described.target)
        search_url = f"{target.url}/options" if target is not None else ""
        value = str(item.value) if isinstance(item.value, int) else ""
        known = (names or {}).get(described.target, {})
        display = (known.get(item.value, "") or "…") if item.value else (typed or "")
    options = tuple(item.options) or tuple(_options(visit, declared, record, described, value))
    prefix = ""
    if described.currency:
        own = item.name[: -len(described.name)] + described.currency
        prefix = str(value_of(record, declared, own) or "") if own in declared.fields and record.id is not None else ""
        prefix = prefix or visit.formats.currency
    return FieldInput(
        item.name, str(item.label), described.kind.input, value,
        width=described.kind.width, required=item.required, readonly=item.read_only,
        hint=str(item.help), error=error, options=options, display=display, search_url=search_url, prefix=prefix,
        suffix="%" if described.kind.input == "percent" else "",
        maximum_length=described.max_length or 0 if described.kind.textual else 0, autofocus=autofocus and not item.read_only,
    )  # fmt: skip


def inputs_for(visit: Visit, declared: DeclaredType, names: Iterable[str], record: Record) -> tuple[FieldInput, ...]:
    """Inputs of single fields, for dialogs."""
    items = (Input(name, declared.fields[name], declared.fields[name].label) for name in names)
    return tuple(field_input(visit, declared, record, item) for item in items)


def _options(visit: Visit, declared: DeclaredType, record: Record, described: Field, held: str) -> Iterator[Option]:
    """What a field may be chosen from, with what it holds though it is in no list any more."""
    listed = declared.choices(visit.context, described, record)
    if listed is None:
        return
    workflow = declared.declaration.workflow
    if described.kind.staged and workflow is not None:
        reachable = None if record.id is None else {t.target for t in workflow.moves_from(visit.context, record)}
        here = getattr(record, workflow.field)
        listed = [c for c in listed if reachable is None or c.value in reachable or c.value == here]
    elif not described.required or described.default is None:
        yield Option("", "")
    for choice in by_label(listed, described):
        yield Option(choice.value, str(choice.label))
    if held and described.kind.may_stay_unread and held not in {choice.value for choice in listed}:
        yield Option(held, held)


def by_label(listed: Sequence[Choice], described: Field) -> Sequence[Choice]:
    """Choices as a field declares them; lists that every field of a kind shares in the order of their names."""
    return listed if described.choices or described.kind.staged else sorted(listed, key=lambda c: fold(str(c.label)))


def input_text(visit: Visit, described: Field, value: Any) -> str:
    """A value as its input takes it."""
    return "" if value is None else described.kind.input_text(described, value, visit.formats)


def read_text(
    visit: Visit, described: Field, text: str, name: str, declared: DeclaredType | None = None
) -> tuple[Any, RuleViolation | None]:
    """The value that a text means, or what is wrong with it; an empty box means no, every other empty input nothing."""
    if not text.strip():
        return (False if described.kind.input == "bool" else None), None
    source = Named(visit.context, declared, visit.formats)
    try:
        return described.kind.read(described, text if described.multiline else text.strip(), source), None
    except RuleViolation as refused:
        return None, refused.at(name)


def each_violation(refused: RuleViolation | RuleViolations) -> Sequence[RuleViolation]:
    """What one refusal or several say."""
    return refused.violations if isinstance(refused, RuleViolations) else [refused]
