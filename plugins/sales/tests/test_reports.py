"""The figures of sales, on a small story and on 8,800 real deals where they lie beside the checkout."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comptoir.access.models import User
from comptoir.base.models import Contact
from comptoir.context import Context
from comptoir.records.query import parse, run
from comptoir.testing.platform import Stage
from comptoir.toolkit import Compare, save
from comptoir_catalog.models import Product
from comptoir_sales import reports
from comptoir_sales.models import Deal, LostReason

pytestmark = pytest.mark.modules("catalog", "sales")
MAVEN = Path(__file__).resolve().parents[4] / "shared" / "data" / "crm_maven"


def closed(stage: str, days: int, amount: int = 100, **values: Any) -> Deal:
    opened = dt.date(2026, 1, 1)
    return Deal(
        name=f"{stage} {days}",
        stage=stage,
        amount=Decimal(amount),
        opened_on=opened,
        closed_on=opened + dt.timedelta(days=days),
        **values,
    )


def row_of(rows: Sequence[Mapping[str, Any]], label: str) -> Mapping[str, Any]:
    return next(row for row in rows if row["label"] == label)


@pytest.mark.parametrize(
    ("days", "median"), [([1], 1), ([1, 2], Decimal("1.5")), ([3, 1, 2], 2), ([5, 5, 9, 20], 7), ([], None)]
)
def test_a_median_is_exact(days: list[int], median: Any) -> None:
    assert reports.median_of({day: days.count(day) for day in days}) == median


def test_the_cycle_tells_won_from_lost(ctx: Context) -> None:
    save(ctx, [closed("won", 10), closed("won", 20), closed("won", 60), closed("lost", 4), Deal(name="open")])
    found = reports.cycle(ctx, None, {})
    assert row_of(found.rows, "Won")["mean"] == Decimal(30)
    assert row_of(found.rows, "Won")["median"] == Decimal(20)
    assert found.totals["closed"] == 4


def test_the_pipeline_weighs_values_by_their_chance(ctx: Context) -> None:
    save(ctx, [Deal(name="a", amount=Decimal(1000)), Deal(name="b", amount=Decimal(500), stage="offer_sent")])
    found = reports.pipeline(ctx, None, {})
    assert [(row["stage"], row["count"], row["weighted"]) for row in found.rows] == [
        ("Prospecting", 1, Decimal(100)),
        ("Offer sent", 1, Decimal(300)),
    ]
    assert found.totals["value"] == Decimal(1500)


def test_the_pipeline_can_be_read_by_stage_and_month(ctx: Context) -> None:
    save(ctx, [Deal(name="a", expected_close_on=dt.date(2026, 12, 5)), Deal(name="b")])
    found = reports.pipeline(ctx, None, {"by": "both"})
    assert [(row["stage"], row["month"]) for row in found.rows] == [
        ("Prospecting", "2026-12"),
        ("Prospecting", "No date"),
    ]


def test_values_in_another_currency_are_counted_and_not_added_up(ctx: Context) -> None:
    save(ctx, [closed("won", 1), closed("won", 2), closed("won", 3, currency="RON")])
    found = reports.win_rate(ctx, None, {"by": "person"})
    assert (found.currency, found.totals["value"], found.totals["won"]) == ("EUR", Decimal(200), 3)
    assert len(found.notes) == 1


def test_the_funnel_shows_where_deals_are_lost_and_why(ctx: Context) -> None:
    reason = LostReason(name="Too far away")
    save(ctx, [reason])
    from comptoir.toolkit import move

    deals = [Deal(name=str(n)) for n in range(20)]
    save(ctx, deals)
    for deal in deals[:14]:
        move(ctx, deal, "engaging")
    for deal in deals[:12]:
        move(ctx, deal, "lost", {"lost_reason_id": reason.id})
    move(ctx, deals[13], "won")
    steps, won = reports.funnel_steps(ctx, None)
    assert [(s.code, s.reached, s.lost, s.here) for s in steps[:2]] == [
        ("prospecting", 20, 0, 6),
        ("engaging", 14, 12, 1),
    ]
    assert steps[1].is_weakest
    assert steps[1].reasons == [("Too far away", 12)]
    assert won == 1


def test_nobody_is_ranked_on_a_handful_of_deals(ctx: Context, stage: Stage) -> None:
    busy, new = stage.user("Leyla"), stage.user("Radu")
    save(ctx, [closed("won", day, owner_id=busy.id) for day in range(reports.LEAST_CLOSED)])
    save(ctx, [closed("won", 3, 9000, owner_id=new.id)])
    found = reports.ranking(ctx, None, {})
    assert [(row["label"], row["rank"]) for row in found.rows] == [("Leyla", 1), ("Radu", None)]


def test_a_row_leads_to_its_deals(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("lost", 4), closed("won", 40)])
    found = reports.win_rate(ctx, Compare("amount", "gte", Decimal(1)), {"by": "month"})
    deals = ctx.registry.record_type(Deal)
    narrowed = parse(ctx, deals, found.rows[0]["drill"].items())
    assert [row["name"] for row in run(ctx, deals, narrowed).rows] == ["won 3", "lost 4"]


@pytest.mark.slow
def test_the_8800_deals_give_the_true_figures(ctx: Context, stage: Stage) -> None:
    if not MAVEN.is_dir():
        pytest.skip("the sample data does not lie beside the checkout")
    truths = json.loads((MAVEN / "truths.json").read_text())
    load_maven(ctx, stage)
    won = reports.sums(ctx, reports.WON)
    assert (won.count, won.value) == (truths["stages"]["Won"], truths["total_won_value"])
    rate = reports.win_rate(ctx, None, {"by": "team"})
    assert rate.totals["rate"] == Decimal(str(truths["win_rate_pct_of_closed"]))
    for manager, figures in truths["win_rate_by_manager"].items():
        row = row_of(rate.rows, manager)
        assert (row["won"], row["lost"]) == (figures["won"], figures["lost"])
        assert row["rate"] == Decimal(str(figures["win_rate_pct_of_closed"]))
        assert row["value"] == truths["won_value_by_manager"][manager]
    by_region = reports.win_rate(ctx, None, {"by": "region"})
    assert {row["label"]: row["value"] for row in by_region.rows} == truths["won_value_by_region"]
    days = reports.cycle(ctx, None, {})
    assert row_of(days.rows, "Won")["mean"] == Decimal(str(truths["cycle_days"]["avg_won"]))
    assert row_of(days.rows, "Won")["median"] == truths["cycle_days"]["median_won"]
    assert row_of(days.rows, "Lost")["mean"] == Decimal(str(truths["cycle_days"]["avg_lost"]))
    assert days.totals["mean"] == Decimal(str(truths["cycle_days"]["avg_closed"]))
    by_quarter = reports.win_rate(ctx, None, {"by": "quarter"})
    assert {row["label"].replace("-", ""): row["value"] for row in by_quarter.rows} == truths[
        "won_value_by_close_quarter"
    ]
    by_sector = reports.win_rate(ctx, None, {"by": "sector"})
    assert {row["label"]: row["value"] for row in by_sector.rows} == truths["won_value_by_sector"]
    people = reports.ranking(ctx, None, {})
    assert {row["label"]: row["value"] for row in people.rows[:5]} == truths["won_value_by_agent_top5"]
    unvalued = reports.pipeline(ctx, None, {})
    assert {row["stage"]: row["value"] for row in unvalued.rows} == truths["open_pipeline_list_price"]


def load_maven(ctx: Context, stage: Stage) -> None:
    """The files as they are, but for the one product that is spelled two ways."""

    def rows(name: str) -> list[dict[str, str]]:
        with (MAVEN / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    regions: dict[str, Any] = {}
    teams: dict[str, Any] = {}
    agents: dict[str, User] = {}
    for row in rows("sales_teams.csv"):
        region = regions.get(row["regional_office"]) or stage.team(row["regional_office"])
        regions[row["regional_office"]] = region
        team = teams.get(row["manager"]) or stage.team(row["manager"], region)
        teams[row["manager"]] = team
        agents[row["sales_agent"]] = stage.user(row["sales_agent"], team=team)
    products = {
        row["product"]: Product(name=row["product"], price=Decimal(row["sales_price"])) for row in rows("products.csv")
    }
    save(ctx, products.values())
    accounts = {row["account"]: Contact(name=row["account"], sector=row["sector"]) for row in rows("accounts.csv")}
    save(ctx, accounts.values())
    save(
        ctx,
        [
            Deal(
                reference=row["opportunity_id"],
                owner_id=agents[row["sales_agent"]].id,
                product_id=products[row["product"].replace("GTXPro", "GTX Pro")].id,
                contact_id=accounts[row["account"]].id if row["account"] else None,
                stage=row["deal_stage"],
                opened_on=dt.date.fromisoformat(row["engage_date"]) if row["engage_date"] else None,
                closed_on=dt.date.fromisoformat(row["close_date"]) if row["close_date"] else None,
                amount=Decimal(row["close_value"]) if row["close_value"] else None,
            )
            for row in rows("sales_pipeline.csv")
        ],
    )
