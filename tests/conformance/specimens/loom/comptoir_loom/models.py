"""Bolts of cloth."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Extension,
    Record,
    RecordType,
    Stage,
    Transition,
    Workflow,
    _,
    date,
    email,
    extends,
    integer,
    money,
    reference,
    stage,
    text,
)

STAGES = Workflow(
    Stage("raw", _("Raw")),
    Stage("sold", _("Sold"), closes=True, won=True),
    transitions=(
        Transition("sell", _("Sell"), "sold", permission="loom.bolt.sell"),
        Transition("take_back", _("Take back"), "raw"),
    ),
)


class Bolt(Record):
    """A bolt of cloth."""

    __tablename__ = "loom_bolt"
    __record__ = RecordType(_("Bolt"), _("Bolts"), path="bolts", icon="box", workflow=STAGES)

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True, index=True)
    stage: Mapped[str] = stage(_("Stage"), default="raw")
    contact_id: Mapped[int | None] = reference(_("Ordered by"), "base_contact", ondelete="SET NULL", role="about")
    price: Mapped[Decimal | None] = money(_("Price"), minimum=0)
    currency: Mapped[str | None] = text(_("Currency"), length=3)
    cost: Mapped[Decimal | None] = money(_("Cost"), minimum=0, read="loom.bolt.see_cost", write="loom.bolt.see_cost")
    woven_on: Mapped[dt.date | None] = date(_("Woven"))
    weaver: Mapped[str | None] = email(_("Weaver"))


class LoomContact(Extension[Contact]):
    """How wide somebody likes their cloth."""

    __tablename__ = "loom_contact"

    record_id: Mapped[int] = extends("base_contact")
    width: Mapped[int] = integer(_("Width"), default=100, minimum=1, maximum=400)
