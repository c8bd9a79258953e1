"""A move is taken back by whoever made it, with all that it changed."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.access.models import User
from comptoir.errors import Conflict, NotAllowed
from comptoir.records.write.undo import take_back
from comptoir.testing.platform import Clock, Stage
from comptoir.toolkit import move, save
from comptoir_sales.models import Deal, LostReason
from comptoir_sales.rights import ROLES

pytestmark = pytest.mark.modules("catalog", "sales")
AGENT = next(role for role in ROLES if role.name == "sales.agent")


@pytest.fixture
def agent(stage: Stage) -> User:
    """A sales agent, who may not reopen what is closed."""
    return stage.user("Radu", grants=dict(AGENT.permissions))


@pytest.fixture
def lost(stage: Stage, agent: User) -> int:
    """The id of a deal that the agent has just lost, from the stage Engaging."""
    with stage.system() as ctx:
        reason = LostReason(name="Too far away")
        save(ctx, [reason])
        reason_id = reason.id
    with stage.acting(agent) as ctx:
        deal = Deal(name="Espresso line", stage="engaging", amount=1200)
        save(ctx, [deal])
        move(ctx, deal, "lost", {"lost_reason_id": reason_id})
        return deal.id


def held(deal: Deal) -> tuple[Any, ...]:
    return deal.stage, deal.outcome, deal.lost_reason_id, deal.closed_on, int(deal.probability or 0)


def test_a_lost_deal_is_open_again_as_it_was(stage: Stage, agent: User, lost: int) -> None:
    with stage.acting(agent) as ctx:
        deal = ctx.session.get_one(Deal, lost)
        with pytest.raises(NotAllowed):
            move(ctx, deal, "reopen")
        take_back(ctx, deal)
        assert held(deal) == ("engaging", "open", None, None, 40)


def test_taking_back_is_a_move_that_can_be_taken_back(stage: Stage, agent: User, lost: int) -> None:
    with stage.acting(agent) as ctx:
        deal = ctx.session.get_one(Deal, lost)
        before = held(deal)
        take_back(ctx, deal)
        take_back(ctx, deal)
        assert held(deal) == before


def test_another_s_move_is_not_taken_back(stage: Stage, lost: int) -> None:
    other = stage.user("Elena", grants={"sales.deal.read": "all", "sales.deal.write": "all"})
    with stage.acting(other) as ctx, pytest.raises(Conflict, match="Somebody else"):
        take_back(ctx, ctx.session.get_one(Deal, lost))


def test_a_move_is_not_taken_back_over_what_came_after_it(stage: Stage, agent: User, lost: int) -> None:
    with stage.acting(agent) as ctx:
        deal = ctx.session.get_one(Deal, lost)
        deal.name = "Espresso line for two"
        save(ctx, [deal])
        with pytest.raises(Conflict, match="Something else"):
            take_back(ctx, deal)


def test_after_ten_minutes_a_move_is_no_slip_any_more(stage: Stage, agent: User, lost: int, clock: Clock) -> None:
    clock.advance(minutes=11)
    with stage.acting(agent) as ctx, pytest.raises(Conflict, match="too long ago"):
        take_back(ctx, ctx.session.get_one(Deal, lost))
