"""The rules of leads: what a lead becomes, and the way back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, false, or_, select

from comptoir.base.models import Contact, ContactEmail, ContactPhone, Interaction
from comptoir.base.services import find_by_email, find_by_phone, read_phone
from comptoir.toolkit import (
    Change,
    Context,
    RecordRef,
    RuleViolation,
    Text,
    Transition,
    _,
    archive,
    changes_of,
    move,
    save,
)
from comptoir_sales.models import CONVERTED, NEW, WORKING, Deal, Lead

CONVERT = Transition("convert", CONVERTED.label, CONVERTED.name)
TAKE_BACK = Transition("take_back", _("Take the conversion back"), WORKING.name)
AT_ONCE = dt.timedelta(seconds=5)
"""How far apart the contact and the deal of one conversion are made."""


def prepare_leads(ctx: Context, changes: Sequence[Change]) -> None:
    """Numbers in E.164, addresses without blanks, a currency beside each value."""
    for lead, change in changes_of(changes, Lead):
        if change.touches("phone") and isinstance(lead.phone, str) and lead.phone.strip():
            lead.phone = read_phone(ctx, lead.phone).number
        if change.touches("email") and isinstance(lead.email, str):
            lead.email = lead.email.strip() or None
        if lead.amount is not None and not lead.currency:
            lead.currency = ctx.settings.currency


def deal_of_lead(ctx: Context, lead: Lead) -> Mapping[str, Any]:
    """The values of the deal that converting a lead begins with."""
    return {
        "name": lead.name, "product_id": lead.product_id, "amount": lead.amount, "currency": lead.currency,
        "owner_id": lead.owner_id, "notes": lead.need,
    }  # fmt: skip


def convert_lead(ctx: Context, lead: Lead, values: Mapping[str, Any] | None = None) -> Deal:
    """Make a contact and a deal of a lead, or only the deal where phone or address belong to a contact already.

    ``values`` are what the deal has otherwise than the lead.
    """
    ctx.require("sales.lead.write", lead)
    if lead.deal_id is not None or lead.status == CONVERTED.name:
        raise RuleViolation("sales.converted_already", _("This lead was converted already. Open its deal instead."))
    contact = _contact_of(ctx, lead)
    deal = Deal(contact_id=contact.id, **{**deal_of_lead(ctx, lead), **(values or {})})
    save(ctx, [deal])
    _give_notes(ctx, lead, Interaction.contact_id.is_(None), contact.id)
    lead.contact_id, lead.deal_id = contact.id, deal.id
    move(ctx, lead, CONVERT)
    return deal


def what_became_of(ctx: Context, lead: Lead, deal: Deal) -> Text:
    """What converting did, in one sentence: the deal, and whose it is."""
    contact = ctx.session.get(Contact, lead.contact_id) if lead.contact_id is not None else None
    whose = contact.name if contact else "–"
    return _("{lead} is now the deal {deal} of {contact}", lead=lead.name, deal=deal.name, contact=whose)


def may_take_conversion_back(ctx: Context, lead: Lead) -> bool:
    """Whether the deal is still as the conversion made it, so that nothing is lost with it."""
    if lead.status != CONVERTED.name or lead.deal_id is None:
        return False
    deal = ctx.session.get(Deal, lead.deal_id)
    return deal is not None and deal.archived_at is None and deal.version == 1


def take_conversion_back(ctx: Context, lead: Lead, values: Mapping[str, Any] | None = None) -> Lead:
    """Undo a conversion: the lead waits again; the deal goes to the bin, and so do contacts that were made with it."""
    ctx.require("sales.lead.write", lead)
    if not may_take_conversion_back(ctx, lead):
        raise RuleViolation(
            "sales.deal_went_on",
            _("Somebody worked on the deal since. Close it instead, and take up the lead by hand."),
        )
    deal = ctx.session.get_one(Deal, lead.deal_id)
    made = _made_with(ctx, lead, deal)
    _give_notes(ctx, lead, Interaction.contact_id.in_([contact.id for contact in made]), None)
    archive(ctx, [deal])
    archive(ctx, made)
    if any(contact.id == lead.contact_id for contact in made):
        lead.contact_id = None
    lead.deal_id = None
    move(ctx, lead, TAKE_BACK)
    return lead


def _give_notes(ctx: Context, lead: Lead, which: ColumnElement[bool], contact_id: int | None) -> None:
    """Put what was noted on a lead into the history of a contact, or leave it with the lead alone; whoever wrote it."""
    system = ctx.as_system("what was noted on a lead goes with it")
    noted = system.session.scalars(
        select(Interaction).where(Interaction.about == RecordRef("sales.lead", lead.id), which)
    ).all()
    for interaction in noted:
        interaction.contact_id = contact_id
    save(system, noted)


def _made_with(ctx: Context, lead: Lead, deal: Deal) -> list[Contact]:
    """The contacts that a conversion made together with its deal, unless something else hangs on them by now."""
    if deal.contact_id is None:
        return []
    used = exists().where(Deal.contact_id == deal.contact_id, Deal.id != deal.id, Deal.archived_at.is_(None))
    of_lead = Interaction.about.is_not_distinct_from(RecordRef("sales.lead", lead.id))
    talked = exists().where(Interaction.contact_id == deal.contact_id, ~of_lead)
    query = select(Contact).where(
        or_(Contact.id == deal.contact_id, Contact.parent_id == deal.contact_id),
        Contact.created_at.between(deal.created_at - AT_ONCE, deal.created_at),
        Contact.created_by == deal.created_by,
        Contact.version == 1,
        Contact.archived_at.is_(None),
        ~used,
        ~talked,
    )
    return list(ctx.session.scalars(query))


def _contact_of(ctx: Context, lead: Lead) -> Contact:
    """The contact that the lead names or reaches; else a new one, with the person below the company."""
    if lead.contact_id is not None:
        named = ctx.session.get(Contact, lead.contact_id)
        if named is not None:
            return named
    known = [
        *(find_by_phone(ctx, lead.phone) if lead.phone else ()),
        *(find_by_email(ctx, lead.email) if lead.email else ()),
    ]
    if known:
        return known[0]
    company = Contact(name=lead.company, kind="company", source=lead.source) if lead.company else None
    if company is not None and not lead.person:
        reached = company
    else:
        save(ctx, [company] if company else [])
        reached = Contact(
            name=lead.person or lead.name, kind="person", source=lead.source, parent_id=company.id if company else None
        )
    if lead.phone:
        reached.phones.append(ContactPhone(number=lead.phone))
    if lead.email:
        reached.emails.append(ContactEmail(address=lead.email))
    save(ctx, [reached])
    return company or reached


def start_leads(ctx: Context, interaction: Interaction) -> None:
    """New leads of a contact, and the lead that was noted on, are in progress once somebody has talked with them."""
    of_contact = Lead.contact_id == interaction.contact_id if interaction.contact_id is not None else false()
    about = interaction.about
    noted_on = Lead.id == about.record_id if about is not None and about.record_type == "sales.lead" else false()
    waiting = select(Lead).where(or_(of_contact, noted_on), Lead.status == NEW.name)
    if ctx.may("sales.lead.write"):
        for lead in ctx.session.scalars(waiting).all():
            if ctx.may("sales.lead.write", lead):
                move(ctx, lead, "start")
