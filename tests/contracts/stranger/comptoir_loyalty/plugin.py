"""What the loyalty module adds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Base,
    Change,
    Context,
    Daily,
    Form,
    Job,
    List,
    Manifest,
    MenuItem,
    Panel,
    Permission,
    RoleTemplate,
    ScreenAddition,
    Screens,
    Section,
    Tab,
    Tile,
    _,
    hookimpl,
)
from comptoir_loyalty import services
from comptoir_loyalty.models import LoyaltyContact, Reward

manifest = Manifest(_("Loyalty"), _("Points and rewards."), category="marketing", icon="star", author="Stranger & Co")


@hookimpl
def contribute_models() -> list[type[Base]]:
    return [Reward, LoyaltyContact]


@hookimpl
def contribute_permissions() -> list[Permission]:
    return [Permission("loyalty.reward.double", _("Give double points"))]


@hookimpl
def contribute_roles() -> list[RoleTemplate]:
    granted = {f"loyalty.reward.{action}": "all" for action in ("read", "create", "write", "delete", "double")}
    return [RoleTemplate("loyalty.keeper", _("Keeper of rewards"), granted | {"base.contact.read": "all"})]


@hookimpl
def contribute_screens() -> list[Screens]:
    listed = List(Reward.reason, Reward.contact_id, Reward.points, Reward.given_on, totals=(Reward.points,))
    return [Screens(Reward, listed, Form(Section(_("Reward"), Reward.reason, Reward.contact_id, Reward.points)))]


@hookimpl
def contribute_screen_additions() -> list[ScreenAddition]:
    return [ScreenAddition(Contact, Section(_("Loyalty"), LoyaltyContact.points, LoyaltyContact.tier))]


@hookimpl
def contribute_menu() -> list[MenuItem]:
    return [MenuItem("loyalty.rewards", _("Rewards"), "/loyalty/rewards", "loyalty.reward.read", icon="star")]


@hookimpl
def contribute_tabs() -> list[Tab]:
    columns = (Reward.reason, Reward.points, Reward.given_on)
    return [Tab("loyalty.rewards", Contact, _("Rewards"), Reward, Reward.contact_id, columns, "loyalty.reward.read")]


@hookimpl
def contribute_panels() -> list[Panel]:
    return [
        Panel(
            "loyalty.balance",
            Contact,
            _("Loyalty points"),
            "loyalty/balance.html",
            services.balance,
            "loyalty.reward.read",
        )
    ]


@hookimpl
def contribute_tiles() -> list[Tile]:
    return [
        Tile(
            "loyalty.best",
            _("Most faithful customers"),
            "loyalty.reward.read",
            "loyalty/best.html",
            services.best_customers,
        )
    ]


@hookimpl
def contribute_jobs() -> list[Job]:
    return [Job("loyalty.expire_points", services.expire_points, Daily(time(3)), _("Expire idle points"))]


@hookimpl
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.prepare_rewards(ctx, changes)


@hookimpl
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.check_rewards(ctx, changes)


@hookimpl
def on_records_saved(ctx: Context, changes: Sequence[Change]) -> None:
    services.collect_points(ctx, changes)
