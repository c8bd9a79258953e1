"""Products and the price lists that price them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy.orm import Mapped

from comptoir.toolkit import (
    Choice,
    Line,
    Public,
    Record,
    RecordType,
    _,
    belongs_to,
    boolean,
    choice,
    currency,
    date,
    decimal,
    lines,
    long_text,
    money,
    percent,
    reference,
    text,
)

UNITS = (
    Choice("piece", _("Piece")),
    Choice("set", _("Set")),
    Choice("box", _("Box")),
    Choice("pallet", _("Pallet")),
    Choice("hour", _("Hour")),
    Choice("day", _("Day")),
    Choice("month", _("Month")),
    Choice("year", _("Year")),
    Choice("kg", _("Kilogram")),
    Choice("tonne", _("Tonne")),
    Choice("litre", _("Litre")),
    Choice("metre", _("Metre")),
    Choice("m2", _("Square metre")),
    Choice("m3", _("Cubic metre")),
    Choice("km", _("Kilometre")),
)


class Product(Record):
    """Something that is sold, with its list price; everyone who may see products sees all of them."""

    __tablename__ = "catalog_product"
    __record__ = RecordType(_("Product"), _("Products"), path="products", icon="box", visible=Public())

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True, index=True)
    code: Mapped[str | None] = text(_("Code"), length=60, unique=True, search=True, role="subtitle")
    series: Mapped[str | None] = text(_("Series"), length=80, index=True, search=True)
    unit: Mapped[str] = choice(_("Unit"), UNITS, default="piece", required=True)
    price: Mapped[Decimal | None] = money(_("List price"), minimum=0)
    currency: Mapped[str | None] = currency(_("Currency"))
    cost: Mapped[Decimal | None] = money(
        _("Cost"), minimum=0, read="catalog.product.see_cost", write="catalog.product.see_cost"
    )
    tax_rate: Mapped[Decimal | None] = percent(_("Tax rate"))
    active: Mapped[bool] = boolean(_("On sale"), default=True)
    description: Mapped[str | None] = long_text(_("Description"))


class PriceListLine(Line):
    """The price of a product from a quantity on; a line without days holds as long as its list."""

    __tablename__ = "catalog_price_list_line"
    __parent__ = "price_list_id"

    price_list_id: Mapped[int] = belongs_to("catalog_price_list")
    product_id: Mapped[int] = reference(_("Product"), "catalog_product", ondelete="CASCADE", required=True)
    price: Mapped[Decimal] = money(_("Price"), minimum=0, required=True)
    minimum_quantity: Mapped[Decimal] = decimal(_("From quantity"), minimum=0, default=Decimal(1), required=True)
    valid_from: Mapped[dt.date | None] = date(_("From"))
    valid_until: Mapped[dt.date | None] = date(_("Until"))


class PriceList(Record):
    """Prices in one currency that hold between two days, both included."""

    __tablename__ = "catalog_price_list"
    __record__ = RecordType(_("Price list"), _("Price lists"), path="price-lists", icon="tag", visible=Public())

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True)
    currency: Mapped[str | None] = currency(_("Currency"))
    valid_from: Mapped[dt.date | None] = date(_("Valid from"))
    valid_until: Mapped[dt.date | None] = date(_("Valid until"))
    active: Mapped[bool] = boolean(_("In use"), default=True)
    prices: Mapped[list[PriceListLine]] = lines(_("Prices"), "PriceListLine")


ALL = (Product, PriceList, PriceListLine)
