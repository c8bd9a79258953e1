"""The rules of products and price lists, and what a product costs on a day."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from comptoir.toolkit import (
    Change,
    Context,
    NotFound,
    RuleViolation,
    _,
    changes_of,
)
from comptoir_catalog.models import PriceList, PriceListLine, Product


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs; ``price_list_id`` is None where the product's own list price holds."""

    amount: Decimal
    currency: str
    price_list_id: int | None = None


def price_of(
    ctx: Context,
    product: Product,
    *,
    on: dt.date | None = None,
    price_list: PriceList | None = None,
    quantity: Decimal | int = 1,
) -> Price:
    """The price per unit on a day (today) for a quantity.

    Taken from the line of the price list with the largest quantity that is reached, if the list and the line hold on
    that day, else from the product itself.  Raises `NotFound` where neither has a price.
    """
    day = on or ctx.today()
    if price_list is not None and is_valid(price_list, day):
        query = (
            select(PriceListLine)
            .where(PriceListLine.price_list_id == price_list.id, PriceListLine.product_id == product.id)
            .where(PriceListLine.minimum_quantity <= Decimal(quantity))
            .order_by(PriceListLine.minimum_quantity.desc(), PriceListLine.position)
        )
        for line in ctx.session.scalars(query):
            if _holds(line.valid_from, line.valid_until, day):
                return Price(line.price, price_list.currency or ctx.settings.currency, price_list.id)
    if product.price is None:
        raise NotFound(
            _("{product} has no price. Give it a list price, or add it to a price list.", product=product.name)
        )
    return Price(product.price, product.currency or ctx.settings.currency)


def is_valid(price_list: PriceList, day: dt.date) -> bool:
    """Whether a price list is in use on a day."""
    in_use = price_list.active and price_list.archived_at is None
    return in_use and _holds(price_list.valid_from, price_list.valid_until, day)


def valid_price_lists(ctx: Context, *, on: dt.date | None = None) -> Sequence[PriceList]:
    """The price lists in use on a day (today), by name."""
    day = on or ctx.today()
    query = (
        select(PriceList).where(PriceList.active.is_(True), PriceList.archived_at.is_(None)).order_by(PriceList.name)
    )
    return [price_list for price_list in ctx.session.scalars(query) if is_valid(price_list, day)]


def _holds(first: dt.date | None, last: dt.date | None, day: dt.date) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


def home_of(ctx: Context) -> str | None:
    """Whoever keeps products and sees no contacts begins with the products."""
    return "/catalog/products" if ctx.may("catalog.product.write") and not ctx.may("base.contact.read") else None


def prepare_products(ctx: Context, changes: Sequence[Change]) -> None:
    """Prices are in the deployment's currency unless they say otherwise; an empty code is no code."""
    for product, _change in changes_of(changes, Product):
        product.code = (product.code.strip() or None) if isinstance(product.code, str) else product.code
        if not product.currency and (product.price is not None or product.cost is not None):
            product.currency = ctx.settings.currency


def prepare_price_lists(ctx: Context, changes: Sequence[Change]) -> None:
    """A price list is in the deployment's currency unless it says otherwise."""
    for price_list, _change in changes_of(changes, PriceList):
        price_list.currency = price_list.currency or ctx.settings.currency


def price_list_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """A list and its lines end after they begin; on no day has a product two prices for one quantity."""
    for price_list, change in changes_of(changes, PriceList):
        if _ends_early(price_list.valid_from, price_list.valid_until):
            yield _backwards("valid_until")
        if not (change.is_new or change.touches("prices")):
            continue
        for position, line in enumerate(price_list.prices):
            if _ends_early(line.valid_from, line.valid_until):
                yield _backwards(f"prices.{position}.valid_until")
        for position in _overlapping(price_list.prices):
            yield RuleViolation(
                "catalog.price_overlaps",
                _("The list has a price for this product, quantity and time already. Change the days or the quantity."),
                field=f"prices.{position}.price",
            )


def _backwards(field: str) -> RuleViolation:
    return RuleViolation(
        "catalog.ends_before_start", _("It ends before it begins. Correct one of the days."), field=field
    )


def _ends_early(first: dt.date | None, last: dt.date | None) -> bool:
    return isinstance(first, dt.date) and isinstance(last, dt.date) and last < first


def _overlapping(lines: Sequence[PriceListLine]) -> list[int]:
    """The positions of lines whose time begins before that of an equal line has ended."""
    alike: dict[tuple[int, Decimal], list[tuple[dt.date, dt.date, int]]] = defaultdict(list)
    for position, line in enumerate(lines):
        span = (line.valid_from or dt.date.min, line.valid_until or dt.date.max, position)
        alike[line.product_id, line.minimum_quantity].append(span)
    found = []
    for spans in alike.values():
        latest = dt.date.min
        for place, (begin, end, position) in enumerate(sorted(spans)):
            if place and begin <= latest:
                found.append(position)
            latest = max(latest, end)
    return sorted(found)
