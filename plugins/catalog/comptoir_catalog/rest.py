"""Addresses of the API beside those of products and price lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from comptoir.toolkit import Context, Parameter, Route, _, load
from comptoir_catalog.models import PriceList, Product
from comptoir_catalog.services import price_of


def read_price(ctx: Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """What one unit of a product costs on a day, in a list and quantity."""
    listed = values["price_list_id"]
    found = price_of(
        ctx,
        load(ctx, Product, values["id"]),
        on=values["on"],
        price_list=load(ctx, PriceList, listed) if listed is not None else None,
        quantity=values["quantity"] or Decimal(1),
    )
    return {"amount": found.amount, "currency": found.currency, "price_list_id": found.price_list_id}


ROUTES = (
    Route(
        "GET",
        "/products/{id}/price",
        read_price,
        "catalog.product.read",
        _("What a product costs"),
        takes=(
            Parameter("on", dt.date, _("The day; today without it.")),
            Parameter("price_list_id", int, _("The price list; the product's own price without it.")),
            Parameter("quantity", Decimal, _("How many are bought; one without it.")),
        ),
        gives={
            "type": "object",
            "properties": {
                "amount": {"type": "string"},
                "currency": {"type": "string"},
                "price_list_id": {"type": ["integer", "null"]},
            },
        },
    ),
)
