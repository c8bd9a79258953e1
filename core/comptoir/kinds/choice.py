"""Kinds whose values come from a list: choices, stages, countries, time zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from babel import Locale

from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, Lazy, Text, _, current_language, speaking
from comptoir.kinds.cell import Cell, CellKind
from comptoir.kinds.countries import CODES, country_code
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


COUNTRIES: tuple[Choice, ...] = tuple(Choice(code, _CountryName(code)) for code in sorted(CODES))


class Country(Listed):
    """A country, kept as its ISO 3166 code and shown by its name in the reader's language.

    A name that nobody knows is kept as it was typed, and marked: a file is not refused for a misspelt country.
    """

    name = "country"
    look: ClassVar[CellKind] = "text"
    width = 6
    may_stay_unread = True

    def choices(self, field: Field) -> Sequence[Choice]:
        """All countries, in the order of their codes."""
        return COUNTRIES

    def read(self, field: Field, given: Any, source: Source) -> str:
        """A code, or a name in any of many languages."""
        text = " ".join(as_text(given).split())
        return country_code(text) or text

    def from_json(self, field: Field, given: Any) -> str:
        """The same: names are kept by their codes."""
        text: str = super().from_json(field, given)
        return country_code(text) or text

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A text that can be kept."""
        return Plain.flaw(self, field, value)

    def unread(self, value: Any) -> Text | None:
        """What to mention of a name that nobody knows."""
        if value in CODES:
            return None
        return _("“{name}” is kept as typed, because no country is called so. Correct it.", name=str(value)[:40])

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The name; marked where nobody knows it."""
        if value not in CODES:
            return Cell(str(value), tone="warn")
        return Cell(str(_territories(page.formats.language).get(value, value)))

    def operand(self, field: Field, text: str) -> Any:
        """A code or a name."""
        return self.comparable(country_code(text) or text)

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A text, because names are taken too."""
        return Plain.schema(self, field, writing=writing)

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """A text, because names are taken too."""
        return Plain.filter_schema(self, field)


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

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """A text, because the list is long."""
        return Plain.schema(self, field, writing=writing)

    def filter_schema(self, field: Field) -> dict[str, Any]:
        """A text, because the list is long."""
        return Plain.filter_schema(self, field)
