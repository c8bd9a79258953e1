"""Values of filters: read from text by the kind of the field, written back, and resolved when the query runs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from comptoir.db.fields import NUMERIC, TEXTUAL, Field, Kind, python_type
from comptoir.db.types import check_text
from comptoir.i18n import _
from comptoir.records.query.paths import Path, refuse, shown, unknown
from comptoir.records.validate import MONEY_LIMIT

if TYPE_CHECKING:
    from comptoir.context import Context

EQUALITY = ("eq", "ne", "in", "nin", "is_null")
ORDER = ("lt", "lte", "gt", "gte")

MAX_TEXT = 1_000
MAX_VALUES = 500
MAX_ID = 2**63 - 1

ME = "me"
MY_TEAMS = "my_teams"
"""Words in place of the id of the reader, and of the teams at or below theirs."""

TODAY = re.compile(r"today(?:([+-])(\d{1,5}))?\Z", re.ASCII)
SPAN = re.compile(r"(last|next)_(\d{1,4})_days\Z", re.ASCII)
PERIOD = re.compile(r"(last|this|next)_(week|month|quarter|year)\Z")
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
PERIODS = (
    *DAYS,
    *(f"{which}_{what}" for what in ("week", "month", "quarter", "year") for which in ("last", "this", "next")),
    "last_7_days",
    "last_30_days",
    "last_90_days",
    "next_7_days",
    "next_30_days",
)
"""What ``within`` takes, besides ``last_<n>_days`` (that end today) and ``next_<n>_days`` (that begin today) of any n."""

INTEGER = re.compile(r"[+-]?\d{1,19}\Z", re.ASCII)
DECIMAL = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?\Z", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


OPERATORS: dict[Kind, tuple[str, ...]] = {
    **dict.fromkeys(TEXTUAL, (*EQUALITY, *ORDER, "contains", "starts")),
    **dict.fromkeys(NUMERIC, (*EQUALITY, *ORDER)),
    Kind.DATE: (*EQUALITY, *ORDER, "within"),
    Kind.MOMENT: ("eq", "ne", "is_null", *ORDER, "within"),
    Kind.LINES: ("is_null",),
}


def operators_of(field: Field) -> tuple[str, ...]:
    """The operators that a field takes."""
    return OPERATORS.get(field.kind, EQUALITY)


def check_operator(path: Path, operator: str, parameter: str) -> None:
    """Refuse an operator that the field does not take."""
    known = operators_of(path.field)
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
    kind = field.kind
    if isinstance(value, str) and python_type(kind) is not str:
        return _read(field, operator, value, parameter)
    if kind in NUMERIC and kind is not Kind.INTEGER and isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    expected = (dt.date, dt.datetime) if kind is Kind.MOMENT else python_type(kind)
    bad = isinstance(value, bool) is not (kind is Kind.BOOLEAN) or not isinstance(value, expected)
    if bad or (kind is Kind.DATE and isinstance(value, dt.datetime)):
        raise refuse("core.wrong_type", _("{label} does not take this value.", label=field.label), parameter)
    if isinstance(value, str):
        _check_characters(value, parameter)
    return _in_range(field, value, parameter)


# -- one value ----------------------------------------------------------------------------------------------------------


def _single(ctx: Context, path: Path, operator: str, text: str, parameter: str) -> Any:
    field = path.field
    value = _read(field, operator, text, parameter)
    known: list[str] | None = None
    if field.kind is Kind.CHOICE and field.choices:
        known = [choice.value for choice in field.choices]
    elif field.kind is Kind.STAGE and (workflow := path.declared.declaration.workflow) is not None:
        known = [stage.name for stage in workflow.stages(ctx)]
    if known is not None and value not in known:
        raise unknown("core.unknown_value", _("value"), text, known, parameter)
    return value


def _read(field: Field, operator: str, text: str, parameter: str) -> Any:
    if len(text) > MAX_TEXT:
        raise refuse("core.too_long", _("A value takes {limit} characters.", limit=MAX_TEXT), parameter)
    reader = _READERS.get(field.kind)
    if reader is not None:
        if not text:
            raise refuse("core.empty_value", _("Give a value, or use is_null=true."), parameter)
        return _in_range(field, reader(field, text, parameter), parameter)
    _check_characters(text, parameter)
    if not text and operator in ("contains", "starts"):
        raise refuse("core.empty_value", _("Give the text to look for."), parameter)
    return text


def _check_characters(text: str, parameter: str) -> None:
    try:
        check_text(text)
    except ValueError:
        raise refuse(
            "core.not_text", _("The text holds a character that cannot be kept. Remove it."), parameter
        ) from None


def _boolean(text: str, parameter: str) -> bool:
    if text not in BOOLEANS:
        raise refuse("core.not_boolean", _("Give true or false, not “{value}”.", value=shown(text)), parameter)
    return BOOLEANS[text]


def _integer(text: str, parameter: str) -> int:
    if not INTEGER.match(text):
        raise refuse("core.not_a_number", _("Give a whole number, not “{value}”.", value=shown(text)), parameter)
    return int(text)


def _decimal(text: str, parameter: str) -> Decimal:
    if not DECIMAL.match(text):
        raise refuse(
            "core.not_a_number", _("Give a number such as 1250.50, not “{value}”.", value=shown(text)), parameter
        )
    return Decimal(text)


def _reference(field: Field, text: str, parameter: str) -> int | str:
    if (text == ME and field.target == "core_user") or (text == MY_TEAMS and field.target == "core_team"):
        return text
    if not INTEGER.match(text):
        raise refuse("core.not_an_id", _("Give the number of a record, not “{value}”.", value=shown(text)), parameter)
    return int(text)


def _date(text: str, parameter: str) -> dt.date | str:
    if TODAY.match(text):
        return text
    if DATE.match(text):
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            pass
    raise refuse(
        "core.not_a_date", _("Give a day such as 2026-11-22, or today+7, not “{value}”.", value=shown(text)), parameter
    )


def _moment(text: str, parameter: str) -> dt.date | str:
    if TODAY.match(text) or text == "now":
        return text
    try:
        moment = dt.date.fromisoformat(text) if DATE.match(text) else dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or (isinstance(moment, dt.datetime) and moment.utcoffset() is None):
        raise refuse(
            "core.not_a_moment",
            _(
                "Give a day such as 2026-11-22, or a moment with its offset such as 2026-11-22T14:00+02:00 "
                "(+ is written %2B in an address), not “{value}”.",
                value=shown(text),
            ),
            parameter,
        )
    return moment


_READERS: dict[Kind, Callable[[Field, str, str], Any]] = {
    Kind.BOOLEAN: lambda _field, text, parameter: _boolean(text, parameter),
    Kind.INTEGER: lambda _field, text, parameter: _integer(text, parameter),
    Kind.DECIMAL: lambda _field, text, parameter: _decimal(text, parameter),
    Kind.MONEY: lambda _field, text, parameter: _decimal(text, parameter),
    Kind.PERCENT: lambda _field, text, parameter: _decimal(text, parameter),
    Kind.REFERENCE: _reference,
    Kind.DATE: lambda _field, text, parameter: _date(text, parameter),
    Kind.MOMENT: lambda _field, text, parameter: _moment(text, parameter),
}


def _in_range(field: Field, value: Any, parameter: str) -> Any:
    """The value, if both engines can compare with it."""
    kind = field.kind
    good = True
    if isinstance(value, Decimal):
        good = value.is_finite() and abs(value) < MONEY_LIMIT and value == value.quantize(Decimal("0.0001"))
    elif kind in (Kind.INTEGER, Kind.REFERENCE) and isinstance(value, int):
        good = -MAX_ID <= value <= MAX_ID
    elif isinstance(value, dt.date):
        good = 1000 <= value.year <= 9000
    elif isinstance(value, str) and (match := TODAY.match(value)) and kind in (Kind.DATE, Kind.MOMENT):
        good = int(match[2] or 0) <= 99_999
    if not good:
        message = {
            Kind.INTEGER: _("The number has at most 18 digits."),
            Kind.REFERENCE: _("The number has at most 18 digits."),
            Kind.DATE: _("The year lies between 1000 and 9000."),
            Kind.MOMENT: _("The year lies between 1000 and 9000."),
        }.get(kind, _("The number has at most 14 digits before the point and four after it."))
        raise refuse("core.out_of_range", message, parameter)
    return value


def _period(text: str, parameter: str) -> str:
    match = SPAN.match(text)
    if text in PERIODS or PERIOD.match(text) or (match is not None and int(match[2]) >= 1):
        return text
    raise unknown("core.unknown_value", _("period"), text, PERIODS, parameter)


# -- when the query runs --------------------------------------------------------------------------------------------------


def day_of(ctx: Context, value: dt.date | str) -> dt.date:
    """The day that a value stands for, now and where the actor is."""
    if isinstance(value, str):
        match = TODAY.match(value)
        assert match is not None
        return ctx.today() + dt.timedelta(days=int((match[1] or "+") + (match[2] or "0")))
    return value


def start_of(ctx: Context, day: dt.date) -> dt.datetime:
    """The moment at which a day begins where the actor is."""
    return dt.datetime.combine(day, dt.time(), ctx.timezone).astimezone(dt.UTC)


def period_bounds(today: dt.date, word: str) -> tuple[dt.date, dt.date]:
    """The first day of a period and the first day after it."""
    if word in DAYS:
        first = today + dt.timedelta(days=DAYS[word])
        return first, first + dt.timedelta(days=1)
    span = SPAN.match(word)
    if span is not None:
        days = int(span[2])
        if span[1] == "last":
            return today - dt.timedelta(days=days - 1), today + dt.timedelta(days=1)
        return today, today + dt.timedelta(days=days)
    which, _sep, what = word.partition("_")
    offset = {"last": -1, "this": 0, "next": 1}[which]
    if what == "week":
        first = today - dt.timedelta(days=today.weekday()) + dt.timedelta(weeks=offset)
        return first, first + dt.timedelta(weeks=1)
    months = {"month": 1, "quarter": 3, "year": 12}[what]
    begin = (today.year * 12 + today.month - 1) // months * months + offset * months
    return _month(begin), _month(begin + months)


def _month(count: int) -> dt.date:
    return dt.date(count // 12, count % 12 + 1, 1)
