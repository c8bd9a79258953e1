"""Records made up for a plugin: every text is hostile, every value is one that its field says it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.test import TestResponse

from comptoir.db.fields import fields_of
from comptoir.kinds import Field
from comptoir.records.declared import DeclaredType
from comptoir.testing.conformance.code import SHARED_FIELDS

PROBE = "data-probe"
"""The attribute that an unescaped text would give an element."""
TRIES = 8


def text_of(record_type: str, number: int, length: int) -> str:
    """A text that ends an attribute and begins an element, as long as its field takes."""
    whole, short = f'"><i {PROBE}="{record_type}">{number}', f'"><i {PROBE}>{number}'
    return next((text for text in (whole, short) if len(text) <= length), f"P{number}"[:length])


def body_of(declared: DeclaredType, number: int, ids: Mapping[str, int]) -> dict[str, Any]:
    """The JSON of a new record of this type; ``ids`` are records that it can refer to, by table."""
    currencies = {f.currency for f in declared.fields.values() if f.currency}
    body: dict[str, Any] = {}
    for name, field in declared.fields.items():
        if field.server or field.name in SHARED_FIELDS or (field.kind.staged and not field.required):
            continue
        if field.line is not None:
            inner = {n: _value(declared.name, f, number, ids, ()) for n, f in fields_of(field.line).items() if not f.server}  # fmt: skip
            value: Any = [{n: v for n, v in inner.items() if v is not None}]
        else:
            value = _value(declared.name, field, number, ids, currencies)
        module, dot, rest = name.partition(".")
        if value is not None:
            (body.setdefault(module, {}) if dot else body)[rest if dot else name] = value
    return body


CONFIDENTIAL = 731
"""The amount in confidential fields, which stands nowhere else; their texts name the field."""


def _value(record_type: str, field: Field, number: int, ids: Mapping[str, int], currencies: Any) -> Any:
    schema = field.kind.schema(field, writing=True)
    if field.read is not None:
        number, record_type = CONFIDENTIAL - 1, f"{record_type}.{field.name}"
    if field.target is not None:
        return None if field.tree else ids.get(field.target)
    if "enum" in schema:
        return field.default if field.default in schema["enum"] else schema["enum"][0]
    match schema:
        case {"type": "boolean"}:
            return None
        case {"type": "integer"}:
            return min(max(schema.get("minimum", 1), 1 + number), schema.get("maximum", 2**31))
        case {"type": "array"}:
            return [f"tag {number}"]
        case {"format": "date"}:
            return f"2026-11-{1 + number % 20:02}"
        case {"format": "date-time"}:
            return f"2026-11-{1 + number % 20:02}T{8 + len(field.name) % 9:02}:00:00Z"
        case {"pattern": pattern} if "/" in pattern:
            return None
        case {"pattern": _}:
            low = field.minimum if field.minimum is not None else 0
            return str(min(max(low, 1 + number), field.maximum if field.maximum is not None else 10**9))
    if field.name in currencies:
        return "EUR"
    looks = {"email": f"probe{number}@example.org", "phone": f"+4072100{number % 10_000:04}"}
    inputs = {"url": f"https://example.org/{number}"}
    return looks.get(field.kind.look) or inputs.get(field.kind.input) or text_of(record_type, number, field.max_length or 255)  # fmt: skip


def create(
    send: Callable[..., TestResponse], declared: DeclaredType, number: int, ids: Mapping[str, int]
) -> tuple[int, dict[str, Any]] | str:
    """Create a record through the API, which ``send`` calls, without the fields whose values it refuses; its id and body, or why it is refused."""
    body = body_of(declared, number, ids)
    told = ""
    for _try in range(TRIES):
        answer = send("POST", declared.api_path, json=body)
        if answer.status_code == 201:
            return int(answer.get_json()["id"]), body
        problem = answer.get_json(silent=True) or {}
        told = f"{answer.status_code} {problem.get('detail') or problem.get('title')} {problem.get('errors') or ''}"
        refused = list(problem.get("errors") or ())
        if answer.status_code != 422 or not any(_leave_out(body, name) for name in refused):
            break
    return told


def _leave_out(body: dict[str, Any], name: str) -> bool:
    """Whether there was a value to leave out; of a line, the whole list goes."""
    head, _dot, rest = name.partition(".")
    if rest and isinstance(body.get(head), dict):
        return _leave_out(body[head], rest)
    return body.pop(head, None) is not None
