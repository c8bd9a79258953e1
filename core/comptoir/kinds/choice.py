"""Kinds whose values come from a list: choices, stages, countries, time zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from babel import Locale

from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, Lazy, _, current_language, speaking
from comptoir.kinds.cell import Cell, CellKind
from comptoir.kinds.kind import Choice, Field, Page, Refusal, Source, as_text, unreadable
from comptoir.kinds.text import Plain
from comptoir.texts import fold


class Listed(Plain):
    """One of a list of values."""

    name = "choice"
    input = "choice"
    look: ClassVar[CellKind] = "status"
    width = 3
    facet = True
    phone_roles: ClassVar[Mapping[str, int]] = {"value": 2, "detail": 3}

    def choices(self, field: Field) -> Sequence[Choice] | None:
        """The list; a field without one takes anything."""
        return field.choices or None

    def read(self, field: Field, given: Any, source: Source) -> str:
        """A value, or its label in any language that the house speaks."""
        text = fold(as_text(given))
        listed = self.choices(field) or ()
        for choice in listed:
            if text == fold(choice.value):
                return choice.value
        for language in LANGUAGES:
            with speaking(language):
                for choice in listed:
                    if text == fold(str(choice.label)):
                        return choice.value
        raise unreadable(field, given, self.wanted(field))

    def wanted(self, field: Field) -> Any:
        """What to give instead of a value that is not in the list."""
        return ", ".join(choice.value for choice in self.choices(field) or ())

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A value that stands in the list."""
        broken = super().flaw(field, value)
        listed = self.choices(field)
        if broken is None and listed and value not in {choice.value for choice in listed}:
            return self.unlisted(field, value)
        return broken

    def unlisted(self, field: Field, value: str) -> RuleViolation:
        """The refusal of a value that is not in the list."""
        return RuleViolation(
            "core.not_a_choice",
            _("{value} is not in the list. Choose one of {choices}.", value=value[:60], choices=self.wanted(field)),
        )

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The label, with its mark where it has one."""
        chosen = next((c for c in self.choices(field) or () if c.value == value), None)
        label = str(chosen.label) if chosen else str(value)
        return Cell(label, "status", tone=chosen.tone) if chosen and chosen.tone else Cell(label)

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A text from the list."""
        schema = super().schema(field, writing=writing)
        listed = self.choices(field)
        if listed and writing:
            schema["enum"] = [choice.value for choice in listed]
        return schema

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """A text from the list."""
        listed = self.choices(field)
        return {"type": "string", "enum": [choice.value for choice in listed]} if listed else {"type": "string"}


class StageOf(Plain):
    """The stage of a record with a workflow, which knows its values."""

    name = "stage"
    input = "choice"
    look: ClassVar[CellKind] = "status"
    width = 3
    facet = never_null = staged = True
    phone_roles: ClassVar[Mapping[str, int]] = {"value": 1, "detail": 2}

    def read(self, field: Field, given: Any, source: Source) -> str:
        """A stage by its name or its label."""
        return source.stage(field, as_text(given))

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The label with its mark."""
        return page.stage(value)


class _CountryName(Lazy):
    """The name of a country in the language of whoever reads it."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(_territories(current_language()).get(self.message, self.message))


@lru_cache(maxsize=16)
def _territories(language: str) -> Mapping[str, str]:
    return Locale.parse(language).territories


NOWHERE = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})
"""Codes of two letters that name no country in ISO 3166."""

COUNTRIES: tuple[Choice, ...] = tuple(
    Choice(code, _CountryName(code))
    for code in sorted(_territories("en"))
    if len(code) == 2 and code.isalpha() and code not in NOWHERE
)
_CODES = frozenset(choice.value for choice in COUNTRIES)


@lru_cache(maxsize=1)
def _countries_by_name() -> Mapping[str, str]:
    """Codes by folded name, in every language that the house speaks and a few more spellings."""
    found = {"uk": "GB", "england": "GB", "usa": "US", "holland": "NL", "czech republic": "CZ", "turkey": "TR"}
    for language in LANGUAGES:
        for code, name in _territories(language).items():
            if code in _CODES:
                found.setdefault(fold(name), code)
    return found


def country_code(text: str) -> str | None:
    """The ISO 3166 code of a country, by the code or by its name in any language that the house speaks."""
    code = text.strip().upper()
    return code if code in _CODES else _countries_by_name().get(fold(text))


class Country(Listed):
    """A country, kept as its ISO 3166 code and shown by its name in the reader's language."""

    name = "country"
    look: ClassVar[CellKind] = "text"
    width = 6

    def choices(self, field: Field) -> Sequence[Choice]:
        """All countries, in the order of their codes."""
        return COUNTRIES

    def read(self, field: Field, given: Any, source: Source) -> str:
        """A code, or a name in any language that the house speaks."""
        code = country_code(as_text(given))
        if code is None:
            raise unreadable(field, given, self.wanted(field))
        return code

    def wanted(self, field: Field) -> Any:
        """An example, because the list is long."""
        return _("a country such as RO")

    def unlisted(self, field: Field, value: str) -> RuleViolation:
        """The code where a name was given."""
        code = country_code(value)
        if code is not None:
            return RuleViolation("core.not_a_country", _("Give the code of the country: {code}.", code=code))
        return RuleViolation("core.not_a_country", _("Give the code of a country such as RO."))

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The name."""
        return Cell(str(_territories(page.formats.language).get(value, value)))


@lru_cache(maxsize=1)
def _zones() -> tuple[Choice, ...]:
    return tuple(
        Choice(name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name or name == "UTC"
    )


class TimeZone(Listed):
    """A time zone by its name in the zone database."""

    name = "time_zone"
    look: ClassVar[CellKind] = "text"
    width = 6

    def choices(self, field: Field) -> Sequence[Choice]:
        """The zones that this machine knows."""
        return _zones()

    def wanted(self, field: Field) -> Any:
        """An example, because the list is long."""
        return _("a time zone such as Europe/Bucharest")

    def unlisted(self, field: Field, value: str) -> RuleViolation:
        """An example, because the list is long."""
        return RuleViolation("core.timezone", _("There is no such time zone. Try Europe/Bucharest."))
