"""Demonstration products of a dealer in kitchen and bar equipment."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from comptoir.toolkit import Context, save
from comptoir_catalog.models import PriceList, PriceListLine, Product

PRODUCTS = (
    ("VAP-3", "Vapore espresso line, 3 groups", "Coffee", "piece", 9800, 6400),
    ("VAP-2", "Vapore espresso line, 2 groups", "Coffee", "piece", 6900, 4500),
    ("GRD-64", "Grinder 64 mm", "Coffee", "piece", 1080, 640),
    ("BRW-5", "Batch brewer, 5 litres", "Coffee", "piece", 1450, 900),
    ("ROA-5", "Roaster, 5 kg", "Coffee", "piece", 8100, 5600),
    ("OVN-3", "Deck oven, three decks", "Bakery", "piece", 9150, 6200),
    ("MIX-20", "Planetary mixer, 20 litres", "Bakery", "piece", 3250, 2100),
    ("PRV-1", "Proving cabinet", "Bakery", "piece", 2700, 1750),
    ("DSP-14", "Cold display, 1.4 m", "Cooling", "piece", 4300, 2900),
    ("DSP-20", "Pastry display, 2 m", "Cooling", "piece", 4980, 3300),
    ("ICE-80", "Ice machine, 80 kg", "Cooling", "piece", 4150, 2800),
    ("CRM-1", "Cold room, 12 m³", "Cooling", "piece", 15600, 11200),
    ("DSH-1", "Hood dishwasher", "Washing", "piece", 3950, 2600),
    ("FLT-6", "Water filters, six cartridges", "Service", "set", 620, 310),
    ("SVC-1", "Service contract, one year", "Service", "year", 1800, 900),
    ("TRN-1", "Barista training, one day", "Service", "day", 960, 420),
)


def create_products(ctx: Context) -> None:
    """The products, and a price list for partners."""
    currency = ctx.settings.currency
    products = [
        Product(
            code=f"DEMO-{code}",
            name=name,
            series=series,
            unit=unit,
            price=Decimal(price),
            cost=Decimal(cost),
            currency=currency,
            tax_rate=Decimal(19),
        )
        for code, name, series, unit, price, cost in PRODUCTS
    ]
    save(ctx, products)
    begin = ctx.today().replace(month=1, day=1)
    save(
        ctx,
        [
            PriceList(
                name=f"Partners {begin.year}",
                currency=currency,
                valid_from=begin,
                valid_until=begin.replace(year=begin.year + 1) - dt.timedelta(days=1),
                prices=[
                    PriceListLine(
                        product_id=product.id, price=(price * share).quantize(Decimal("0.01")), minimum_quantity=least
                    )
                    for product in products
                    if (price := product.price) is not None
                    for least, share in ((Decimal(1), Decimal("0.92")), (Decimal(5), Decimal("0.88")))
                ],
            )
        ],
    )
