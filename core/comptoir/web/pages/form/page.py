"""The form of a record type: sections from its declaration and from other modules, values kept when something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response, request

from comptoir.contributions import Section
from comptoir.db.fields import Choice, Field, fields_of
from comptoir.db.record import Record
from comptoir.db.types import fold
from comptoir.errors import Conflict as Stale
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import Text, _, ngettext
from comptoir.records.declared import DeclaredType
from comptoir.records.naming import Named
from comptoir.records.query import load, titles
from comptoir.records.write import assign, save
from comptoir.web.frame import module_of, page, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.form import Conflict, ConflictField, FormPage, FormSection, LineInput, LineSet
from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.models.shell import Module, Toast
from comptoir.web.pages.cells import Cells, look_up_titles, value_of, wire_name
from comptoir.web.session import Visit, current_visit

NEW_LINE = "__new__"
MAX_LINES = 100


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


@dataclass
class Sent:
    """What the browser sent: parsed values by wire name, the texts as typed, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    violations: list[RuleViolation] = field(default_factory=list)
    left_out: int = 0
    """How many lines were left out because nothing was typed in them."""


def sections_of(visit: Visit, declared: DeclaredType) -> list[tuple[Module | None, Section]]:
    """The record type's own sections, then those that other modules add."""
    registry = visit.registry
    found: list[tuple[Module | None, Section]] = [(None, s) for s in registry.screens(declared).form.sections]
    for name, addition in registry.additions.get(declared.model, ()):
        if addition.section is not None:
            found.append((module_of(registry, name), addition.section))
    return found


def field_name(column: Any) -> str:
    """The wire name of a column or of a relation to lines."""
    return wire_name(column)


# -- pages ------------------------------------------------------------------------------------------------------------------


def show_new(declared: DeclaredType) -> Response:
    """An empty form, filled from the address where it names fields."""
    visit = current_visit()
    visit.context.require(declared.permission("create"))
    record = declared.model()
    sent = Sent()
    for name, text in request.args.items():
        wire = declared.by_path.get(name)
        if wire is not None:
            value, problem = read_text(visit, declared.fields[wire], text, wire, declared)
            if problem is None:
                sent.values[wire] = value
                sent.texts[wire] = text
    return _page(visit, declared, record, sent if sent.values else None)


def show_edit(declared: DeclaredType, record_id: int) -> Response:
    """The form of a record."""
    visit = current_visit()
    record = load(visit.context, declared.model, record_id)
    visit.context.require(declared.permission("write"), record)
    return _page(visit, declared, record, None)


def create(declared: DeclaredType) -> Response:
    """Save a new record; on trouble the form again, with everything that was typed."""
    visit = current_visit()
    ctx = visit.context
    ctx.require(declared.permission("create"))
    record = declared.model()
    sent = _sent(visit, declared, record)
    if not sent.violations:
        try:
            with ctx.savepoint():
                _apply(visit, declared, record, sent)
                save(ctx, [record])
            return _saved(declared, record, sent, is_new=True)
        except (RuleViolation, RuleViolations) as refused:
            sent.violations += each_violation(refused)
            record = declared.model()
    return _page(visit, declared, record, sent)


def update(declared: DeclaredType, record_id: int) -> Response:
    """Save a changed record; a newer version of somebody else's is shown beside one's own."""
    visit = current_visit()
    ctx = visit.context
    record = load(ctx, declared.model, record_id)
    ctx.require(declared.permission("write"), record)
    sent = _sent(visit, declared, record)
    if request.form.get("version", "") != str(record.version):
        return _page(visit, declared, record, sent, stale=True)
    if not sent.violations:
        try:
            with ctx.savepoint():
                _apply(visit, declared, record, sent)
                save(ctx, [record])
            return _saved(declared, record, sent, is_new=False)
        except (RuleViolation, RuleViolations) as refused:
            sent.violations += each_violation(refused)
        except Stale:
            ctx.session.refresh(record)
            return _page(visit, declared, record, sent, stale=True)
    return _page(visit, declared, record, sent)


