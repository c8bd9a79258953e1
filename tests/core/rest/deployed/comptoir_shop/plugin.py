"""A shop as a stranger would write it: the toolkit and base, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comptoir.toolkit import Action, Base, Change, Context, Manifest, Permission, RuleViolation, _, hookimpl, save
from comptoir_shop import models

manifest = Manifest(_("Shop"))


@hookimpl
def contribute_models() -> list[type[Base]]:
    return [models.Order, models.OrderLine, models.ShopContact]


@hookimpl
def contribute_permissions() -> list[Permission]:
    return [
        Permission("shop.order.see_margin", _("See margins")),
        Permission("shop.order.check", _("Check orders")),
        Permission("shop.order.reopen", _("Reopen orders")),
    ]


def duplicate(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> models.Order:
    copy = models.Order(number=f"{order.number}-copy", contact_id=order.contact_id, amount=order.amount)
    save(ctx, [copy])
    return copy


def explode(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> None:
    raise ZeroDivisionError("the till is empty: 4111 1111")


def refuse(ctx: Context, order: models.Order, values: Mapping[str, Any]) -> None:
    raise RuleViolation("shop.closed", _("The shop is closed."), field="number")


@hookimpl
def contribute_actions() -> list[Action]:
    on: dict[str, Any] = {"on": models.Order, "permission": "shop.order.write"}
    return [
        Action("duplicate", label=_("Duplicate"), run=duplicate, **on),
        Action("explode", label=_("Explode"), run=explode, **on),
        Action("refuse", label=_("Refuse"), run=refuse, shown=lambda ctx, order: order.stage == "draft", **on),
    ]


@hookimpl
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    """The commission follows from the amount, whoever changes that."""
    for change in changes:
        if isinstance(change.record, models.Order) and change.touches("amount"):
            change.record.commission = change.record.amount and change.record.amount / 10
