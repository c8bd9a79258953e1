"""What the loyalty module adds."""

from __future__ import annotations

from datetime import time

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Action,
    Base,
    Composer,
    Contribution,
    Daily,
    Form,
    Job,
    List,
    Manifest,
    MenuItem,
    Panel,
    Permission,
    RoleTemplate,
    Rules,
    ScreenAddition,
    Screens,
    Section,
    Tab,
    Tile,
    _,
    hookimpl,
    kinds,
)
from comptoir_loyalty import services
from comptoir_loyalty.models import OCCASIONS, LoyaltyContact, Partner, Reward, Visit

manifest = Manifest(_("Loyalty"), _("Points and rewards."), category="marketing", icon="star", author="Stranger & Co")


RIGHTS = (
    Permission("loyalty.reward.double", _("Give double points")),
    Permission("loyalty.partner.reach", _("See how partners are reached and what is over")),
    RoleTemplate(
        "loyalty.keeper",
        _("Keeper of rewards"),
        {f"loyalty.reward.{action}": "all" for action in ("read", "create", "write", "delete", "double")}
        | {"base.contact.read": "all"},
    ),
)

SCREENS = (
    Screens(
        Reward,
        List(Reward.reason, Reward.contact_id, Reward.points, Reward.given_on, totals=(Reward.points,)),
        Form(Section(_("Reward"), Reward.reason, Reward.contact_id, Reward.points)),
    ),
    ScreenAddition(Contact, Section(_("Loyalty"), LoyaltyContact.points, LoyaltyContact.tier)),
    MenuItem("loyalty.rewards", _("Rewards"), "/loyalty/rewards", "loyalty.reward.read", icon="star"),
    Tab(
        "loyalty.rewards",
        Contact,
        _("Rewards"),
        Reward,
        Reward.contact_id,
        (Reward.reason, Reward.points, Reward.given_on),
        "loyalty.reward.read",
    ),
    Panel(
        "loyalty.balance", Contact, _("Loyalty points"), "loyalty/balance.html", services.balance, "loyalty.reward.read"
    ),
    Tile(
        "loyalty.best",
        _("Most faithful customers"),
        "loyalty.reward.read",
        "loyalty/best.html",
        services.best_customers,
    ),
)

ACTIONS = (
    Action(
        "pass_on",
        Reward,
        _("Pass on"),
        services.pass_on,
        "loyalty.reward.write",
        icon="users",
        asks=(
            Reward.contact_id,
            Reward.points,
            kinds.Field(kinds.Text(), _("Why"), name="why", required=True, max_length=60),
            kinds.Field(kinds.Listed(), _("Occasion"), name="occasion", choices=OCCASIONS),
            kinds.Field(kinds.Day(), _("Day"), name="on", help=_("Today at the latest.")),
        ),
        given=services.half_of_it,
    ),
)

COMPOSERS = (
    Composer("loyalty.visit", _("Visit"), Visit, Visit.told, (Visit.again_on,), given=services.just_now, icon="star"),
)

RULES = (
    Rules(
        Reward,
        prepare=services.prepare_rewards,
        check=services.reward_violations,
        saved=services.collect_points,
    ),
)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    expire = Job("loyalty.expire_points", services.expire_points, Daily(time(3)), _("Expire idle points"))
    return [Reward, LoyaltyContact, Partner, Visit, *RIGHTS, *SCREENS, *ACTIONS, *COMPOSERS, *RULES, expire]