def each_violation(refused: RuleViolation | RuleViolations) -> Sequence[RuleViolation]:
    """What one refusal or several say."""
    return refused.violations if isinstance(refused, RuleViolations) else [refused]


def _saved(declared: DeclaredType, record: Record, sent: Sent, *, is_new: bool) -> Response:
    title = declared.title_of(record)
    text = _("{title} is created", title=title) if is_new else _("{title} is saved", title=title)
    said = Toast(" ".join([str(text), *_remarks(declared, record, sent)]))
    if request.form.get("then") == "new":
        return redirect_with(f"{declared.url}/new", said)
    return redirect_with(f"{declared.url}/{record.id}", said)


def _remarks(declared: DeclaredType, record: Record, sent: Sent) -> Iterator[str]:
    """What was kept or left out differently from what the form suggests."""
    if sent.left_out:
        yield str(ngettext("· An empty line was left out", "· {count} empty lines were left out", sent.left_out))
    for name, rows in sent.lines.items():
        line = declared.fields[name].line
        assert line is not None
        numbers = [own for own, described in fields_of(line).items() if described.kind.input == "phone"]
        for row, held in zip(rows, getattr(record, name), strict=False):
            for own in numbers:
                number = str(getattr(held, own) or "")
                if row["is_touched"] and number and not number.startswith("+"):
                    yield str(_("· “{number}” is kept as typed: it cannot be read as a number to dial", number=number))


def _page(visit: Visit, declared: DeclaredType, record: Record, sent: Sent | None, *, stale: bool = False) -> Response:
    ctx = visit.context
    is_new = record.id is None
    title = (
        str(_("New {label}", label=str(declared.declaration.label).lower())) if is_new else declared.title_of(record)
    )
    form = _inputs(visit, declared, record, sent)
    for call in ctx.each_hook("adapt_form", ctx=ctx, form=form, record=record):
        _adapt(visit, call)
    errors = _errors(sent)
    sections, inputs = _sections(visit, declared, record, form, sent, errors)
    known = {i.name for i in inputs}
    base = declared.url if is_new else f"{declared.url}/{record.id}"
    violations = [] if sent is None else sent.violations
    version = None if is_new else record.version
    model = FormPage(
        title,
        f"{base}/new" if is_new else f"{base}/edit",
        sections,
        base,
        str(_("Save {label}", label=str(declared.declaration.label).lower())),
        version=version,
        errors=tuple(_form_error(v, known) for v in violations),
        conflict=_conflict(visit, declared, record, sent) if stale and sent is not None else None,
        draft_key=f"{declared.name}:{'new' if is_new else f'{record.id}:{record.version}'}",
        keep=(("contact_id", request.args["contact_id"]),) if is_new and "contact_id" in request.args and "contact_id" not in form.inputs else (),
        second_submit=str(_("Save and add another")) if is_new else "",
    )  # fmt: skip
    crumbs: list[Any] = [(declared.declaration.plural, declared.url)]
    crumbs += [title] if is_new else [(title, base), _("Edit")]
    status = 409 if stale else (422 if violations else 200)
    return page("records/form.html", model, crumbs=crumbs, status=status)


def _adapt(visit: Visit, call: Any) -> None:
    import logging

    try:
        with visit.context.reading():
            call()
    except Exception:
        logging.getLogger("comptoir.web").exception("adapt_form failed; the form is shown without it")


# -- inputs -----------------------------------------------------------------------------------------------------------------


def _inputs(visit: Visit, declared: DeclaredType, record: Record, sent: Sent | None) -> Form:
    grants = visit.context.actor.grants
    hidden, locked = declared.hidden_fields(grants), declared.locked_fields(grants)
    if record.id is None:
        hidden = hidden | {wire_name(c) for c in visit.registry.screens(declared).form.later}
    found: dict[str, Input] = {}
    for _module, section in sections_of(visit, declared):
        for column in section.fields:
            name = field_name(column)
            described = declared.fields.get(name)
            if described is None or name in hidden or name in found:
                continue
            value = sent.values[name] if sent is not None and name in sent.values else _current(declared, record, name)
            found[name] = Input(
                name, described, described.label, read_only=described.server or name in locked,
                required=described.required and described.default is None, help=described.help or "", value=value,
            )  # fmt: skip
    return Form(found)


