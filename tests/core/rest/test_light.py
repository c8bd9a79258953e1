"""Light rows with the fields that a plugin adds to them."""

from __future__ import annotations

from decimal import Decimal

from comptoir_shop.models import ShopContact

from comptoir.base.models import Contact
from comptoir.db.light import light_row
from comptoir.deployment import Deployment
from comptoir.records.write import assign, save


def test_what_is_set_in_an_extension_of_a_light_row_is_written_with_it(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        rich, poor = light_row(Contact), light_row(Contact)
        assign(ctx, rich, {"name": "Rich", "shop.credit_limit": Decimal(700)})
        assign(ctx, poor, {"name": "Poor"})
        save(ctx, [rich, poor])
    with deployment.system_context("test", write=False) as ctx:
        assert ctx.session.get_one(Contact, rich.id).ext(ShopContact).credit_limit == Decimal(700)
        assert ctx.session.get(ShopContact, poor.id) is None
