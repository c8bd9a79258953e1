"""Telephone numbers: read as people type them, kept in E.164."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from babel.core import get_global

if TYPE_CHECKING:
    from comptoir.toolkit import Context


@dataclass(frozen=True, slots=True)
class DialledNumber:
    """A number in E.164 with its extension; ``digits`` are those dialled from abroad, then those dialled at home."""

    number: str
    extension: str | None
    digits: str


@lru_cache
def region_of(timezone: str) -> str | None:
    """The country whose numbers are written without their prefix in this time zone: ``Europe/Bucharest`` gives RO."""
    territory: str | None = get_global("zone_territories").get(timezone)
    return territory if territory is not None and territory.isalpha() else None


@lru_cache(maxsize=4096)
def read_number(typed: str, region: str | None) -> DialledNumber:
    """The number that was typed; what cannot be one stays as it is, so that nothing is lost."""
    try:
        parsed = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException:
        return _as_typed(typed)
    if not phonenumbers.is_possible_number(parsed):
        return _as_typed(typed)
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    at_home = _digits(phonenumbers.format_number(_bare(parsed), phonenumbers.PhoneNumberFormat.NATIONAL))
    return DialledNumber(number, parsed.extension or None, f"{number[1:]} {at_home}")


def as_stored(ctx: Context, typed: str) -> str:
    """The stored form of a number that somebody looks for, as typed where the deployment is.

    A blank at the start is the plus that the address of a page turned into one.
    """
    plain = "+" + typed.lstrip() if typed[:1] == " " else typed
    return read_number(plain, region_of(ctx.settings.timezone.key)).number


def _as_typed(typed: str) -> DialledNumber:
    return DialledNumber(" ".join(typed.split()), None, _digits(typed)[:80])


def _bare(parsed: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    bare = phonenumbers.PhoneNumber()
    bare.merge_from(parsed)
    bare.extension = None
    return bare


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
