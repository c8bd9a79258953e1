"""What sales puts on pages: every tile, panel and report is drawn."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event, select

from comptoir.base.models import Contact
from comptoir.deployment import Deployment
from comptoir.modules.demo import load_demo
from comptoir.records.query import Compare, Query, and_also, run
from comptoir.records.write import save
from comptoir.testing.platform import PASSWORD, Stage
from comptoir_sales.models import Deal, PipelineStage

pytestmark = pytest.mark.modules("catalog", "sales")
PAGES = (
    "/",
    "/?period=week",
    "/base/contacts",
    "/base/contacts/1",
    "/base/contacts/1?whole=1",
    "/base/contacts/1?tab=sales.deals",
    "/base/contacts/1/edit",
    "/base/tasks",
    "/base/users",
    "/base/teams",
    "/catalog/products/1",
    "/catalog/price-lists/1",
    "/catalog/price-lists/1/edit",
    "/sales/deals",
    "/sales/deals?group=owner",
    "/sales/deals/filters",
    "/sales/deals/totals",
    "/sales/deals?filter[outcome]=open&filter[stage_since][lt]=today-14",
    "/sales/deals/board",
    "/sales/deals/1",
    "/sales/deals/1?whole=1",
    "/sales/deals/1/edit",
    "/sales/deals/new",
    "/sales/leads",
    "/sales/leads/board",
    "/sales/leads/1",
    "/sales/stages",
    "/sales/pipelines",
    "/sales/lost-reasons",
    *(
        f"/reports/sales.{name}?rows={by}"
        for name, splits in {
            "pipeline": ("stage", "month", "opened", "stage&columns=month"),
            "win_rate": ("month", "quarter", "person", "region", "product", "customer", "sector"),
            "cycle": ("outcome", "team"),
            "ranking": ("person", "team", "product", "region"),
        }.items()
        for by in splits
    ),
    "/reports/sales.funnel",
    "/reports/sales.stages",
    "/reports/sales.deal?rows=product&measures=amount:median",
    "/reports/base.contact",
)


@pytest.fixture
def engine_name() -> str:
    """Pages are drawn alike whatever the engine; the figures behind them are tested on both."""
    return "sqlite"


@pytest.fixture
def browser(deployment: Deployment, stage: Stage, client: Any) -> Any:
    stage.user("Ana", administrator=True, email="ana@example.org")
    load_demo(deployment)
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    assert token is not None
    client.post("/login", data={"email": "ana@example.org", "password": PASSWORD, "csrf_token": token.group(1)})
    return client


@pytest.mark.slow
def test_every_page_is_drawn(browser: Any) -> None:
    failed = [
        (page, answer.status_code)
        for page in PAGES
        if (answer := browser.get(page)).status_code != 200 or "The log says why" in answer.text
    ]
    assert failed == []


def test_the_dashboard_links_to_the_deals_behind_a_figure(browser: Any) -> None:
    links = re.findall(r'href="(/sales/deals\?[^"]+)"', browser.get("/?period=year").text)
    assert len(links) > 3
    assert [link for link in links if browser.get(link.replace("&amp;", "&")).status_code != 200] == []


def test_a_lane_shows_twenty_cards_and_the_rest_on_scrolling(browser: Any, stage: Stage) -> None:
    with stage.system() as ctx:
        first = ctx.session.scalars(select(PipelineStage).order_by(PipelineStage.id)).first()
        assert first is not None
        name, pipeline = first.code, first.pipeline_id
        contact = ctx.session.scalars(select(Contact).limit(1)).one()
        save(ctx, [Deal(name=f"Lane {n}", contact_id=contact.id, pipeline_id=pipeline, stage=name) for n in range(45)])
    board = browser.get(f"/sales/deals/board?board={pipeline}&q=lane").text
    lane = board.partition(f'data-lane="{name}"')[2].partition("</section>")[0]
    shown = re.findall(r'data-card="(\d+)"', lane)
    assert len(shown) == 20
    assert "25 more" in lane
    while found := re.search(r'hx-get="([^"]+)"', lane):
        lane = browser.get(found.group(1).replace("&amp;", "&"), headers={"HX-Request": "true"}).text
        assert "<section" not in lane
        shown += re.findall(r'data-card="(\d+)"', lane)
    assert len(shown) == len(set(shown)) == 45
    unknown = browser.get("/sales/deals/board?lane=nowhere", headers={"HX-Request": "true"})
    assert unknown.status_code == 404


def test_the_lanes_of_a_board_are_read_in_order_from_an_index(browser: Any, stage: Stage) -> None:
    sent: list[tuple[str, Any]] = []
    event.listen(stage.deployment.engine, "before_cursor_execute", lambda *given: sent.append((given[2], given[3])))
    with stage.system() as ctx:
        pipeline = ctx.session.scalars(select(PipelineStage.pipeline_id).limit(1)).one()
        declared = ctx.registry.record_type(Deal)
        for sort in ("-updated_at", "-closed_on"):
            where = and_also(Compare("pipeline_id", "eq", pipeline), Compare("stage", "eq", "new"))
            run(ctx, declared, Query(where=where, fields=("name",), size=20, sort=(sort,)), total=False)
        lanes = [pair for pair in sent if "FROM sales_deal" in pair[0]]
        plans = [str(ctx.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", v).all()) for s, v in lanes]
    assert ["ix_sales_deal_lane_updated" in plan or "ix_sales_deal_lane_closed" in plan for plan in plans] == [True] * 3
    assert "TEMP B-TREE" not in plans[0] + plans[1]
