"""Kinds of text: one line, many lines, addresses of mail and web, telephone numbers, tags."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import phonenumbers
from sqlalchemy import ColumnElement, String, cast, func
from sqlalchemy import Text as LongString
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from comptoir.errors import RuleViolation
from comptoir.formats import Formats, phone_in_groups
from comptoir.i18n import Text as Words
from comptoir.i18n import _
from comptoir.kinds.cell import Cell
from comptoir.kinds.columns import Json
from comptoir.kinds.kind import EQUALITY, ORDER, Field, Kind, Page, Place, Refusal, Source, as_text

CURRENCY = re.compile("[A-Z]{3}")
EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]+\Z")
SURROGATE = re.compile("[\ud800-\udfff]")
URL = re.compile(r"https?://[^\s/$.?#][^\s]*\Z", re.IGNORECASE)


PERSON = re.compile(r"[^<>]*<\s*(?:mailto:)?([^<>@\s]+@[^<>@\s]+)\s*>\Z", re.IGNORECASE)
HOST = re.compile(r"(?:www\.)?(?:[\w-]+\.)+[a-z]{2,24}(?:[/?#:]\S*)?\Z", re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_dialable(number: str) -> bool:
    """Whether a telephone number is kept in E.164; what could not be read as one is kept as it was typed."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number)


class Plain(Kind):
    """Anything that is kept as text: it has a length, and characters that can be kept."""

    name = "text"

    def flaw(self, field: Field, value: Any) -> Refusal:
        """Characters first, then the length."""
        if not isinstance(value, str):
            return RuleViolation("core.not_text", _("{label} is text.", label=field.label))
        if "\x00" in value:
            return RuleViolation("core.nul", _("The text holds a NUL character; remove it."))
        if SURROGATE.search(value):
            return RuleViolation("core.surrogate", _("The text holds half a character; type it again."))
        if field.max_length is not None and len(value) > field.max_length:
            return RuleViolation(
                "core.too_long",
                _(
                    "{label} takes {limit} characters; this has {length}.",
                    label=field.label,
                    limit=field.max_length,
                    length=len(value),
                ),
            )
        return None

    def holds(self, field: Field, values: Sequence[Any]) -> bool:
        """At a glance, where a kind has no more rules than these."""
        if type(self).flaw is not Plain.flaw or set(map(type, values)) != {str}:
            return super().holds(field, values)
        joined = "".join(values)
        is_short = field.max_length is None or max(map(len, values)) <= field.max_length
        return is_short and "\x00" not in joined and not SURROGATE.search(joined)


class Text(Plain):
    """One line of text."""

    name = "text"
    operators = (*EQUALITY, *ORDER, "contains", "starts")
    textual = True
    facet = True
    phone_roles: ClassVar[Mapping[str, int]] = {"second": 1, "detail": 4}


class Currency(Text):
    """A currency by its ISO 4217 code."""

    name = "currency"

    def flaw(self, field: Field, value: Any) -> Refusal:
        """Three capital letters."""
        if isinstance(value, str) and not CURRENCY.fullmatch(value):
            return RuleViolation("core.not_a_currency", _("Give a currency of three letters such as EUR."))
        return super().flaw(field, value)


class LongText(Text):
    """Text of any number of lines."""

    name = "long_text"
    input = "area"
    width = 12
    sorts = groups = facet = False
    phone_roles: ClassVar[Mapping[str, int]] = {}

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """A text without a bound of its own."""
        return LongString()

    def read(self, field: Field, given: Any, source: Source) -> str:
        """The text with the line ends of this house, without empty lines around it."""
        return as_text(given).replace("\r\n", "\n").strip("\n")

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The beginning, on one line."""
        return Cell(" ".join(str(value).split())[:140])


class Email(Text):
    """An address of mail."""

    name = "email"
    input = look = "email"
    facet = False
    settled = True
    phone_roles: ClassVar[Mapping[str, int]] = {}

    def read(self, field: Field, given: Any, source: Source) -> str:
        """The address alone, as in ``Ana <ana@example.org>`` or ``mailto:ana@example.org``."""
        text = as_text(given)
        named = PERSON.match(text)
        return named[1] if named else re.sub(r"\Amailto:", "", text, flags=re.IGNORECASE)

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A name, an @ and a domain."""
        broken = super().flaw(field, value)
        if broken is None and not EMAIL.match(value):
            return RuleViolation("core.not_an_email", _("Write the address as name@example.org."))
        return broken

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The address, to write to."""
        return Cell(str(value), "email")


class Phone(Text):
    """A telephone number."""

    name = "phone"
    input = look = "phone"
    facet = False
    may_stay_unread = True
    phone_roles: ClassVar[Mapping[str, int]] = {}

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The number in groups, to dial; marked where it could not be read as one."""
        if not any(character.isdigit() for character in str(value)):
            return Cell(str(value), note=str(_("no number to dial")))
        tone = "" if is_dialable(str(value)) else "warn"
        return Cell(phone_in_groups(str(value)), "phone", url=str(value), tone=tone)

    def unread(self, value: Any) -> Words | None:
        """What to mention of a number that is not in E.164."""
        if is_dialable(str(value)):
            return None
        return _(
            "“{number}” is kept as typed, because it is no number of its country. "
            "Write it with a prefix such as +40, or fill in the country.",
            number=str(value)[:40],
        )


