"""Deals on their way through a pipeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from comptoir.base.models import Contact
from comptoir.context import Context
from comptoir.errors import NotAllowed, RuleViolation, RuleViolations
from comptoir.testing.platform import Clock, Stage
from comptoir.toolkit import delete, move, save
from comptoir_catalog.models import Product
from comptoir_sales.models import DEALS, Deal, LostReason, Pipeline, PipelineStage

pytestmark = pytest.mark.modules("catalog", "sales")


def new_deal(ctx: Context, **values: Any) -> Deal:
    deal = Deal(**values)
    save(ctx, [deal])
    return deal


def test_a_new_deal_enters_the_first_stage_of_the_default_pipeline(ctx: Context) -> None:
    deal = new_deal(ctx, name="Espresso line")
    assert (deal.stage, deal.outcome, deal.probability) == ("prospecting", "open", Decimal(10))
    assert deal.opened_on == ctx.today()
    assert deal.currency == "EUR"


def test_a_deal_is_named_after_its_customer_and_product(ctx: Context) -> None:
    contact, product = Contact(name="Mega Fruct SRL"), Product(name="Cold room", price=Decimal(31200))
    save(ctx, [contact])
    save(ctx, [product])
    deal = new_deal(ctx, contact_id=contact.id, product_id=product.id)
    assert deal.name == "Mega Fruct SRL, Cold room"


def test_an_open_deal_without_value_is_valued_at_list_price(ctx: Context) -> None:
    product = Product(name="Cold room", price=Decimal(31200))
    save(ctx, [product])
    assert new_deal(ctx, product_id=product.id).amount == Decimal(31200)
    assert new_deal(ctx, product_id=product.id, stage="won").amount is None


@pytest.mark.parametrize("named", ["won", "Won", " WON "])
def test_a_stage_is_known_by_code_and_by_label(ctx: Context, named: str) -> None:
    assert new_deal(ctx, name="Tea bar", stage=named).stage == "won"


def test_an_unknown_stage_is_refused_at_its_field(ctx: Context) -> None:
    with pytest.raises(RuleViolations) as refused:
        new_deal(ctx, name="Tea bar", stage="Closed-ish")
    assert list(refused.value.by_field()) == ["stage"]


def test_winning_closes_the_deal_today_and_counts_its_days(ctx: Context, clock: Clock) -> None:
    deal = new_deal(ctx, name="Tea bar")
    clock.advance(days=12)
    move(ctx, deal, "won")
    assert (deal.outcome, deal.closed_on, deal.cycle_days) == ("won", ctx.today(), 12)
    assert deal.probability == Decimal(100)
    assert deal.furthest_stage == "negotiation"


def test_a_lost_deal_remembers_how_far_it_came(ctx: Context) -> None:
    deal = new_deal(ctx, name="Tea bar")
    move(ctx, deal, "offer_sent")
    move(ctx, deal, "engaging")
    move(ctx, deal, "lost")
    assert (deal.outcome, deal.furthest_stage) == ("lost", "offer_sent")


def test_a_deal_created_as_lost_is_taken_to_have_passed_every_stage(ctx: Context) -> None:
    opened, closed = dt.date(2017, 1, 3), dt.date(2017, 2, 2)
    deal = new_deal(ctx, name="Old", stage="Lost", opened_on=opened, closed_on=closed)
    assert (deal.furthest_stage, deal.cycle_days) == ("negotiation", 30)


def test_reopening_clears_the_closing_day_and_the_reason(ctx: Context) -> None:
    deal = new_deal(ctx, name="Tea bar")
    reason = ctx.session.scalars(select(LostReason)).first()
    assert reason is not None
    move(ctx, deal, "lost", {"lost_reason_id": reason.id})
    move(ctx, deal, "reopen")
    assert (deal.stage, deal.closed_on, deal.lost_reason_id, deal.cycle_days) == ("prospecting", None, None, None)


def test_saving_the_same_again_changes_nothing(ctx: Context, clock: Clock) -> None:
    deal = new_deal(ctx, name="Old", stage="Won", opened_on=dt.date(2017, 1, 3), closed_on=dt.date(2017, 2, 2))
    clock.advance(days=1)
    deal.stage = "Won"
    deal.opened_on = dt.date(2017, 1, 3)
    assert save(ctx, [deal]) == []


def test_an_open_deal_keeps_its_opening_day_when_an_import_leaves_it_out(ctx: Context, clock: Clock) -> None:
    deal = new_deal(ctx, name="Old")
    opened = deal.opened_on
    clock.advance(days=30)
    deal.opened_on = None
    save(ctx, [deal])
    assert deal.opened_on == opened


def test_a_deal_cannot_close_before_it_opened(ctx: Context) -> None:
    with pytest.raises(RuleViolations) as refused:
        new_deal(ctx, name="Odd", stage="won", opened_on=dt.date(2026, 5, 2), closed_on=dt.date(2026, 5, 1))
    assert list(refused.value.by_field()) == ["closed_on"]


def test_people_are_asked_why_a_deal_is_lost(stage: Stage, make_user: Callable[..., Any]) -> None:
    agent = make_user("Radu", grants=AGENT)
    with stage.acting(agent) as acting:
        deal = new_deal(acting, name="Tea bar")
        with pytest.raises(RuleViolations) as refused:
            move(acting, deal, "lost")
    assert list(refused.value.by_field()) == ["lost_reason_id"]


def test_reopening_needs_its_own_right(stage: Stage, make_user: Callable[..., Any]) -> None:
    agent = make_user("Radu", grants=AGENT)
    with stage.acting(agent) as acting:
        deal = new_deal(acting, name="Tea bar")
        move(acting, deal, "won")
        with pytest.raises(NotAllowed):
            move(acting, deal, "reopen")


def test_a_second_pipeline_has_stages_of_its_own(ctx: Context) -> None:
    service = Pipeline(name="Service contracts")
    save(ctx, [service])
    save(
        ctx,
        [
            PipelineStage(name="Inspection", pipeline_id=service.id, probability=Decimal(30)),
            PipelineStage(name="Signed", pipeline_id=service.id, kind="won"),
        ],
    )
    deal = new_deal(ctx, name="Yearly check", pipeline_id=service.id)
    assert deal.stage == "inspection"
    move(ctx, deal, "won")
    assert (deal.stage, deal.outcome) == ("signed", "won")


def test_a_deal_may_change_its_pipeline_together_with_its_stage(ctx: Context) -> None:
    service = Pipeline(name="Service contracts")
    save(ctx, [service])
    save(ctx, [PipelineStage(name="Inspection", pipeline_id=service.id)])
    deal = new_deal(ctx, name="Yearly check")
    deal.pipeline_id, deal.stage = service.id, "Inspection"
    save(ctx, [deal])
    assert deal.stage == "inspection"


def test_a_new_open_stage_stands_before_the_closing_ones(ctx: Context) -> None:
    save(ctx, [PipelineStage(name="Trial run")])
    assert [s.name for s in DEALS.stages(ctx)][-3:] == ["trial_run", "won", "lost"]


def test_a_stage_where_deals_stand_keeps_its_code(ctx: Context) -> None:
    new_deal(ctx, name="Tea bar")
    first = ctx.session.scalars(select(PipelineStage).where(PipelineStage.code == "prospecting")).one()
    first.name, first.code = "Leads", "leads"
    with pytest.raises(RuleViolations):
        save(ctx, [first])
    first.name = "Leads"
    save(ctx, [first])
    assert first.code == "prospecting"
    assert str(DEALS.stages(ctx)[0].label) == "Leads"


def test_a_deal_needs_a_pipeline_with_stages(ctx: Context) -> None:
    empty = Pipeline(name="Empty")
    save(ctx, [empty])
    with pytest.raises(RuleViolations) as refused:
        new_deal(ctx, name="Nowhere", pipeline_id=empty.id)
    assert list(refused.value.by_field()) == ["pipeline_id"]


def test_a_stage_where_deals_stand_is_not_deleted(ctx: Context) -> None:
    new_deal(ctx, name="Tea bar")
    first = ctx.session.scalars(select(PipelineStage).where(PipelineStage.code == "prospecting")).one()
    with pytest.raises(RuleViolation):
        delete(ctx, [first])


def test_one_pipeline_is_the_default(ctx: Context) -> None:
    service = Pipeline(name="Service contracts", is_default=True)
    save(ctx, [service])
    assert DEALS.default_pipeline(ctx) == service.id
    assert list(ctx.session.scalars(select(Pipeline.name).where(Pipeline.is_default.is_(True)))) == [service.name]


AGENT = {
    "sales.deal.read": "team",
    "sales.deal.create": "own",
    "sales.deal.write": "own",
    "sales.stage.read": "all",
    "sales.pipeline.read": "all",
    "sales.lost_reason.read": "all",
    "base.contact.read": "all",
    "catalog.product.read": "all",
}
