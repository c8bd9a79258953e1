"""What sales puts on pages: every tile, panel and report is drawn."""

from __future__ import annotations

import re
from typing import Any

import pytest

from comptoir.deployment import Deployment
from comptoir.modules.demo import load_demo
from comptoir.testing.platform import PASSWORD, Stage

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
