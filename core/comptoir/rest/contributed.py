"""Addresses of the API that plugins contribute, beside those of their record types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from comptoir.contributions import Parameter
from comptoir.contributions import Route as Contributed
from comptoir.contributions.pages import TYPES
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import Text, _
from comptoir.rest.call import READS, Answer

if TYPE_CHECKING:
    from comptoir.rest.call import Call

IN_QUERY = READS | {"DELETE"}
"""The methods whose parameters stand in the query string; those of the others stand in the body."""

WISHES: Mapping[type, Text] = {
    str: _("Give a text."),
    int: _("Give a whole number."),
    bool: _("Give true or false."),
    Decimal: _("Give a decimal number as a text, such as “12.50”."),
    dt.date: _("Give a day such as 2026-03-31."),
    dt.datetime: _("Give a moment with its zone, such as 2026-03-31T09:00:00Z."),
}


def answer_contributed(call: Call, contributed: Contributed, **parts: Any) -> Answer:
    """Check the right, read the parameters and call the plugin's function."""
    call.context.require(contributed.permission)
    in_query = contributed.method in IN_QUERY
    known = {parameter.name: parameter for parameter in contributed.takes}
    call.check_parameters(*(known if in_query else ()))
    given = dict(call.request.args) if in_query else call.body_object(optional=True)
    values = {("id" if name == "record_id" else name): value for name, value in parts.items()}
    violations = [_unknown(name, known) for name in given if name not in known]
    for name, parameter in known.items():
        try:
            values[name] = _read(parameter, given.get(name), as_text=in_query)
        except RuleViolation as violation:
            violations.append(violation)
    if violations:
        raise RuleViolations(violations)
    found = contributed.function(call.context, values)
    return Answer(found, 204 if found is None else 200)


def _unknown(name: str, known: Mapping[str, Parameter]) -> RuleViolation:
    text = _("There is no parameter “{name}” here. Known: {known}.", name=name[:60], known=", ".join(known) or "–")
    return RuleViolation("core.unknown_parameter", text, field=name[:60])


def _read(parameter: Parameter, value: Any, *, as_text: bool) -> Any:
    if value is None or value == "":
        if parameter.required:
            raise RuleViolation(
                "core.required", _("Fill in {label}.", label=parameter.label or parameter.name), field=parameter.name
            )
        return None
    try:
        return _from_text(parameter.type, value) if as_text else _from_json(parameter.type, value)
    except (ValueError, InvalidOperation):
        raise RuleViolation("core.invalid", WISHES[parameter.type], field=parameter.name) from None


def _from_text(wanted: type, text: str) -> Any:
    if wanted is bool:
        return (
            {"true": True, "1": True, "false": False, "0": False}[text]
            if text in ("true", "1", "false", "0")
            else _no()
        )
    if wanted is int:
        return int(text) if text.removeprefix("-").isdigit() and text.isascii() and len(text) < 20 else _no()
    return _from_json(wanted, text)


def _from_json(wanted: type, value: Any) -> Any:
    if wanted in (str, bool, int):
        return value if type(value) is wanted else _no()
    if not isinstance(value, str) or len(value) > 60:
        _no()
    if wanted is Decimal:
        number = Decimal(value)
        return number if number.is_finite() else _no()
    if wanted is dt.date:
        return dt.date.fromisoformat(value)
    moment = dt.datetime.fromisoformat(value)
    return moment.astimezone(dt.UTC) if moment.tzinfo is not None else _no()


def _no() -> Any:
    raise ValueError


# -- how OpenAPI describes them ------------------------------------------------------------------------------------------


def describe(contributed: Contributed, module: str) -> dict[str, Any]:
    """The operation in the OpenAPI document, without its answers of refusal."""
    found: dict[str, Any] = {"tags": [module], "summary": str(contributed.summary)}
    if contributed.method in IN_QUERY:
        found["parameters"] = [
            {"name": p.name, "in": "query", "required": p.required, "schema": dict(TYPES[p.type]), "description": str(p.label)}
            for p in contributed.takes
        ]  # fmt: skip
    else:
        properties = {
            p.name: {"title": str(p.label), **TYPES[p.type]} | ({} if p.required else _nullable(p.type))
            for p in contributed.takes
        }
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if required := [p.name for p in contributed.takes if p.required]:
            schema["required"] = required
        found["requestBody"] = {"required": bool(required), "content": {"application/json": {"schema": schema}}}
    found["responses"] = {
        "200": {"description": "What was asked for", "content": {"application/json": {"schema": dict(contributed.gives)}}},
        "204": {"description": "Done; there is nothing to tell"},
    }  # fmt: skip
    return found


def _nullable(of: type) -> dict[str, Any]:
    return {"type": [TYPES[of]["type"], "null"]}
