"""Lines on a form: rows that belong to the record and are edited with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import request

from comptoir.db.fields import Field, fields_of
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.web.models.form import LineInput, LineSet
from comptoir.web.models.input import FieldInput, Option
from comptoir.web.pages.form.inputs import Input, by_label, input_text, read_text
from comptoir.web.session import Visit

NEW_LINE = "__new__"
MAX_LINES = 100


def _fields(item: Input) -> Mapping[str, Field]:
    assert item.declared.line is not None
    return {n: f for n, f in fields_of(item.declared.line).items() if not f.server and not f.kind.lined}


def line_set(visit: Visit, item: Input, sent: list[dict[str, Any]] | None, errors: Mapping[str, str]) -> LineSet:
    """The lines of a field as they are kept, or as they were sent, and an empty one to copy."""
    fields, name = _fields(item), item.name
    if sent is not None:
        rows = [(raw["texts"], raw["id"]) for raw in sent]
    else:
        rows = [
            ({n: input_text(visit, f, getattr(row, n)) for n, f in fields.items()}, str(row.id))
            for row in item.value or []
        ]
    lines = tuple(_line(name, str(place), fields, *row, errors) for place, row in enumerate(rows))
    blank = _line(name, NEW_LINE, fields, {n: str(f.default or "") for n, f in fields.items()}, "", {})
    return LineSet(name, str(item.label), lines, blank, str(_("Add to {label}", label=str(item.label).lower())))


def _line(
    name: str,
    index: str,
    fields: Mapping[str, Field],
    texts: Mapping[str, str],
    line_id: str,
    errors: Mapping[str, str],
) -> LineInput:
    width = max(2, 12 // max(len(fields), 1))
    spare = 12 - width * len(fields)
    made = []
    wide = max(fields, key=lambda n: (fields[n].required and not fields[n].choices, -list(fields).index(n)), default="")
    for own, described in fields.items():
        listed = described.kind.choices(described) or ()
        empty = () if described.required or not listed else (Option("", ""),)
        options = (*empty, *(Option(c.value, str(c.label)) for c in by_label(listed, described)))
        made.append(
            FieldInput(
                f"{name}[{index}].{own}", str(described.label), described.kind.input, texts.get(own, ""),
                width=min(12, width + (spare if own == wide else 0)), placeholder=str(described.label), options=options,
                error=errors.get(f"{name}.{index}.{own}", ""),
                maximum_length=described.max_length or 0 if described.kind.textual else 0,
            )
        )  # fmt: skip
    return LineInput(index, tuple(made), line_id)


def sent_lines(visit: Visit, item: Input) -> tuple[list[dict[str, Any]], list[RuleViolation], int]:
    """The lines in the order of the form, what is wrong with them, and how many were left out because they are empty."""
    fields, name = _fields(item), item.name
    lines: list[dict[str, Any]] = []
    violations: list[RuleViolation] = []
    left_out = 0
    for index in _indexes(name):
        texts = {own: request.form.get(f"{name}[{index}].{own}", "") for own in fields}
        if all(not texts[own].strip() for own, f in fields.items() if not f.choices):
            left_out += 1
            continue
        values: dict[str, Any] = {}
        for own, described in fields.items():
            values[own], problem = read_text(visit, described, texts[own], f"{name}.{len(lines)}.{own}")
            if problem is not None:
                violations.append(problem)
        line_id = request.form.get(f"{name}[{index}].id", "")
        lines.append({"id": line_id, "texts": texts, "values": values, "is_touched": not line_id})
    return lines, violations, left_out


def _indexes(name: str) -> Iterator[str]:
    found = dict.fromkeys(key[len(name) + 1 :].partition("]")[0] for key in request.form if key.startswith(f"{name}["))
    return (index for index in list(found)[:MAX_LINES] if index != NEW_LINE)