def _current(declared: DeclaredType, record: Record, name: str) -> Any:
    described = declared.fields[name]
    if described.kind.lined and record.id is None:
        return []
    value = value_of(record, declared, name)
    if value is None and record.id is None and described.default is not None and not callable(described.default):
        return described.default
    return value


def _errors(sent: Sent | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for violation in [] if sent is None else sent.violations:
        if violation.field:
            found.setdefault(violation.field, str(violation))
    return found


def _form_error(violation: RuleViolation, known: set[str]) -> FormError:
    name = violation.field or ""
    if name in known:
        return FormError(str(violation), FieldInput(name, "").id)
    parts = name.split(".")
    if len(parts) == 3 and parts[1].isdigit():
        return FormError(str(violation), FieldInput(f"{parts[0]}[{parts[1]}].{parts[2]}", "").id)
    return FormError(str(violation))


def _sections(
    visit: Visit, declared: DeclaredType, record: Record, form: Form, sent: Sent | None, errors: Mapping[str, str]
) -> tuple[tuple[FormSection, ...], list[FieldInput]]:
    wanted: dict[str, set[int]] = {}
    for item in form.inputs.values():
        if (referred := item.declared.kind.refers_to(item.declared, item.value)) is not None:
            wanted.setdefault(referred[0], set()).add(referred[1])
    names = titles(visit.context, wanted)
    conditions = {
        wire_name(column): when
        for when in visit.registry.screens(declared).form.conditions
        for column in when.fields
        if wire_name(when.choice) in form.inputs
    }
    flat: list[FieldInput] = []
    shown: list[FormSection] = []
    first = True
    for module, section in sections_of(visit, declared):
        fields: list[FieldInput] = []
        lines: list[LineSet] = []
        for column in section.fields:
            found = form.inputs.get(field_name(column))
            if found is None or found.hidden or any(f.name == found.name for f in flat):
                continue
            item = found
            if item.declared.kind.lined:
                lines.append(_line_set(visit, item, sent, errors))
                continue
            made = _field_input(
                visit, declared, record, item, names, sent, errors.get(item.name, ""), autofocus=first and not errors
            )
            first = False
            if item.name in conditions:
                when = conditions[item.name]
                chosen = form.inputs[wire_name(when.choice)].value
                made = replace(
                    made, shown_by=wire_name(when.choice), shown_for=when.among, is_away=chosen not in when.among
                )
            fields.append(made)
            flat.append(made)
        if fields or lines:
            shown.append(FormSection(str(section.title), tuple(fields), tuple(lines), module))
    return tuple(shown), flat


def _field_input(
    visit: Visit, declared: DeclaredType, record: Record, item: Input, names: Mapping[str, Mapping[int, str]],
    sent: Sent | None, error: str, *, autofocus: bool,
) -> FieldInput:  # fmt: skip
    described = item.declared
    typed = sent.texts.get(item.name) if sent is not None else None
    value = typed if typed is not None else input_text(visit, described, item.value)
    display, search_url = "", ""
    if described.target is not None:
        target = visit.registry.target_of(str(described.target))
        search_url = f"{target.url}/options" if target is not None else ""
        value = str(item.value) if isinstance(item.value, int) else ""
        display = names.get(str(described.target), {}).get(item.value, "") if item.value else (typed or "")
        if item.value and not display:
            display = "…"
    options = tuple(item.options) or tuple(_options(visit, declared, record, described, value))
    prefix = ""
    if described.currency:
        own = declared.currency_of(item.name)
        prefix = str(value_of(record, declared, own) or "") if own is not None and record.id is not None else ""
        prefix = prefix or visit.formats.currency
    return FieldInput(
        item.name, str(item.label), described.kind.input, value,
        width=described.kind.width, required=item.required, readonly=item.read_only,
        hint=str(item.help), error=error, options=options, display=display, search_url=search_url, prefix=prefix,
        suffix="%" if described.kind.input == "percent" else "",
        maximum_length=described.max_length or 0 if described.kind.textual else 0, autofocus=autofocus and not item.read_only,
    )  # fmt: skip


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


def _line_fields(line: type) -> Mapping[str, Field]:
    return {n: f for n, f in fields_of(line).items() if not f.server and not f.kind.lined}


def _line_set(visit: Visit, item: Input, sent: Sent | None, errors: Mapping[str, str]) -> LineSet:
    assert item.declared.line is not None
    fields = _line_fields(item.declared.line)
    name = item.name
    lines: list[LineInput] = []
    if sent is not None and name in sent.lines:
        for position, raw in enumerate(sent.lines[name]):
            lines.append(_line(visit, name, str(position), fields, raw["texts"], raw["id"], errors, position))
    else:
        for position, row in enumerate(item.value or []):
            texts = {n: input_text(visit, f, getattr(row, n)) for n, f in fields.items()}
            lines.append(_line(visit, name, str(position), fields, texts, str(row.id), errors, position))
    blank = _line(visit, name, NEW_LINE, fields, {n: str(f.default or "") for n, f in fields.items()}, "", {}, 0)
    return LineSet(name, str(item.label), tuple(lines), blank, str(_("Add to {label}", label=str(item.label).lower())))


def _line(
    visit: Visit, name: str, index: str, fields: Mapping[str, Field], texts: Mapping[str, str], line_id: str,
    errors: Mapping[str, str], position: int,
) -> LineInput:  # fmt: skip
    width = max(2, 12 // max(len(fields), 1))
    spare = 12 - width * len(fields)
    made = []
    wide = max(
        fields,
        key=lambda n: (fields[n].required and not fields[n].choices, -list(fields).index(n)),
        default="",
    )
    for own, described in fields.items():
        listed = described.kind.choices(described) or ()
        empty = () if described.required or not listed else (Option("", ""),)
        options = (*empty, *(Option(c.value, str(c.label)) for c in by_label(listed, described)))
        made.append(
            FieldInput(
                f"{name}[{index}].{own}", str(described.label), described.kind.input, texts.get(own, ""),
                width=min(12, width + (spare if own == wide else 0)), placeholder=str(described.label), options=options,
                error=errors.get(f"{name}.{position}.{own}", "") if index != NEW_LINE else "",
                maximum_length=described.max_length or 0 if described.kind.textual else 0,
            )
        )  # fmt: skip
    return LineInput(index, tuple(made), line_id)


# -- reading ----------------------------------------------------------------------------------------------------------------


def _sent(visit: Visit, declared: DeclaredType, record: Record) -> Sent:
    """Read the form; fields that are not on it, or that the reader may not change, are not touched."""
    form = _inputs(visit, declared, record, None)
    for call in visit.context.each_hook("adapt_form", ctx=visit.context, form=form, record=record):
        _adapt(visit, call)
    sent = Sent()
    for name, item in form.inputs.items():
        if item.read_only or item.hidden:
            continue
        if item.declared.kind.lined:
            sent.lines[name] = list(_sent_lines(visit, item, name, sent))
            continue
        text = request.form.get(name, "")
        if item.declared.target is not None and not text and request.form.get(f"{name}.text", "").strip():
            text = request.form[f"{name}.text"].strip()
        if item.declared.kind.input != "bool" and name not in request.form:
            continue
        value, problem = read_text(visit, item.declared, text, name, declared)
        sent.texts[name] = text
        if problem is not None:
            sent.violations.append(problem)
        else:
            sent.values[name] = value
            if item.required and value in (None, ""):
                sent.violations.append(
                    RuleViolation("core.required", _("Fill in {label}.", label=item.label), field=name)
                )
    for name in ("contact_id",):
        given = id_of(request.form.get(name, ""))
        if given is not None and record.id is None and name not in form.inputs and name in declared.fields:
            sent.values[name] = given
    return sent


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


def _sent_lines(visit: Visit, item: Input, name: str, sent: Sent) -> Iterator[dict[str, Any]]:
    """The lines in the order of the form; those in which nothing was typed are left out."""
    assert item.declared.line is not None
    fields = _line_fields(item.declared.line)
    indexes = list(
        dict.fromkeys(key[len(name) + 1 :].partition("]")[0] for key in request.form if key.startswith(f"{name}["))
    )[:MAX_LINES]
    position = 0
    for index in indexes:
        texts = {own: request.form.get(f"{name}[{index}].{own}", "") for own in fields}
        choices_only = all(not texts[own].strip() for own, f in fields.items() if not f.choices)
        if index == NEW_LINE:
            continue
        if choices_only:
            sent.left_out += 1
            continue
        values: dict[str, Any] = {}
        for own, described in fields.items():
            value, problem = read_text(visit, described, texts[own], f"{name}.{position}.{own}")
            values[own] = value
            if problem is not None:
                sent.violations.append(problem)
        line_id = request.form.get(f"{name}[{index}].id", "")
        yield {"id": line_id, "texts": texts, "values": values, "is_touched": not line_id}
        position += 1


def _apply(visit: Visit, declared: DeclaredType, record: Record, sent: Sent) -> None:
    values: dict[str, Any] = {}
    for name, value in sent.values.items():
        described = declared.fields[name]
        if value is None and (described.kind.never_null or (record.id is None and described.default is not None)):
            continue
        values[name] = value
    for name, rows in sent.lines.items():
        held = {str(line.id): line for line in getattr(record, name)}
        for row in rows:
            line = held.get(row["id"])
            row["is_touched"] = line is None or any(getattr(line, own) != value for own, value in row["values"].items())
        values[name] = [{**row["values"], "id": row["id"]} for row in rows]
    assign(visit.context, record, values)


# -- somebody else was faster -------------------------------------------------------------------------------------------------


def _conflict(visit: Visit, declared: DeclaredType, record: Record, sent: Sent) -> Conflict:
    """The fields in which the stored record and what was typed differ, both as text and as input values."""
    theirs = {name: value_of(record, declared, name) for name in sent.values}
    differing = [name for name in sent.values if sent.values[name] != theirs[name]]
    wanted: dict[str, set[int]] = {}
    for name in differing:
        described = declared.fields[name]
        for value in (sent.values[name], theirs[name]):
            if (referred := described.kind.refers_to(described, value)) is not None:
                wanted.setdefault(referred[0], set()).add(referred[1])
    cells = Cells(visit, declared, look_up_titles(visit, wanted))
    editor = look_up_titles(visit, {"core_user": {record.updated_by}} if record.updated_by else {})
    who = editor.get(("core_user", record.updated_by or 0), str(_("Somebody")))
    return Conflict(
        who,
        visit.formats.moment(record.updated_at),
        tuple(
            ConflictField(
                name, str(declared.fields[name].label),
                cells.cell(name, declared.fields[name], {name: sent.values[name]}).text,
                cells.cell(name, declared.fields[name], {name: theirs[name]}).text,
                input_text(visit, declared.fields[name], sent.values[name]),
                input_text(visit, declared.fields[name], theirs[name]),
            )
            for name in differing
        ),
        record.version,
    )  # fmt: skip


def inputs_for(visit: Visit, declared: DeclaredType, names: Iterable[str], record: Record) -> tuple[FieldInput, ...]:
    """Inputs of single fields, for dialogs."""
    form = Form({n: Input(n, declared.fields[n], declared.fields[n].label, value=None) for n in names})
    return tuple(
        _field_input(visit, declared, record, item, {}, None, "", autofocus=False) for item in form.inputs.values()
    )