class Url(Text):
    """An http or https address."""

    name = "url"
    input = "url"
    facet = False
    settled = True
    phone_roles: ClassVar[Mapping[str, int]] = {}

    def read(self, field: Field, given: Any, source: Source) -> str:
        """An address, completed where only its host is given."""
        text = as_text(given)
        return f"https://{text}" if HOST.match(text) else text

    def flaw(self, field: Field, value: Any) -> Refusal:
        """A scheme and a host."""
        broken = super().flaw(field, value)
        if broken is None and not URL.match(value):
            return RuleViolation("core.not_a_url", _("Write the address as https://example.org."))
        return broken

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """The address without what every address begins with."""
        return Cell(str(value).removeprefix("https://").removeprefix("http://").rstrip("/"), "link", url=value)


TAG_LENGTH = 60
MAX_TAGS = 100
BAD_TAG = re.compile(r'["\\,;\x00-\x1f\x7f\ud800-\udfff]')


class Tags(Kind):
    """A few words, in order and each once; kept as a JSON array."""

    name = "tags"
    python_type = list
    operators = ("has", "has_not", "is_null")
    look = "tags"
    sorts = groups = ordered = False

    def column_type(self, field: Field) -> TypeEngine[Any]:
        """JSON, NULL where there are none."""
        return Json()

    def read(self, field: Field, given: Any, source: Source) -> list[str] | None:
        """Words between commas."""
        words = [" ".join(word.split()) for word in re.split(r"[,;]", as_text(given))]
        return list(dict.fromkeys(filter(None, words))) or None

    def from_json(self, field: Field, given: Any) -> list[str]:
        """A list of texts."""
        if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
            raise RuleViolation("core.not_tags", _("Give a list of texts."))
        return given

    def flaw(self, field: Field, value: Any) -> Refusal:
        """Words without the signs that part them, each once."""
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            return RuleViolation("core.not_tags", _("{label} is a list of words.", label=field.label))
        if len(value) > MAX_TAGS:
            return RuleViolation("core.too_many_tags", _("Give at most {limit} words.", limit=MAX_TAGS))
        for word in value:
            if not word or word != " ".join(word.split()) or BAD_TAG.search(word) or len(word) > TAG_LENGTH:
                return RuleViolation(
                    "core.bad_tag",
                    _(
                        "“{word}” cannot be a tag: it has at most {limit} characters, no comma, semicolon, quote or "
                        "backslash, and no blanks around it.",
                        word=word[:60].encode(errors="replace").decode(),
                        limit=TAG_LENGTH,
                    ),
                )
        if len(set(value)) != len(value):
            return RuleViolation("core.tag_twice", _("A word stands twice. Give each once."))
        return None

    def to_sheet(self, value: Any) -> str:
        """The words between commas."""
        return ", ".join(value)

    def input_text(self, field: Field, value: Any, formats: Formats) -> str:
        """The words between commas."""
        return ", ".join(value)

    def cell(self, field: Field, value: Any, page: Page, currency: str | None) -> Cell:
        """Each word as a label."""
        return Cell(", ".join(value), "tags", tags=tuple(value))

    def operand(self, field: Field, text: str) -> str:
        """One word."""
        if not text or BAD_TAG.search(text):
            raise RuleViolation("core.bad_tag", _("Give one word, without comma and quotes."))
        return text

    def from_code(self, field: Field, value: Any) -> Any:
        """One word."""
        if not isinstance(value, str):
            raise RuleViolation("core.wrong_type", _("{label} does not take this value.", label=field.label))
        return self.operand(field, value)

    def compare(self, operator: str, value: Any, reader: Any) -> tuple[str, list[Any]]:
        """The word as it stands in the array: quotes end it, so that no other word holds it."""
        return operator, [json.dumps(value)]

    def condition(self, operator: str, column: ColumnElement[Any], place: Place, dialect: str) -> ColumnElement[bool]:
        """Whether the array holds a word."""
        if dialect == "sqlite":
            text = cast(column, String())
            return func.replace(text, place(String()), "", type_=String()) != text
        return cast(column, JSONB).op("@>", is_comparison=True)(cast(place(String()), JSONB))

    def schema(self, field: Field, *, writing: bool) -> dict[str, Any]:
        """An array of texts."""
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
        if writing:
            schema |= {"maxItems": MAX_TAGS, "uniqueItems": True}
            schema["items"] |= {"minLength": 1, "maxLength": TAG_LENGTH}
        return schema
