"""The catalog module: products, units and price lists."""

from __future__ import annotations

from collections.abc import Sequence

from comptoir.toolkit import (
    Base,
    Change,
    Context,
    Manifest,
    MenuItem,
    Permission,
    RoleTemplate,
    Screens,
    _,
    hookimpl,
)
from comptoir_catalog import models, screens, services

manifest = Manifest(_("Catalogue"), _("Products, units and price lists."), category="sales", icon="box")


@hookimpl
def contribute_models() -> list[type[Base]]:
    return list(models.ALL)


@hookimpl
def contribute_permissions() -> list[Permission]:
    return [Permission("catalog.product.see_cost", _("See and edit what products cost"))]


@hookimpl
def contribute_roles() -> list[RoleTemplate]:
    return [
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
    ]


@hookimpl
def contribute_screens() -> list[Screens]:
    return list(screens.SCREENS)


@hookimpl
def contribute_menu() -> list[MenuItem]:
    return list(screens.MENU)


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir_catalog import demo  # needed once, and large

    demo.create_products(ctx)


@hookimpl
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.prepare_changes(ctx, changes)


@hookimpl
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.check_changes(ctx, changes)
