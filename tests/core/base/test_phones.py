"""Telephone numbers of many countries: read where they belong, never as somebody else's, and kept where they cannot be."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comptoir.base.models import Contact, ContactAddress, ContactPhone
from comptoir.base.phones import read_number
from comptoir.base.services import find_by_phone
from comptoir.context import Context
from comptoir.deployment import Deployment
from comptoir.kinds import country_code, is_dialable
from comptoir.records.query import parse, run
from comptoir.records.write import save

DUTCH = "06 12345678"


def number_of(ctx: Context, typed: str, **values: Any) -> str:
    made = Contact(name="Koffiehuis", phones=[ContactPhone(number=typed)], **values)
    save(ctx, [made])
    return made.phones[0].number


def examples() -> Iterator[dict[str, str]]:
    shared = Path(os.environ.get("COMPTOIR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
    file = shared / "vat_and_phone" / "phone_examples.csv"
    if not file.exists():
        pytest.skip(f"there is no {file}")
    with file.open(encoding="utf-8", newline="") as rows:
        yield from csv.DictReader(rows)


@pytest.mark.parametrize(
    "country", ["NL", "nl", "NLD", "Netherlands", "the Netherlands", "Nederland", "Țările de Jos", "OLANDA", "Holandia"]
)
def test_a_national_number_is_read_with_the_country_of_its_contact(ctx: Context, country: str) -> None:
    assert number_of(ctx, DUTCH, country=country) == "+31612345678"


def test_the_country_of_an_address_counts_as_well(ctx: Context) -> None:
    assert number_of(ctx, DUTCH, addresses=[ContactAddress(city="Utrecht", country="Nederland")]) == "+31612345678"


def test_without_a_country_a_number_is_that_of_the_deployment(ctx: Context) -> None:
    assert number_of(ctx, "0744 123 456") == "+40744123456"


def test_a_number_that_no_line_of_the_country_has_is_kept_as_typed(ctx: Context) -> None:
    assert number_of(ctx, DUTCH) == DUTCH


def test_a_country_that_nobody_knows_is_not_the_deployments(ctx: Context) -> None:
    assert number_of(ctx, "0744 123 456", country="Atlantis") == "0744 123 456"


def test_a_number_that_waited_for_its_country_is_read_once_that_is_known(ctx: Context) -> None:
    made = Contact(name="Koffiehuis", phones=[ContactPhone(number=DUTCH)])
    save(ctx, [made])
    made.country = "Nederland"
    save(ctx, [made])
    assert (made.phones[0].number, made.phones[0].digits) == ("+31612345678", "31612345678 0612345678")


def test_a_number_that_was_read_stays_when_its_contact_moves(ctx: Context) -> None:
    made = Contact(name="Koffiehuis", phones=[ContactPhone(number=DUTCH)], country="Nederland")
    save(ctx, [made])
    made.country = "Romania"
    save(ctx, [made])
    assert made.phones[0].number == "+31612345678"


def test_the_time_zone_is_no_country(ctx: Context) -> None:
    assert ctx.settings.timezone.key == "Europe/Bucharest"
    ctx.settings = replace(ctx.settings, country=None)
    assert number_of(ctx, "0744 123 456") == "0744 123 456"
    assert number_of(ctx, "+40 744 123 456") == "+40744123456"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("0040 21 555 0100", "+40215550100"), ("+40 (0)21 555 0100", "+40215550100"), ("0040 (0)21 555 0100", "+40215550100"),
        ("tel:+40-21-555-0100", "+40215550100"), ("+39 (0)6 12345678", "+390612345678"), ("+7 (0) 495 123-45-67", "+74951234567"),
        ("＋40 21 555 0100", "+40215550100"), ("0031 6 12345678", "+31612345678"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("country", ["RO", "US", None])
def test_a_number_from_abroad_is_read_wherever_it_is_typed(typed: str, number: str, country: str | None) -> None:
    assert read_number(typed, country).number == number


@pytest.mark.parametrize("typed", ["ask at the desk", "+999 1234567", DUTCH, "112", "0722 000 111 / 0722 000 112"])
def test_what_cannot_be_read_is_kept_and_seen_to_be_unread(typed: str) -> None:
    kept = read_number(typed, "RO").number
    assert kept == typed
    assert not is_dialable(kept)


def test_real_numbers_of_every_country_are_read_with_their_country() -> None:
    wrong = [row for row in examples() if read_number(row["national"], row["region"]).number != row["e164"]]
    assert wrong == []


def test_real_numbers_without_their_country_never_become_another_one() -> None:
    """A national number may be valid in two countries; without its own it is at least never of an invalid form."""
    for row in examples():
        read = read_number(row["national"], None)
        assert read.number in (row["national"], row["e164"])
        assert read_number(row["international"], "RO").number == row["e164"]
        assert read_number("00" + row["international"][1:], "US").number == row["e164"]


@pytest.mark.parametrize(
    "typed",
    [
        "+40 (0)21 555 0100", "tel:+40-21-555-0100", "tel:+40215550100;ext=12", "0040 21 555 0100", "0040(0)215550100",
        "021 555 0100", "021/555.01.00", "+40215550100", "555 0100",
    ],
)  # fmt: skip
def test_a_number_is_found_however_it_is_looked_for(ctx: Context, typed: str) -> None:
    number_of(ctx, "+40 21 555 0100")
    number_of(ctx, "+40 21 555 0199")
    declared = ctx.registry.record_type("base.contact")
    found = run(ctx, declared, parse(ctx, declared, [("q", typed), ("fields", "name")]))
    assert len(found.rows) == 1


def test_an_italian_zero_is_found_with_and_without_brackets(ctx: Context) -> None:
    number_of(ctx, "+39 06 12345678")
    declared = ctx.registry.record_type("base.contact")
    for typed in ("+39 (0)6 12345678", "+39 06 12345678"):
        assert len(run(ctx, declared, parse(ctx, declared, [("q", typed), ("fields", "name")])).rows) == 1


def test_a_caller_is_found_by_any_form_of_the_number(ctx: Context) -> None:
    number_of(ctx, DUTCH, country="Nederland")
    for typed in ("+31612345678", "0031 6 12345678", "+31 (0)6 12345678", "tel:+31-6-12345678"):
        assert len(find_by_phone(ctx, typed)) == 1


@pytest.mark.parametrize("text", ["", "?", "Atlantis", "EU", "ZZ", "123", "abcd", "\x00"])
def test_what_is_no_country_is_none(text: str) -> None:
    assert country_code(text) is None


def test_the_deployment_reads_numbers_with_its_own_country(deployment: Deployment) -> None:
    assert deployment.settings.country == "RO"
