"""Pages beside those of products and price lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comptoir.toolkit import Context, Panel, View, _, load
from comptoir_catalog.models import Product
from comptoir_catalog.services import Price, price_of, valid_price_lists

if TYPE_CHECKING:
    from comptoir.toolkit import Visit


def lists_of(ctx: Context, product: Product) -> Mapping[str, Any]:
    """The values of the panel: how many price lists are in use."""
    return {"count": len(valid_price_lists(ctx)) if ctx.may("catalog.price_list.read") else 0}


def price_table(visit: Visit, id: int) -> Any:
    """What a product costs today in each list that is in use."""
    from comptoir.toolkit import page  # brings the web, which work and commands do without

    ctx = visit.context
    product = load(ctx, Product, id)
    rows: list[tuple[str, Price]] = [
        (price_list.name, price_of(ctx, product, price_list=price_list))
        for price_list in valid_price_lists(ctx)
        if product.price is not None
    ]
    crumbs = ((_("Products"), "/catalog/products"), (product.name, f"/catalog/products/{id}"))
    return page(visit, "catalog/prices.html", {"product": product, "rows": rows}, title=_("Prices"), crumbs=crumbs)


VIEWS = (
    View("/products/{id}/prices", price_table, "catalog.price_list.read"),
    Panel("catalog.prices", Product, _("Price lists"), "catalog/lists.html", lists_of, "catalog.price_list.read"),
)
