"""A shop as a stranger would write it: the toolkit and base, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comptoir.toolkit import (
    Action,
    Base,
    Change,
    Choice,
    Context,
    Contribution,
    Manifest,
    Permission,
    Rules,
    RuleViolation,
    _,
    hookimpl,
    kinds,
    save,
)
from comptoir_shop import models

manifest = Manifest(_("Shop"))


def duplicate(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> models.Order:
    copy = models.Order(number=f"{order.number}-copy", contact_id=order.contact_id, amount=order.amount)
    save(ctx, [copy])
    return copy


def explode(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> None:
    raise ZeroDivisionError("the till is empty: 4111 1111")


def refuse(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> None:
    raise RuleViolation("shop.closed", _("The shop is closed."), field="number")


def split(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> models.Order:
    part = models.Order(**values)
    save(ctx, [part])
    return part


def half(ctx: Context, order: models.Order) -> Mapping[str, Any]:
    return {"amount": order.amount and order.amount / 2, "contact_id": order.contact_id}


PERMISSIONS = (
    Permission("shop.order.see_margin", _("See margins")),
    Permission("shop.order.check", _("Check orders")),
    Permission("shop.order.reopen", _("Reopen orders")),
)
CHANNEL = kinds.Field(
    kinds.Listed(),
    _("Channel"),
    name="channel",
    choices=(Choice("web", _("Web")), Choice("shop", _("Shop"))),
    default="shop",
)
ASKED_FOR_A_PART = (
    kinds.Field(kinds.Text(), _("New number"), name="number", required=True, max_length=20),
    models.Order.amount,
    models.Order.contact_id,
    CHANNEL,
    models.Order.placed_on,
    models.Order.is_gift,
    models.Order.checked,
)
ON_ORDERS: dict[str, Any] = {"on": models.Order, "permission": "shop.order.write"}
ACTIONS = (
    Action("duplicate", label=_("Duplicate"), run=duplicate, **ON_ORDERS),
    Action("explode", label=_("Explode"), run=explode, **ON_ORDERS),
    Action("split", label=_("Split"), run=split, asks=ASKED_FOR_A_PART, given=half, **ON_ORDERS),
    Action("refuse", label=_("Refuse"), run=refuse, shown=lambda ctx, order: order.stage == "draft", **ON_ORDERS),
)


def follow_amounts(ctx: Context, changes: Sequence[Change]) -> None:
    """The commission follows from the amount, whoever changes that."""
    for change in changes:
        if isinstance(change.record, models.Order) and change.touches("amount"):
            change.record.commission = change.record.amount and change.record.amount / 10


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    commission = Rules(models.Order, prepare=follow_amounts)
    return [models.Order, models.OrderLine, models.ShopContact, *PERMISSIONS, *ACTIONS, commission]
