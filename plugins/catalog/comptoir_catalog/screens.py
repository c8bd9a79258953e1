"""How products and price lists are listed, shown and edited."""

from __future__ import annotations

from comptoir.toolkit import Form, List, MenuItem, Saved, Screens, Section, _
from comptoir_catalog.models import PriceList, Product

SCREENS = (
    Screens(
        Product,
        List(
            Product.name,
            Product.code,
            Product.series,
            Product.unit,
            Product.price,
            Product.tax_rate,
            Product.active,
            sort=("name",),
            saved=(
                Saved("on_sale", _("On sale"), {"filter[active]": "true"}),
                Saved("withdrawn", _("Withdrawn"), {"filter[active]": "false"}),
            ),
            facets=(Product.series, Product.unit, Product.active),
            more=(Product.cost, Product.currency, Product.updated_at),
        ),
        Form(
            Section(
                _("Product"),
                Product.name,
                Product.code,
                Product.series,
                Product.unit,
                Product.active,
                Product.description,
            ),
            Section(_("Price"), Product.price, Product.currency, Product.tax_rate, Product.cost),
        ),
        facts=(Product.price, Product.cost, Product.tax_rate),
    ),
    Screens(
        PriceList,
        List(
            PriceList.name,
            PriceList.currency,
            PriceList.valid_from,
            PriceList.valid_until,
            PriceList.active,
            sort=("name",),
            saved=(Saved("in_use", _("In use"), {"filter[active]": "true"}),),
            facets=(PriceList.currency, PriceList.active),
        ),
        Form(
            Section(
                _("Price list"),
                PriceList.name,
                PriceList.currency,
                PriceList.valid_from,
                PriceList.valid_until,
                PriceList.active,
            ),
            Section(_("Prices"), PriceList.prices),
        ),
        facts=(PriceList.valid_from, PriceList.valid_until),
    ),
)

MENU = (
    MenuItem("catalog.products", _("Products"), "/catalog/products", "catalog.product.read", icon="box", order=40),
    MenuItem(
        "catalog.price_lists",
        _("Price lists"),
        "/catalog/price-lists",
        "catalog.price_list.read",
        icon="price",
        parent="catalog.products",
        order=10,
    ),
)

ALL = (*SCREENS, *MENU)
