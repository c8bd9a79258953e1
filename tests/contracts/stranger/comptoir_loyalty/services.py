"""Collecting and expiring points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update

from comptoir.base.models import Contact
from comptoir.toolkit import Change, Context, RuleViolation, _, changes_of, save
from comptoir_loyalty.models import LoyaltyContact, Reward

GOLD = 1000
IDLE = dt.timedelta(days=365)


def prepare_rewards(ctx: Context, changes: Sequence[Change]) -> None:
    """A reward is given today unless it says when."""
    for reward, _change in changes_of(changes, Reward):
        reward.given_on = reward.given_on or ctx.today()


def reward_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Rewards are not given in advance."""
    for reward, _change in changes_of(changes, Reward):
        if reward.given_on is not None and reward.given_on > ctx.today():
            yield RuleViolation("loyalty.in_advance", _("Give a day that has come."), field="given_on")


def collect_points(ctx: Context, changes: Sequence[Change]) -> None:
    """A new reward adds its points to the contact's balance."""
    system = ctx.as_system("points follow rewards")
    for reward, change in changes_of(changes, Reward):
        if change.is_new:
            contact = system.session.get_one(Contact, reward.contact_id)
            held = contact.ext(LoyaltyContact)
            held.points += reward.points
            held.tier = "gold" if held.points >= GOLD else "basic"
            held.idle_since = reward.given_on
            save(system, [contact])


def expire_points(ctx: Context) -> None:
    """Empty the balances that were idle for a year."""
    idle = LoyaltyContact.idle_since < ctx.today() - IDLE
    with ctx.bulk("points that were idle for a year"):
        ctx.session.execute(update(LoyaltyContact).where(idle).values(points=0, tier="basic"))


def pass_on(ctx: Context, reward: Reward, values: Mapping[str, Any]) -> Reward:
    """Some of a reward's points become another contact's."""
    if values["points"] > reward.points:
        raise RuleViolation("loyalty.too_many", _("There are only {count}.", count=reward.points), field="points")
    if values["points"] == reward.points and values["occasion"] is None:
        raise RuleViolation("loyalty.no_occasion", _("Nobody gives all of it without an occasion."))
    occasion = f" ({values['occasion']})" if values["occasion"] else ""
    passed = Reward(
        reason=f"{values['why']}{occasion}",
        contact_id=values["contact_id"],
        points=values["points"],
        given_on=values["on"],
    )
    save(ctx, [passed])
    return passed


def half_of_it(ctx: Context, reward: Reward) -> Mapping[str, Any]:
    """What one begins with who passes a reward on."""
    return {"contact_id": reward.contact_id, "points": reward.points // 2, "on": ctx.today()}


def just_now(ctx: Context, record: Any) -> Mapping[str, Any]:
    """A visit that is noted has just happened."""
    return {"seen_at": ctx.now()}


def balance(ctx: Context, contact: Contact) -> Mapping[str, Any]:
    """The values of the panel on a contact."""
    held = contact.ext(LoyaltyContact)
    return {"points": held.points, "tier": held.tier}


def best_customers(ctx: Context, options: Mapping[str, str]) -> Mapping[str, Any]:
    """The values of the tile on the dashboard."""
    total = func.sum(Reward.points)
    query = (
        select(Contact.name, total)
        .join(Reward, Reward.contact_id == Contact.id)
        .group_by(Contact.name)
        .order_by(total.desc())
        .limit(5)
    )
    return {"rows": [(name, points) for name, points in ctx.session.execute(query)]}
