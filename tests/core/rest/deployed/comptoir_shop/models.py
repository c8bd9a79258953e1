"""Orders with stages, lines, a field right and an extension of contacts: one of everything that the API shows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Choice,
    Extension,
    Line,
    Record,
    RecordType,
    Stage,
    Transition,
    Workflow,
    _,
    belongs_to,
    boolean,
    choice,
    currency,
    date,
    extends,
    integer,
    lines,
    moment,
    money,
    percent,
    reference,
    stage,
    text,
)

STAGES = (Stage("draft", _("Draft")), Stage("sent", _("Sent")), Stage("lost", _("Lost"), closes=True, won=False))
MOVES = (
    Transition("send", _("Send"), "sent", ("draft",)),
    Transition("lose", _("Lose"), "lost", ("draft", "sent"), asks=("reason",)),
    Transition("reopen", _("Reopen"), "draft", ("lost",), permission="shop.order.reopen"),
)


class OrderLine(Line):
    __tablename__ = "shop_order_line"
    __parent__ = "order_id"

    order_id: Mapped[int] = belongs_to("shop_order")
    product: Mapped[str] = text(_("Product"), required=True)
    quantity: Mapped[int] = integer(_("Quantity"), minimum=1, maximum=10_000, default=1, required=True)
    price: Mapped[Decimal | None] = money(_("Price"))
    cost: Mapped[Decimal | None] = money(_("Cost"), read="shop.order.see_margin")


class Order(Record):
    __tablename__ = "shop_order"
    __record__ = RecordType(_("Order"), _("Orders"), path="orders", workflow=Workflow(*STAGES, transitions=MOVES))

    number: Mapped[str] = text(_("Number"), required=True, title=True, search=True, unique=True)
    contact_id: Mapped[int | None] = reference(_("Contact"), "base_contact", ondelete="SET NULL")
    stage: Mapped[str] = stage(_("Stage"), default="draft")
    amount: Mapped[Decimal | None] = money(_("Amount"))
    currency: Mapped[str | None] = currency(_("Currency"))
    discount: Mapped[Decimal | None] = percent(_("Discount"))
    channel: Mapped[str | None] = choice(_("Channel"), (Choice("web", _("Web")), Choice("shop", _("Shop"))))
    is_gift: Mapped[bool] = boolean(_("Gift"))
    placed_on: Mapped[dt.date | None] = date(_("Placed"))
    paid_at: Mapped[dt.datetime | None] = moment(_("Paid"))
    reason: Mapped[str | None] = text(_("Reason"))
    margin: Mapped[Decimal | None] = money(_("Margin"), read="shop.order.see_margin")
    commission: Mapped[Decimal | None] = money(_("Commission"), read="shop.order.see_margin", server=True)
    checked: Mapped[bool] = boolean(_("Checked"), write="shop.order.check")
    lines: Mapped[list[OrderLine]] = lines(_("Lines"), "OrderLine")


class ShopContact(Extension[Contact]):
    __tablename__ = "shop_contact"

    record_id: Mapped[int] = extends("base_contact")
    credit_limit: Mapped[Decimal | None] = money(_("Credit limit"))
    loyalty: Mapped[str] = text(_("Loyalty"), length=20, default="none")
