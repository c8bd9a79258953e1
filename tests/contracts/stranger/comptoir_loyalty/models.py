"""Rewards, and what a contact has collected."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Choice,
    Extension,
    Record,
    RecordType,
    Through,
    _,
    choice,
    date,
    extends,
    integer,
    reference,
    text,
)

TIERS = (Choice("basic", _("Basic")), Choice("gold", _("Gold")))


class Reward(Record):
    """Points that a contact was given for something; seen by whoever sees the contact."""

    __tablename__ = "loyalty_reward"
    __record__ = RecordType(
        _("Reward"), _("Rewards"), path="rewards", icon="star", visible=Through("contact_id")
    )

    reason: Mapped[str] = text(_("Reason"), required=True, title=True, search=True)
    contact_id: Mapped[int] = reference(_("Contact"), "base_contact", ondelete="CASCADE", required=True, role="about")
    points: Mapped[int] = integer(_("Points"), minimum=1, maximum=100_000, required=True)
    given_on: Mapped[dt.date | None] = date(_("Given"))


class LoyaltyContact(Extension[Contact]):
    """The balance and tier of a contact."""

    __tablename__ = "loyalty_contact"

    record_id: Mapped[int] = extends("base_contact")
    points: Mapped[int] = integer(_("Points"), default=0, minimum=0)
    tier: Mapped[str] = choice(_("Tier"), TIERS, default="basic")
    idle_since: Mapped[dt.date | None] = date(_("Idle since"), server=True)
