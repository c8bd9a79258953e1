"""Contacts: numbers, addresses, duplicates and the tree of companies."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import event, text

from comptoir.base.models import Contact, ContactAddress, ContactEmail, ContactPhone
from comptoir.base.services import children_of, duplicates_of, find_by_email, find_by_phone, set_status
from comptoir.context import Context
from comptoir.errors import RuleViolations
from comptoir.records.write import save
from comptoir.testing.platform import Clock


def contact(ctx: Context, name: str = "Mega Fruct SRL", **values: object) -> Contact:
    made = Contact(name=name, **values)
    save(ctx, [made])
    return made


def test_a_contact_needs_no_more_than_a_name(ctx: Context) -> None:
    made = contact(ctx, "  Mega   Fruct SRL ")
    assert (made.name, made.kind, made.status, made.status_since) == ("Mega Fruct SRL", "company", "new", ctx.today())


@pytest.mark.parametrize("typed", ["0744 123 456", "+40 744.123.456", "0040744123456", "(0744) 123-456"])
def test_a_number_is_kept_in_one_form_however_it_is_typed(ctx: Context, typed: str) -> None:
    made = contact(ctx, phones=[ContactPhone(number=typed)])
    assert made.phones[0].number == "+40744123456"
    assert made.phones[0].digits == "40744123456 0744123456"


def test_an_extension_stands_beside_the_number(ctx: Context) -> None:
    made = contact(ctx, phones=[ContactPhone(number="021 555 0100 ext. 12")])
    assert (made.phones[0].number, made.phones[0].extension) == ("+40215550100", "12")


def test_what_cannot_be_a_number_stays_as_typed(ctx: Context) -> None:
    made = contact(ctx, phones=[ContactPhone(number="ask  at the desk")])
    assert made.phones[0].number == "ask at the desk"


def test_a_caller_is_found_by_the_number(ctx: Context) -> None:
    made = contact(ctx, phones=[ContactPhone(number="0744 123 456")])
    contact(ctx, "Somebody else", phones=[ContactPhone(number="0744 123 457")])
    assert list(find_by_phone(ctx, "+40744123456")) == [made]
    assert list(find_by_phone(ctx, "0744-123-456")) == [made]


def test_a_writer_is_found_by_the_address_in_any_case(ctx: Context) -> None:
    made = contact(ctx, emails=[ContactEmail(address="Office@Mega-Fruct.example")])
    assert made.emails[0].address == "Office@Mega-Fruct.example"
    assert list(find_by_email(ctx, "office@mega-fruct.EXAMPLE")) == [made]


def test_the_first_address_gives_city_and_country(ctx: Context) -> None:
    made = contact(ctx, addresses=[ContactAddress(city="Cluj-Napoca", country="RO"), ContactAddress(city="Iași")])
    assert (made.city, made.country) == ("Cluj-Napoca", "RO")


def test_a_wrong_address_is_refused_at_its_line(ctx: Context) -> None:
    with pytest.raises(RuleViolations) as refused:
        contact(ctx, emails=[ContactEmail(address="office@example.org"), ContactEmail(address="nowhere")])
    assert list(refused.value.by_field()) == ["emails.1.address"]


def test_duplicates_share_a_name_a_number_or_an_address(ctx: Context) -> None:
    first = contact(ctx, "Șirvan Otel", phones=[ContactPhone(number="0744 123 456")])
    by_name = contact(ctx, "SIRVAN OTEL")
    by_number = contact(ctx, "Hotel", phones=[ContactPhone(number="+40 744 123 456")])
    contact(ctx, "Nothing in common")
    assert list(duplicates_of(ctx, first)) == [by_name, by_number]


def test_duplicates_are_looked_up_and_no_contact_is_read_for_nothing(ctx: Context) -> None:
    made = contact(
        ctx, "Șirvan Otel", phones=[ContactPhone(number="0744 123 456")], emails=[ContactEmail(address="a@example.org")]
    )
    connection = ctx.session.connection()
    if connection.dialect.name == "postgresql":  # a handful of rows would be read whole
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_nestloop = on"))
    sent: list[tuple[str, object]] = []
    event.listen(connection, "before_cursor_execute", lambda *given: sent.append((given[2], given[3])))
    duplicates_of(ctx, made)
    [(statement, values)] = sent
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    plan = str(connection.exec_driver_sql(f"{explain} {statement}", values).all())  # type: ignore[arg-type]
    for index in ("ix_base_contact_name_key", "ix_base_contact_phone_number", "ix_base_contact_email_address_key"):
        assert index in plan
    assert "SCAN base_contact" not in plan


def test_a_company_knows_its_people(ctx: Context) -> None:
    company = contact(ctx)
    person = contact(ctx, "Elena Popa", kind="person", parent_id=company.id)
    assert list(children_of(ctx, company)) == [person]


def test_a_company_cannot_be_part_of_its_own_branch(ctx: Context) -> None:
    company = contact(ctx)
    branch = contact(ctx, "Branch", parent_id=company.id)
    below = contact(ctx, "Below", parent_id=branch.id)
    company.parent_id = below.id
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [company])
    assert list(refused.value.by_field()) == ["parent_id"]


def test_two_contacts_cannot_become_part_of_each_other_in_one_save(ctx: Context) -> None:
    one, other = contact(ctx, "One"), contact(ctx, "Other")
    one.parent_id, other.parent_id = other.id, one.id
    with pytest.raises(RuleViolations):
        save(ctx, [one, other])


def test_a_status_says_since_when(ctx: Context, clock: Clock) -> None:
    made = contact(ctx)
    clock.advance(days=3)
    set_status(ctx, [made], "vip")
    assert made.status_since == dt.date(2026, 11, 25)


def test_a_currency_has_three_letters(ctx: Context) -> None:
    with pytest.raises(RuleViolations) as refused:
        contact(ctx, currency="eur")
    assert list(refused.value.by_field()) == ["currency"]
