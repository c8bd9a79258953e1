"""The catalog module: products, units and price lists."""

from __future__ import annotations

from comptoir.toolkit import Base, Context, Contribution, Manifest, Permission, RoleTemplate, Rules, _, hookimpl
from comptoir_catalog import models, rest, screens, services, views
from comptoir_catalog.models import PriceList, Product

manifest = Manifest(_("Catalogue"), _("Products, units and price lists."), category="sales", icon="box")

RIGHTS = (
    Permission("catalog.product.see_cost", _("See and edit what products cost")),
    RoleTemplate(
        "catalog.keeper",
        _("Catalogue keeper"),
        {
            f"catalog.{record}.{action}": "all"
            for record in ("product", "price_list")
            for action in ("read", "create", "write", "delete")
        }
        | {"catalog.product.see_cost": "all"},
        _("Keeps products and price lists."),
    ),
)

RULES = (
    Rules(Product, prepare=services.prepare_products),
    Rules(PriceList, prepare=services.prepare_price_lists, check=services.price_list_violations),
)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    return [*models.ALL, *RIGHTS, *screens.ALL, *views.VIEWS, *rest.ROUTES, *RULES]


@hookimpl
def choose_home(ctx: Context) -> str | None:
    return services.home_of(ctx)


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir_catalog import demo  # needed once, and large

    demo.create_products(ctx)
