"""Rewards, and what a contact has collected."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Choice,
    Extension,
    Face,
    Record,
    RecordType,
    Through,
    _,
    choice,
    country,
    date,
    email,
    extends,
    integer,
    long_text,
    moment,
    phone,
    reference,
    tags,
    text,
)

FORMS = (Choice("shop", _("Shop")), Choice("chain", _("Chain"), face=Face(square=True)))
STANDINGS = (Choice("trial", _("On trial"), "new"), Choice("proven", _("Proven"), "vip"))
WAYS = (
    Choice("foot", _("On foot"), face=Face("users", "plum")),
    Choice("wire", _("By wire"), face=Face("phone", "ok")),
)
OCCASIONS = (Choice("birthday", _("Birthday")), Choice("move", _("Removal")))
TIERS = (Choice("basic", _("Basic")), Choice("gold", _("Gold")))


class Reward(Record):
    """Points that a contact was given for something; seen by whoever sees the contact."""

    __tablename__ = "loyalty_reward"
    __record__ = RecordType(_("Reward"), _("Rewards"), path="rewards", icon="star", visible=Through("contact_id"))

    reason: Mapped[str] = text(_("Reason"), required=True, title=True, search=True)
    contact_id: Mapped[int] = reference(_("Contact"), "base_contact", ondelete="CASCADE", required=True, role="about")
    points: Mapped[int] = integer(_("Points"), minimum=1, maximum=100_000, required=True)
    given_on: Mapped[dt.date | None] = date(_("Given"))


class Partner(Record):
    """A shop that takes part: an own kind of contact, of which the platform knows only the roles of its fields."""

    __tablename__ = "loyalty_partner"
    __record__ = RecordType(_("Partner"), _("Partners"), path="partners", icon="box")

    sign: Mapped[str] = text(_("Sign"), required=True, title=True, search=True, role="face")
    form: Mapped[str] = choice(_("Form"), FORMS, default="shop", required=True, role="face")
    standing: Mapped[str] = choice(_("Standing"), STANDINGS, default="trial", required=True, role="status")
    seals: Mapped[list[str] | None] = tags(_("Seals"), role="tags")
    town: Mapped[str | None] = text(_("Town"), role=("place", "subtitle"))
    land: Mapped[str | None] = country(_("Land"), role="place")
    line: Mapped[str | None] = phone(
        _("Line"), role="dial", read="loyalty.partner.reach", write="loyalty.partner.reach"
    )
    inbox: Mapped[str | None] = email(_("Inbox"), role="mail")


class Visit(Record):
    """A call at a partner's, which happened and may have a sequel."""

    __tablename__ = "loyalty_visit"
    __record__ = RecordType(_("Visit"), _("Visits"), path="visits", icon="star", timeline=False)

    purpose: Mapped[str | None] = text(_("Purpose"), title=True, search=True)
    way: Mapped[str] = choice(_("Way"), WAYS, default="foot", required=True, role="face")
    partner_id: Mapped[int] = reference(
        _("Partner"), "loyalty_partner", ondelete="CASCADE", required=True, role="about"
    )
    seen_at: Mapped[dt.datetime] = moment(_("Seen"), required=True, role="happened")
    told: Mapped[str | None] = long_text(_("Told"), role="body")
    hours: Mapped[int | None] = integer(_("Hours"), role="body")
    again_on: Mapped[dt.date | None] = date(_("Again"), role="due")
    over_at: Mapped[dt.datetime | None] = moment(
        _("Over"), role="done", read="loyalty.partner.reach", write="loyalty.partner.reach"
    )


class LoyaltyContact(Extension[Contact]):
    """The balance and tier of a contact."""

    __tablename__ = "loyalty_contact"

    record_id: Mapped[int] = extends("base_contact")
    points: Mapped[int] = integer(_("Points"), default=0, minimum=0)
    tier: Mapped[str] = choice(_("Tier"), TIERS, default="basic")
    idle_since: Mapped[dt.date | None] = date(_("Idle since"), server=True)
