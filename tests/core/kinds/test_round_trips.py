"""Reading what was written gives the same value: every kind, through its input, JSON, a spreadsheet and the history."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir import kinds
from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import LANGUAGES
from comptoir.kinds import Choice, Field, Kind
from comptoir.records.transfer.parsing import AnySpelling
from comptoir.rest.wire import dump
from comptoir.values import RecordRef

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
CHOICES = (Choice("a", "Apple"), Choice("b", "Pear"))
WORD = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='"\\,;'), min_size=1, max_size=20)
LINE = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
EXACT = st.decimals(min_value=-(10**13), max_value=10**13, places=4)
MINUTE = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=dt.UTC)
)

VALUES: dict[str, tuple[Kind, st.SearchStrategy[Any]]] = {
    "text": (kinds.Text(), LINE),
    "long text": (kinds.LongText(), st.lists(LINE, min_size=1, max_size=3).map("\n".join)),
    "email": (kinds.Email(), st.just("ana@example.org")),
    "phone": (kinds.Phone(), st.just("+40215550100")),
    "url": (kinds.Url(), st.just("https://example.org/a?b=c")),
    "tags": (kinds.Tags(), st.lists(WORD, min_size=1, max_size=5, unique=True)),
    "integer": (kinds.Integer(), st.integers(-(2**53), 2**53)),
    "duration": (kinds.Duration(), st.integers(0, 100_000)),
    "decimal": (kinds.Exact(), EXACT),
    "percent": (kinds.Percent(), EXACT),
    "money": (kinds.Money(), EXACT),
    "boolean": (kinds.Boolean(), st.just(True)),
    "date": (kinds.Day(), st.dates(dt.date(1000, 1, 1), dt.date(9000, 1, 1))),
    "moment": (kinds.Moment(), MINUTE),
    "choice": (kinds.Listed(), st.sampled_from(["a", "b"])),
    "stage": (kinds.StageOf(), st.sampled_from(["new", "won"])),
    "country": (
        kinds.Country(),
        st.sampled_from([c.value for c in kinds.Country().choices(Field(kinds.Country(), ""))]),
    ),
    "time zone": (kinds.TimeZone(), st.sampled_from(["Europe/Bucharest", "UTC", "America/New_York"])),
    "currency": (kinds.Currency(), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)),
    "reference": (kinds.Reference(), st.integers(1, 10**17)),
    "any record": (kinds.AnyRecord(), st.integers(1, 10**17).map(lambda n: RecordRef("sales.deal", n))),
}
CONCRETE = {
    value for value in vars(kinds).values() if isinstance(value, type) and issubclass(value, Kind) and value is not Kind
}


class Source:
    """Texts of one writer, where ids and stages stand for themselves."""

    def __init__(self, formats: Formats) -> None:
        self.formats = formats

    def record(self, field: Field, text: str) -> int:
        return int(text)

    def any_record(self, field: Field, text: str) -> RecordRef:
        return RecordRef.parse(text)

    def stage(self, field: Field, text: str) -> str:
        return text


def field_of(kind: Kind) -> Field:
    return Field(kind, "Value", name="value", choices=CHOICES if type(kind) is kinds.Listed else ())


SUMMER = settings(max_examples=40, deadline=None)


def test_every_kind_has_values_here() -> None:
    assert {type(kind) for kind, _values in VALUES.values()} == CONCRETE - {kinds.Plain, kinds.Children}


@pytest.mark.parametrize("name", VALUES)
@SUMMER
@given(data=st.data(), language=st.sampled_from(sorted(LANGUAGES)))
def test_an_input_gives_back_what_it_shows(name: str, data: Any, language: str) -> None:
    kind, values = VALUES[name]
    value, field = data.draw(values), field_of(kind)
    assert kind.flaw(field, value) is None
    formats = Formats(language, ZoneInfo("Europe/Sofia") if name != "moment" else ZoneInfo("Asia/Baku"), "EUR", NOW)
    assert kind.read(field, kind.input_text(field, value, formats), Source(formats)) == value


@pytest.mark.parametrize("name", VALUES)
@SUMMER
@given(data=st.data())
def test_json_gives_back_what_it_carries(name: str, data: Any) -> None:
    kind, values = VALUES[name]
    value, field = data.draw(values), field_of(kind)
    kept = json.loads(json.dumps(kind.to_json(value)))
    assert kind.from_json(field, kept) == value
    if kind.plain:
        assert kind.from_json(field, json.loads(dump(value))) == value


@pytest.mark.parametrize("name", VALUES)
@SUMMER
@given(data=st.data())
def test_a_spreadsheet_gives_back_what_it_holds(name: str, data: Any) -> None:
    kind, values = VALUES[name]
    value, field = data.draw(values), field_of(kind)
    files = Source(AnySpelling("en", ZoneInfo("Europe/Bucharest"), "EUR", NOW))
    cell = kind.to_sheet(value)
    assert isinstance(cell, str | int | float | Decimal | dt.date)
    assert kind.read(field, cell, files) == value


@pytest.mark.parametrize("name", VALUES)
@SUMMER
@given(
    data=st.data(), junk=st.one_of(st.none(), st.text(max_size=30), st.floats(), st.integers(), st.lists(st.integers()))
)
def test_junk_is_refused_and_never_crashes(name: str, data: Any, junk: Any) -> None:
    kind, _values = VALUES[name]
    field = field_of(kind)
    for read in (
        (kind.from_json, kind.from_code, kind.operand) if isinstance(junk, str) else (kind.from_json, kind.from_code)
    ):
        with suppress(RuleViolation):
            read(field, junk)
    kind.flaw(field, junk)


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        ("90", 90),
        ("1h 30", 90),
        ("1h30", 90),
        ("1:30", 90),
        ("1.5h", 90),
        ("1,5 h", 90),
        ("2h", 120),
        ("45 min", 45),
        ("45'", 45),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(typed: str, minutes: int) -> None:
    kind = kinds.Duration()
    assert kind.read(field_of(kind), typed, Source(Formats("en", ZoneInfo("UTC"), "EUR", NOW))) == minutes


@pytest.mark.parametrize("typed", ["RO", "ro", "Romania", "România", "Roemenië", "Rumunia", "Румъния", "Rumıniya"])
def test_a_country_is_known_by_its_name_in_every_language_of_the_house(typed: str) -> None:
    kind = kinds.Country()
    assert kind.read(field_of(kind), typed, Source(Formats("en", ZoneInfo("UTC"), "EUR", NOW))) == "RO"


@pytest.mark.parametrize("written", ["eur", "EURO", "E1R", "EUR\n", "", "€"])
def test_a_currency_has_three_capital_letters(written: str) -> None:
    kind = kinds.Currency()
    refused = kind.flaw(field_of(kind), written)
    assert refused is not None
    assert refused.code == "core.not_a_currency"
