"""Countries by the names that people write: ``NL``, ``NLD``, Nederland, Țările de Jos, Holland."""

from __future__ import annotations

from functools import lru_cache

from babel import Locale
from babel.core import get_global

from comptoir.texts import fold

NAMED_IN = ("en", "ro", "nl", "az", "bg", "pl", "de", "fr", "hu", "ru", "tr", "uk", "es", "it")
"""The languages whose names of countries are known; a name is looked for in this order."""

ALSO = {
    "uk": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB",
    "anglia": "GB", "marea britanie": "GB", "groot brittannie": "GB", "engeland": "GB", "велика британия": "GB",
    "великобритания": "GB", "англия": "GB", "boyuk britaniya": "GB", "ingiltere": "GB", "grossbritannien": "GB",
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "united states of america": "US", "america": "US", "sua": "US",
    "s.u.a.": "US", "statele unite": "US", "vs": "US", "сащ": "US", "сша": "US", "abs": "US", "stany zjednoczone ameryki": "US",
    "the netherlands": "NL", "holland": "NL", "olanda": "NL", "холандия": "NL", "hollandiya": "NL", "pays-bas": "NL",
    "czech republic": "CZ", "republica ceha": "CZ", "ceska republika": "CZ", "tsjechische republiek": "CZ",
    "republic of moldova": "MD", "moldova": "MD", "r. moldova": "MD", "rep. moldova": "MD", "macedonia": "MK",
    "turkey": "TR", "turkiye": "TR", "turkije": "TR", "south korea": "KR", "korea": "KR", "russian federation": "RU",
    "viet nam": "VN", "uae": "AE", "emirates": "AE", "belgia": "BE", "hellas": "GR", "el": "GR",
}  # fmt: skip
"""Names in use besides the official ones, folded."""


NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})
"""Codes of two letters that name no country in ISO 3166."""

CODES: frozenset[str] = frozenset(
    code for code in map(str, Locale.parse("en").territories) if len(code) == 2 and code.isalpha()
).difference(NO_COUNTRIES)
"""The ISO 3166 codes of countries."""


@lru_cache(maxsize=2048)
def country_code(written: str) -> str | None:
    """The ISO 3166 code of the country that a text names, None where it names none."""
    found = _code_of(written)
    return found if found in CODES else None


def _code_of(written: str) -> str | None:
    text = fold(written).strip(" .,")
    if text in ALSO:
        return ALSO[text]
    code = text.upper()
    if code in get_global("territory_languages") and code != "ZZ":
        return code
    aliases: list[str] = get_global("territory_aliases").get(code, []) if len(code) == 3 else []
    if len(aliases) == 1:
        return aliases[0]
    return next((found for language in NAMED_IN if (found := _names_in(language).get(text))), None)


@lru_cache
def _names_in(language: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for code, name in Locale.parse(language).territories.items():
        if code.isalpha():
            names.setdefault(fold(name), code)
    return names
