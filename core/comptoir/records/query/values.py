"""Values of filters: read from text by the kind of the field, written back, and checked when they come from code."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import PERIODS, Field, is_period
from comptoir.records.query.paths import Path, refuse, unknown
from comptoir.texts import shown

if TYPE_CHECKING:
    from comptoir.context import Context

MAX_TEXT = 1_000
MAX_VALUES = 500
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def check_operator(path: Path, operator: str, parameter: str) -> None:
    """Refuse an operator that the field does not take."""
    known = path.field.operators
    if operator not in known:
        raise unknown("core.unknown_operator", _("operator"), operator, known, parameter)


def parse_value(ctx: Context, path: Path, operator: str, text: str, parameter: str) -> Any:
    """The value that a text from outside means for this field and operator."""
    if operator == "is_null":
        return _boolean(text, parameter)
    if operator == "within":
        return _period(text, parameter)
    if operator in ("in", "nin"):
        parts = split_list(text, parameter)
        return tuple(_single(ctx, path, operator, part, parameter) for part in parts)
    return _single(ctx, path, operator, text, parameter)


def split_list(text: str, parameter: str) -> list[str]:
    r"""The members of ``a,b,c``; a comma inside a member is written ``\,``, a backslash ``\\``."""
    members, member, escaped = [], [], False
    for character in text[: MAX_TEXT * MAX_VALUES]:
        if escaped or character not in "\\,":
            member.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            members.append("".join(member))
            member = []
    members.append("".join(member))
    if len(members) > MAX_VALUES or len(text) > MAX_TEXT * MAX_VALUES:
        raise refuse("core.too_many_values", _("Give at most {limit} values.", limit=MAX_VALUES), parameter)
    return members


def format_value(value: Any) -> str:
    """The URL form of a value; `parse_value` reads it back."""
    if isinstance(value, tuple):
        return ",".join(re.sub(r"([\\,])", r"\\\1", format_value(member)) for member in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def coerce(field: Field, operator: str, value: Any, parameter: str) -> Any:
    """A value from code in the form that a tree holds; one of the wrong type is a violation."""
    if operator in ("in", "nin"):
        if not isinstance(value, Iterable) or isinstance(value, str):
            raise refuse("core.not_a_list", _("Give a list of values."), parameter)
        return tuple(coerce(field, "eq", member, parameter) for member in value)
    if operator == "is_null":
        if not isinstance(value, bool):
            raise refuse("core.not_boolean", _("Give true or false."), parameter)
        return value
    if operator == "within":
        return _period(str(value), parameter)
    return _at(parameter, lambda: field.kind.from_code(field, value))


# -- one value ----------------------------------------------------------------------------------------------------------


def _single(ctx: Context, path: Path, operator: str, text: str, parameter: str) -> Any:
    field = path.field
    value = _read(field, operator, text, parameter)
    known = path.declared.choices(ctx, field)
    is_closed = known is not None and not field.kind.may_stay_unread
    if known is not None and is_closed and value not in (values := [choice.value for choice in known]):
        raise unknown("core.unknown_value", _("value"), text, values, parameter)
    return value


def _read(field: Field, operator: str, text: str, parameter: str) -> Any:
    if len(text) > MAX_TEXT:
        raise refuse("core.too_long", _("A value takes {limit} characters.", limit=MAX_TEXT), parameter)
    if not text and operator in ("contains", "starts"):
        raise refuse("core.empty_value", _("Give the text to look for."), parameter)
    if not text and field.kind.python_type is not str:
        raise refuse("core.empty_value", _("Give a value, or use is_null=true."), parameter)
    return _at(parameter, lambda: field.kind.operand(field, text))


def _at(parameter: str, read: Callable[[], Any]) -> Any:
    """What a kind reads; its refusal is that of the parameter."""
    try:
        return read()
    except RuleViolation as refused:
        raise refused.at(shown(parameter)) from None


def _boolean(text: str, parameter: str) -> bool:
    if text not in BOOLEANS:
        raise refuse("core.not_boolean", _("Give true or false, not “{value}”.", value=shown(text)), parameter)
    return BOOLEANS[text]


def _period(text: str, parameter: str) -> str:
    if is_period(text):
        return text
    raise unknown("core.unknown_value", _("period"), text, PERIODS, parameter)
