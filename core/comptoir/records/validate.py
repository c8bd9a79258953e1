"""Whether values can be kept: required, length, range, NUL, NaN, choice, line by line; the same for every entrance."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import phonenumbers
from sqlalchemy import inspect

from comptoir.db.fields import NUMERIC, TEXTUAL, Field, Kind, fields_of
from comptoir.errors import RuleViolation
from comptoir.i18n import _

MONEY_LIMIT = Decimal(10) ** 14
EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]+\Z")
SURROGATE = re.compile("[\ud800-\udfff]")
URL = re.compile(r"https?://[^\s/$.?#][^\s]*\Z", re.IGNORECASE)


def violations_of(row: Any, names: Iterator[str] | Any = None, prefix: str = "") -> Iterator[RuleViolation]:
    """Every rule that the declared fields of a mapped object break; only the named fields where names are given."""
    declared_fields = fields_of(type(row))
    value_of = reader_of(row)
    for name in declared_fields if names is None else names:
        declared = declared_fields.get(name)
        if declared is None or declared.server:
            continue
        if declared.kind is Kind.LINES:
            for position, line in enumerate(value_of(name) or ()):
                yield from violations_of(line, prefix=f"{prefix}{name}.{position}.")
            continue
        value = value_of(name)
        if value is not None or declared.required:
            yield from check_value(declared, value, prefix + name)


def reader_of(row: Any) -> Callable[[str], Any]:
    """The quickest way to read the attributes of a mapped object: of a new one there is nothing to load."""
    return partial(getattr, row) if inspect(row).has_identity else row.__dict__.get


def check_value(declared: Field, value: Any, field: str) -> Iterator[RuleViolation]:
    """The rules that one value breaks."""
    if value is None or value == "":
        if declared.required:
            yield RuleViolation("core.required", _("Fill in {label}.", label=declared.label), field=field)
        return
    kind = declared.kind
    if kind in TEXTUAL or kind in (Kind.CHOICE, Kind.STAGE):
        yield from _check_text(declared, value, field)
    elif kind in NUMERIC:
        yield from _check_number(declared, value, field)
    elif kind is Kind.BOOLEAN and not isinstance(value, bool):
        yield RuleViolation("core.not_boolean", _("{label} is yes or no.", label=declared.label), field=field)
    elif kind is Kind.DATE and (not isinstance(value, dt.date) or isinstance(value, dt.datetime)):
        yield RuleViolation("core.not_a_date", _("Give a day such as 2026-11-22."), field=field)
    elif kind is Kind.DATE and not 1000 <= value.year <= 9999:
        yield RuleViolation("core.date_range", _("The year lies between 1000 and 9999."), field=field)
    elif kind is Kind.MOMENT and not is_moment(value):
        yield RuleViolation("core.not_a_moment", _("Give a day and time such as 2026-11-22T14:00+02:00."), field=field)
    elif kind is Kind.REFERENCE and not is_id(value):
        yield RuleViolation(
            "core.not_a_reference", _("{label} is the number of a record.", label=declared.label), field=field
        )


def is_id(value: object) -> bool:
    """Whether a value can be the id of a record."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def is_moment(value: object) -> bool:
    """Whether a value is a point in time that has a place in the calendar, in UTC too."""
    if not isinstance(value, dt.datetime) or value.utcoffset() is None:
        return False
    try:
        return value.astimezone(dt.UTC).year >= 1000
    except OverflowError:
        return False


@lru_cache(maxsize=4096)
def is_dialable(number: str) -> bool:
    """Whether a telephone number is kept in E.164; what could not be read as one is kept as it was typed."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number)


def _check_text(declared: Field, value: Any, field: str) -> Iterator[RuleViolation]:
    if not isinstance(value, str):
        yield RuleViolation("core.not_text", _("{label} is text.", label=declared.label), field=field)
        return
    if "\x00" in value:
        yield RuleViolation("core.nul", _("The text holds a NUL character; remove it."), field=field)
        return
    if SURROGATE.search(value):
        yield RuleViolation("core.surrogate", _("The text holds half a character; type it again."), field=field)
        return
    if declared.max_length is not None and len(value) > declared.max_length:
        yield RuleViolation(
            "core.too_long",
            _(
                "{label} takes {limit} characters; this has {length}.",
                label=declared.label,
                limit=declared.max_length,
                length=len(value),
            ),
            field=field,
        )
        return
    if declared.kind is Kind.EMAIL and not EMAIL.match(value):
        yield RuleViolation("core.not_an_email", _("Write the address as name@example.org."), field=field)
    elif declared.kind is Kind.URL and not URL.match(value):
        yield RuleViolation("core.not_a_url", _("Write the address as https://example.org."), field=field)
    elif declared.kind is Kind.CHOICE and declared.choices and value not in {c.value for c in declared.choices}:
        yield RuleViolation(
            "core.not_a_choice",
            _(
                "{value} is not in the list. Choose one of {choices}.",
                value=value[:60],
                choices=", ".join(c.value for c in declared.choices),
            ),
            field=field,
        )


def _check_number(declared: Field, value: Any, field: str) -> Iterator[RuleViolation]:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield RuleViolation("core.not_a_number", _("{label} is a number.", label=declared.label), field=field)
        return
    if isinstance(value, Decimal):
        if not value.is_finite():
            yield RuleViolation("core.not_a_number", _("{label} is a number.", label=declared.label), field=field)
            return
        if declared.kind is not Kind.INTEGER and abs(value) >= MONEY_LIMIT:
            yield RuleViolation(
                "core.out_of_range", _("The number has at most 14 digits before the point."), field=field
            )
            return
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < -4:
            yield RuleViolation("core.too_precise", _("The number has at most four decimals."), field=field)
            return
    if declared.kind is not Kind.INTEGER and isinstance(value, int) and abs(value) >= MONEY_LIMIT:
        yield RuleViolation("core.out_of_range", _("The number has at most 14 digits before the point."), field=field)
    elif declared.minimum is not None and value < declared.minimum:
        yield RuleViolation("core.out_of_range", _("Give {minimum} or more.", minimum=declared.minimum), field=field)
    elif declared.maximum is not None and value > declared.maximum:
        yield RuleViolation("core.out_of_range", _("Give {maximum} or less.", maximum=declared.maximum), field=field)
