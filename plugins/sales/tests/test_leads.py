"""Leads become contacts and deals; idle deals are remembered."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from comptoir.base.models import Contact, ContactPhone, Task
from comptoir.base.services import log_interaction
from comptoir.context import Context
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.testing.platform import Clock, Stage
from comptoir.toolkit import move, save
from comptoir_sales import rights
from comptoir_sales.jobs import find_idle_deals
from comptoir_sales.leads import convert_lead, take_conversion_back, what_became_of
from comptoir_sales.models import Deal, Lead

pytestmark = pytest.mark.modules("catalog", "sales")


def new_lead(ctx: Context, **values: Any) -> Lead:
    lead = Lead(name="Second shop", **values)
    save(ctx, [lead])
    return lead


def test_converting_makes_a_company_a_person_and_a_deal(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL", person="Elena Popa", phone="0744 123 456", need="Two grinders")
    deal = convert_lead(ctx, lead)
    company = ctx.session.get(Contact, deal.contact_id)
    assert company is not None
    person = ctx.session.scalars(select(Contact).where(Contact.parent_id == company.id)).one()
    assert (company.name, person.name, person.phones[0].number) == ("Mega Fruct SRL", "Elena Popa", "+40744123456")
    assert (deal.name, deal.notes, lead.status, lead.deal_id) == ("Second shop", "Two grinders", "converted", deal.id)


def test_converting_asks_for_the_deal_and_begins_with_what_the_lead_holds(
    client: FlaskClient, sign_in: Any, stage: Stage
) -> None:
    with stage.system() as ctx:
        lead = new_lead(ctx, company="Mega Fruct SRL", amount=Decimal(1200), currency="RON")
    sign_in(stage.user("Ana", administrator=True, email="ana@example.org"))
    page = f"/sales/leads/{lead.id}/actions/convert"
    form = client.get(page).text
    assert re.search(r'name="name"[^>]* value="Second shop"', form)
    assert re.search(r'>RON</span><input[^>]* name="amount"[^>]* value="1[.,]?200', form)
    token = re.search('name="csrf_token" value="(.+?)"', form)
    assert token is not None
    sent = {"csrf_token": token[1], "version": "1", "name": "Two grinders", "amount": "much", "expected_close_on": ""}
    assert client.post(page, data=sent).status_code == 422
    assert client.post(page, data={**sent, "amount": "900", "expected_close_on": "2026-12-24"}).status_code == 303
    with stage.system() as ctx:
        deal = ctx.session.scalars(select(Deal)).one()
        assert (deal.name, deal.amount, deal.currency) == ("Two grinders", 900, "RON")
        assert deal.expected_close_on == dt.date(2026, 12, 24)


def test_a_known_number_makes_no_second_contact(ctx: Context) -> None:
    known = Contact(name="Mega Fruct SRL", phones=[ContactPhone(number="+40744123456")])
    save(ctx, [known])
    deal = convert_lead(ctx, new_lead(ctx, company="MEGA FRUCT", phone="0744 123 456"))
    assert deal.contact_id == known.id
    assert ctx.session.scalar(select(func.count()).select_from(Contact)) == 1


def test_a_lead_is_converted_once(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL")
    convert_lead(ctx, lead)
    with pytest.raises(RuleViolation):
        convert_lead(ctx, lead)


def test_nobody_sets_a_lead_to_converted_by_hand(ctx: Context) -> None:
    lead = new_lead(ctx)
    lead.status = "converted"
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [lead])
    assert list(refused.value.by_field()) == ["status"]


def test_a_dropped_lead_can_be_taken_up_again(ctx: Context) -> None:
    lead = new_lead(ctx)
    move(ctx, lead, "drop")
    move(ctx, lead, "reopen")
    assert lead.status == "working"


def test_a_lead_one_has_talked_with_is_in_progress(ctx: Context) -> None:
    known = Contact(name="Mega Fruct SRL")
    save(ctx, [known])
    lead = Lead(name="Second shop", contact_id=known.id)
    save(ctx, [lead])
    log_interaction(ctx, known, kind="call")
    assert lead.status == "working"


def test_a_deal_that_rests_too_long_gives_its_owner_one_task(ctx: Context, stage: Stage, clock: Clock) -> None:
    owner = stage.user("Leyla")
    deal = Deal(name="Tea bar", owner_id=owner.id)
    save(ctx, [deal])
    assert find_idle_deals(ctx) == 0
    clock.advance(days=22)
    assert find_idle_deals(ctx) == 1
    clock.advance(days=1)
    assert find_idle_deals(ctx) == 0
    task = ctx.session.scalars(select(Task)).one()
    assert (task.owner_id, str(task.about)) == (owner.id, f"sales.deal/{deal.id}")


def test_a_new_rest_gives_a_new_task(ctx: Context, stage: Stage, clock: Clock) -> None:
    deal = Deal(name="Tea bar", owner_id=stage.user("Leyla").id)
    save(ctx, [deal])
    clock.advance(days=22)
    find_idle_deals(ctx)
    move(ctx, deal, "engaging")
    clock.advance(days=22)
    assert find_idle_deals(ctx) == 1


def test_an_agent_works_with_the_role_that_sales_brings(stage: Stage) -> None:
    agent_role = next(role for role in rights.ROLES if role.name == "sales.agent")
    agent = stage.user("Radu", grants=dict(agent_role.permissions))
    with stage.acting(agent) as acting:
        contact = Contact(name="Mega Fruct SRL", phones=[ContactPhone(number="0744 123 456")])
        save(acting, [contact])
        deal = Deal(contact_id=contact.id)
        save(acting, [deal])
        move(acting, deal, "won")
        assert (deal.name, deal.owner_id, deal.outcome) == ("Mega Fruct SRL", agent.id, "won")
        lead = new_lead(acting, company="Tea house")
        assert convert_lead(acting, lead).owner_id == agent.id


def test_a_conversion_is_taken_back_with_the_contacts_that_it_made(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL", person="Elena Popa", phone="0744 123 456")
    deal = convert_lead(ctx, lead)
    take_conversion_back(ctx, lead)
    assert (lead.status, lead.deal_id, lead.contact_id) == ("working", None, None)
    assert deal.archived_at is not None
    assert all(contact.archived_at for contact in ctx.session.scalars(select(Contact)))
    assert convert_lead(ctx, lead).id != deal.id


def test_a_contact_that_was_known_before_stays_when_a_conversion_is_taken_back(ctx: Context, clock: Clock) -> None:
    known = Contact(name="Mega Fruct SRL", phones=[ContactPhone(number="+40744123456")])
    save(ctx, [known])
    clock.advance(minutes=1)
    lead = new_lead(ctx, company="Mega Fruct", phone="0744 123 456")
    convert_lead(ctx, lead)
    take_conversion_back(ctx, lead)
    assert known.archived_at is None
    assert lead.contact_id == known.id


def test_a_contact_with_whom_one_has_talked_since_stays_too(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL")
    deal = convert_lead(ctx, lead)
    contact = ctx.session.get_one(Contact, deal.contact_id)
    log_interaction(ctx, contact, kind="call", body="They want two.")
    take_conversion_back(ctx, lead)
    assert contact.archived_at is None


def test_a_conversion_is_not_taken_back_once_somebody_worked_on_the_deal(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL")
    deal = convert_lead(ctx, lead)
    move(ctx, deal, "engaging")
    with pytest.raises(RuleViolation, match="Somebody worked on the deal"):
        take_conversion_back(ctx, lead)


def test_converting_says_what_became_of_the_lead(ctx: Context) -> None:
    lead = new_lead(ctx, company="Mega Fruct SRL")
    deal = convert_lead(ctx, lead)
    assert str(what_became_of(ctx, lead, deal)) == "Second shop is now the deal Second shop of Mega Fruct SRL"
