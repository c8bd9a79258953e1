"""Telephone numbers: read as people type them, kept in E.164."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers

if TYPE_CHECKING:
    from comptoir.toolkit import Context

FROM_ABROAD = re.compile(r"\s*(?:00|\+)")
"""How a number begins that says its country itself; two zeros wherever it is typed, though some countries dial others."""


@dataclass(frozen=True, slots=True)
class DialledNumber:
    """A number in E.164 with its extension; ``digits`` are those dialled from abroad, then those dialled at home."""

    number: str
    extension: str | None
    digits: str


@lru_cache(maxsize=4096)
def read_number(typed: str, country: str | None) -> DialledNumber:
    """The number as it was typed in a country (its ISO code); what cannot be one stays as it is, so that nothing is lost.

    With a plus or two zeros it may be from anywhere.  Without, it must be a valid number of the country: with the wrong
    country most numbers still have a possible length, and would become somebody else's.
    """
    parsed = _parsed(typed, country)
    if parsed is None and FROM_ABROAD.match(typed):
        parsed = _parsed(FROM_ABROAD.sub("+", typed, count=1).replace("(0)", ""), None)
    if parsed is None:
        return _as_typed(typed)
    abroad = f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    extension, parsed.extension = parsed.extension, None
    at_home = _digits(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    return DialledNumber(f"+{abroad}", extension or None, f"{abroad} {at_home}")


def _parsed(written: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(written, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    is_national = parsed.country_code_source == phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY
    fits = phonenumbers.is_valid_number if is_national else phonenumbers.is_possible_number
    return parsed if fits(parsed) else None


def as_stored(ctx: Context, typed: str) -> str:
    """The stored form of a number that somebody looks for, as typed in the country of the deployment.

    A blank at the start is the plus that the address of a page turned into one.
    """
    plain = "+" + typed.lstrip() if typed[:1] == " " else typed
    return read_number(plain, ctx.settings.country).number


def _as_typed(typed: str) -> DialledNumber:
    return DialledNumber(" ".join(typed.split()), None, _digits(typed)[:80])


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
