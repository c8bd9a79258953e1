"""Demonstration leads and deals over eighteen months, for the contacts and products of the demonstration."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import select

from comptoir.base.models import Contact, Task
from comptoir.toolkit import Context, RecordRef, User, give_role, record_name, save
from comptoir_catalog.models import Product
from comptoir_sales.models import DEALS, Deal, Lead, LostReason

SEED = 20261123
DEALS_COUNT = 220
MONTHS_DAYS, RECENT_DAYS = 540, 50
QUANTITIES = (1, 1, 1, 2, 2, 3, 4, 6)
WIN_SHARE = {0: 0.44, 1: 0.52, 2: 0.36, 3: 0.41, 4: 0.48, 5: 0.31}
"""How often each seller wins, by their place."""
LOST_AT = {"prospecting": 30, "engaging": 34, "offer_sent": 24, "negotiation": 12}
REASONS = {
    "prospecting": ("No answer", "No answer", "Not a fit"),
    "engaging": ("No budget", "No answer", "Postponed", "Not a fit"),
    "offer_sent": ("Price", "Price", "Chose a competitor", "Delivery term"),
    "negotiation": ("Price", "Chose a competitor"),
}
NEEDS = ("Second shop", "Replacement", "Terrace", "Renovation", "Opening in spring", "Larger kitchen", "First order")


def create_sales(ctx: Context) -> None:
    """Leads, deals won, lost and open, and what is to be done about the open ones."""
    chance = random.Random(SEED)
    sellers = list(ctx.session.scalars(select(User).where(User.email.like("%@comptoir.example")).order_by(User.id)))
    customers = list(
        ctx.session.scalars(
            select(Contact)
            .where(Contact.kind == "company", Contact.website.like("%.example"), Contact.owner_id.is_not(None))
            .order_by(Contact.id)
        )
    )
    products = list(ctx.session.scalars(select(Product).where(Product.code.like("DEMO-%")).order_by(Product.id)))
    if not (sellers and customers and products):
        return
    leaders = [seller for seller in sellers if seller.name in ("Ana Mureșan", "Katarzyna Wiśniewska")]
    give_role(ctx, leaders, "sales.lead")
    give_role(ctx, [seller for seller in sellers if seller not in leaders], "sales.agent")
    save(ctx, _leads(chance, customers, products))
    place = {seller.id: number for number, seller in enumerate(sellers)}
    reasons = dict(ctx.session.execute(select(LostReason.name, LostReason.id)).all())
    deals = []
    for _number in range(DEALS_COUNT):
        customer = chance.choice(customers)
        win_share = WIN_SHARE.get(place.get(customer.owner_id or 0, 0), 0.4)
        deals.append(_deal(ctx, chance, customer, chance.choice(products), win_share, reasons))
    save(ctx, deals)
    save(ctx, _tasks(ctx, chance, [deal for deal in deals if deal.outcome == "open"]))


def _deal(
    ctx: Context, chance: random.Random, customer: Contact, product: Product, win_share: float, reasons: dict[str, int]
) -> Deal:
    span = RECENT_DAYS if chance.random() < 0.3 else MONTHS_DAYS
    opened_on = ctx.today() - dt.timedelta(days=chance.randint(1, span))
    days = max(4, round(chance.gauss(46, 22)))
    closed_on = opened_on + dt.timedelta(days=days)
    quantity = chance.choice(QUANTITIES)
    discount = chance.choice((0, 0, 3, 5, 8))
    amount = (product.price or Decimal(0)) * quantity * (100 - discount) / 100
    deal = Deal(
        name=f"{quantity} × {product.name}" if quantity > 1 else f"{product.name}: {chance.choice(NEEDS).lower()}",
        contact_id=customer.id,
        product_id=product.id,
        owner_id=customer.owner_id,
        amount=amount.quantize(Decimal(1)),
        opened_on=opened_on,
    )
    if closed_on > ctx.today():
        stages = [station.name for station in DEALS.stages(ctx) if not station.closes]
        progress = (ctx.today() - opened_on).days / days
        rested = min((ctx.today() - opened_on).days, chance.randint(0, 22))
        deal.stage = stages[min(int(progress * len(stages)), len(stages) - 1)]
        deal.expected_close_on = closed_on
        deal.stage_since = ctx.now() - dt.timedelta(days=rested)
    elif chance.random() < win_share:
        deal.stage, deal.closed_on = "won", closed_on
    else:
        (furthest,) = chance.choices(list(LOST_AT), list(LOST_AT.values()))
        deal.stage, deal.closed_on, deal.furthest_stage = "lost", closed_on, furthest
        deal.lost_reason_id = reasons.get(chance.choice(REASONS[furthest]))
    return deal


def _leads(chance: random.Random, customers: Sequence[Contact], products: Sequence[Product]) -> list[Lead]:
    found = []
    for number, customer in enumerate(chance.sample(list(customers), 24)):
        product = chance.choice(products)
        found.append(
            Lead(
                name=f"{chance.choice(NEEDS)}: {product.name}",
                status=chance.choice(("new", "new", "working", "dropped")),
                company=customer.name,
                phone=f"+40 21 555 01 {70 + number:02}",
                source=chance.choice(("web", "phone", "event", "campaign")),
                product_id=product.id,
                amount=product.price,
                owner_id=customer.owner_id,
            )
        )
    return found


def _tasks(ctx: Context, chance: random.Random, deals: Sequence[Deal]) -> list[Task]:
    wanted = chance.sample(list(deals), min(len(deals), 20))
    return [
        Task(
            title=f"{chance.choice(('Call about', 'Send the offer', 'Agree a date'))}: {deal.name}"[:255],
            due_on=ctx.today() + dt.timedelta(days=chance.randint(-3, 14)),
            contact_id=deal.contact_id,
            owner_id=deal.owner_id,
            about=RecordRef(record_name(Deal), deal.id),
        )
        for deal in wanted
    ]
