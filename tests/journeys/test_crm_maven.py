"""An integrator's first hour: a dealer's four files become a deployment whose figures are the true ones."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Table, func, select

from comptoir.db.base import Base
from comptoir.deployment import Deployment
from comptoir.records.query import aggregate, parse, titles
from comptoir.settings import load_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
GUIDE = HERE.parent.parent / "docs" / "guide" / "import.md"
SCRIPT = HERE / "crm_maven.sh"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Ask = Callable[..., list[dict[str, Any]]]


def commands_in(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    lines = (" ".join(line.split()) for line in joined.splitlines())
    return [line for line in lines if line.startswith(("comptoir init", "comptoir modules", "comptoir import"))]


def test_the_guide_shows_the_commands_of_the_script() -> None:
    script = SCRIPT.read_text()
    for ours, theirs in (
        ('"$data/', "crm_maven/"),
        ('.csv"', ".csv"),
        ('"$target/', ""),
        ('"${ADMIN_EMAIL:-admin@example.com}"', "admin@example.com"),
        ('"${ADMIN_PASSWORD:-comptoir-demo}"', "comptoir-demo"),
    ):
        script = script.replace(ours, theirs)
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    assert commands_in(blocks) == commands_in(script)
    assert len(commands_in(blocks)) == 9


@pytest.fixture(scope="module")
def data(shared_data: Path) -> Path:
    return shared_data / "crm_maven"


@pytest.fixture(scope="module")
def truths(data: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((data / "truths.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def target(data: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a deployment that the script has filled."""
    folder = tmp_path_factory.mktemp("crm_maven")
    said = run(SCRIPT, data, folder)
    (folder / "said.txt").write_text(said.stdout)
    return folder


@pytest.fixture(scope="module")
def deployment(target: Path, journey_database: str | None) -> Iterator[Deployment]:
    environment = {"COMPTOIR_DEPLOYMENT__DATABASE_URL": journey_database} if journey_database else {}
    opened = Deployment(load_settings(target / "comptoir.toml", environment))
    yield opened
    opened.close()


@pytest.fixture
def ask(deployment: Deployment) -> Iterator[Ask]:
    """Figures of the deals by group, references by their names."""
    with deployment.system_context("figures", write=False) as ctx:
        declared = ctx.registry.record_type("sales.deal")

        def figures(group: str = "", *measures: str, **filters: str) -> list[dict[str, Any]]:
            query = parse(ctx, declared, [(f"filter[{name}]", value) for name, value in filters.items()])
            groups = [name for name in group.split(",") if name]
            rows = aggregate(ctx, declared, query, groups, measures or ("count",))
            tables = {"team": "core_team", "team.parent": "core_team", "owner": "core_user", "product": "catalog_product",
                      "contact": "base_contact"}  # fmt: skip
            for name in set(groups) & tables.keys():
                known = titles(ctx, {tables[name]: {row[name] for row in rows if row[name]}})[tables[name]]
                for row in rows:
                    row[name] = known.get(row[name])
            return rows

        yield figures


def won_by(ask: Ask, group: str) -> dict[str, Decimal]:
    return {row[group]: row["amount:sum"] for row in ask(group, "amount:sum", stage="won")}


def share(part: int, whole: int) -> Decimal:
    return (Decimal(100) * part / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)


def exact(truth: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(str(value)) for name, value in truth.items()}


def test_every_row_is_accounted_for(target: Path, truths: dict[str, Any]) -> None:
    balances = re.findall(
        r"(\d+) rows: (\d+) created, (\d+) updated, (\d+) unchanged, (\d+) failed", (target / "said.txt").read_text()
    )
    assert len(balances) == 7
    for balance in balances:
        rows, *counted = map(int, balance)
        assert sum(counted) == rows
    assert balances[-1] == ("8800", "8800", "0", "0", "0")
    assert balances[4][:2] == (str(truths["rows"]["accounts"]), str(truths["rows"]["accounts"]))


def test_the_dirt_is_reported_row_by_row_with_its_cure(target: Path, data: Path, truths: dict[str, Any]) -> None:
    with (target / "notices.csv").open(encoding="utf-8-sig", newline="") as file:
        notices = list(csv.DictReader(file))
    found = Counter(notice["comptoir column"] for notice in notices)
    dirt = truths["dirt"]
    assert found == {
        "product": dirt["opportunities_with_product_name_not_in_products (GTXPro)"],
        "account": dirt["opportunities_without_account"],
    }
    assert all(notice["comptoir message"] and notice["comptoir line"] for notice in notices)
    with (data / "sales_pipeline.csv").open(encoding="utf-8", newline="") as file:
        rows = dict(enumerate(csv.DictReader(file), 2))
    for notice in notices:
        row = rows[int(notice["comptoir line"])]
        assert row["product"] == "GTXPro" if notice["comptoir column"] == "product" else row["account"] == ""


def test_the_command_line_counts_what_the_truths_count(target: Path, run: Run, truths: dict[str, Any]) -> None:
    export = run("comptoir", "--config", target / "comptoir.toml", "export", "sales.deal", "--format", "json",
                 "--fields", "reference,stage,outcome,amount,contact,product,owner,cycle_days")  # fmt: skip
    deals = json.loads(export.stdout)
    assert Counter(deal["stage"].title() for deal in deals) == truths["stages"]
    won = [deal for deal in deals if deal["outcome"] == "won"]
    assert sum(Decimal(deal["amount"]) for deal in won) == truths["total_won_value"]
    assert sum(deal["contact"] is None for deal in deals) == truths["dirt"]["opportunities_without_account"]


def test_the_won_value_and_the_win_rate_are_true(ask: Ask, truths: dict[str, Any]) -> None:
    by_outcome = {row["outcome"]: row for row in ask("outcome", "count", "amount:sum", "cycle_days:avg")}
    won, lost = by_outcome["won"], by_outcome["lost"]
    assert (won["count"], won["amount:sum"]) == (4238, 10_005_534)
    assert share(won["count"], won["count"] + lost["count"]) == Decimal(str(truths["win_rate_pct_of_closed"]))
    days = truths["cycle_days"]
    assert round(won["cycle_days:avg"], 2) == Decimal(str(days["avg_won"]))
    assert round(lost["cycle_days:avg"], 2) == Decimal(str(days["avg_lost"]))


@pytest.mark.parametrize(
    ("group", "truth"),
    [
        ("team", "won_value_by_manager"),
        ("team.parent", "won_value_by_region"),
        ("product", "won_value_by_product_after_fixing_GTXPro"),
        ("contact.sector", "won_value_by_sector"),
    ],
)
def test_won_value_by_group_is_true(ask: Ask, truths: dict[str, Any], group: str, truth: str) -> None:
    assert won_by(ask, group) == exact(truths[truth])


@pytest.mark.parametrize(("group", "truth"), [("owner", "won_value_by_agent_top5"), ("contact", "top5_accounts_won")])
def test_the_five_first_are_true(ask: Ask, truths: dict[str, Any], group: str, truth: str) -> None:
    ranking = sorted(won_by(ask, group).items(), key=lambda pair: -pair[1])
    assert dict(ranking[:5]) == exact(truths[truth])


def test_win_rates_of_managers_and_products_are_true(ask: Ask, truths: dict[str, Any]) -> None:
    for group, truth in (("team", "win_rate_by_manager"), ("product", "win_rate_by_product_after_fixing_GTXPro")):
        counts = {(row[group], row["outcome"]): row["count"] for row in ask(f"{group},outcome")}
        for name, expected in truths[truth].items():
            won, lost = counts[name, "won"], counts[name, "lost"]
            assert (won, lost) == (expected["won"], expected["lost"])
            assert share(won, won + lost) == Decimal(str(expected["win_rate_pct_of_closed"]))


def test_won_value_by_quarter_and_the_open_pipeline_are_true(ask: Ask, truths: dict[str, Any]) -> None:
    quarters = {row["closed_on:quarter"].replace("-", ""): row["amount:sum"]
                for row in ask("closed_on:quarter", "amount:sum", stage="won")}  # fmt: skip
    assert quarters == exact(truths["won_value_by_close_quarter"])
    pipeline = {row["stage"].title(): row["amount:sum"] for row in ask("stage", "amount:sum", outcome="open")}
    assert pipeline == exact(truths["open_pipeline_list_price"])


@pytest.fixture(scope="module")
def site(deployment: Deployment) -> FlaskClient:
    """The browser of the administrator that the script made."""
    from comptoir.web.app import create_app

    client = create_app(deployment, deployment.registry).test_client()
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/login").text)
    assert token is not None
    fields = {"csrf_token": token[1], "email": "admin@example.com", "password": "comptoir-demo"}
    assert client.post("/login", data=fields).status_code == 303
    return client


def words_of(site: FlaskClient, path: str) -> str:
    """What a person reads on a page."""
    answer = site.get(path)
    assert answer.status_code == 200, path
    visible = re.sub(r"<(script|style|svg).*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", visible).split())


def test_the_dashboard_shows_the_true_figures(site: FlaskClient, truths: dict[str, Any]) -> None:
    shown = words_of(site, "/")
    for figure in (
        "€10,005,534 4,238 deals",
        f"{truths['win_rate_pct_of_closed']}%",
        f"{truths['cycle_days']['avg_won']}",
    ):
        assert figure in shown
    for name, value in truths["won_value_by_agent_top5"].items():
        assert re.search(rf"{name} [\d,]+ [\d.]+% €{value:,}", shown)


@pytest.mark.parametrize(
    ("by", "truth"),
    [
        ("team", "won_value_by_manager"),
        ("region", "won_value_by_region"),
        ("product", "won_value_by_product_after_fixing_GTXPro"),
        ("person", "won_value_by_agent_top5"),
    ],
)
def test_the_ranking_shows_the_true_values(site: FlaskClient, truths: dict[str, Any], by: str, truth: str) -> None:
    shown = words_of(site, f"/reports/sales.ranking?rows={by}")
    for name, value in truths[truth].items():
        assert re.search(rf"{name} [\d,]+ [\d,]+ [\d.]+% €{value:,}", shown), name


def test_the_reports_show_the_true_rates_and_days(site: FlaskClient, truths: dict[str, Any]) -> None:
    rates = words_of(site, "/reports/sales.win_rate")
    assert f"Total 6,711 4,238 2,473 {truths['win_rate_pct_of_closed']}% €10,005,534" in rates
    days = truths["cycle_days"]
    assert f"Won 4,238 {days['avg_won']} d {days['median_won']:.0f} d" in words_of(site, "/reports/sales.cycle")
    stages = words_of(site, "/reports/sales.pipeline")
    for value in truths["open_pipeline_list_price"].values():
        assert f"€{value:,}" in stages


def test_the_api_gives_the_true_figures(site: FlaskClient, truths: dict[str, Any]) -> None:
    def figures(query: str) -> list[dict[str, Any]]:
        answer = site.get(f"/api/v1/sales/deals/aggregate?{query}")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.get_json()["data"]
        return rows

    stages = {row["stage"].title(): row["count"] for row in figures("group=stage&measures=count")}
    assert stages == truths["stages"]
    [won] = figures("filter[stage]=won&measures=count,amount:sum,cycle_days:avg")
    assert (won["count"], Decimal(won["amount:sum"])) == (4238, truths["total_won_value"])
    assert round(Decimal(won["cycle_days:avg"]), 2) == Decimal(str(truths["cycle_days"]["avg_won"]))
    teams = {row["id"]: row["name"] for row in site.get("/api/v1/base/teams?page[size]=100").get_json()["data"]}
    for group, truth in (("team", "won_value_by_manager"), ("team.parent", "won_value_by_region")):
        rows = figures(f"group={group}&measures=amount:sum&filter[stage]=won")
        assert {teams[row[group]]: Decimal(row["amount:sum"]) for row in rows} == exact(truths[truth])


def content_of(deployment: Deployment) -> dict[str, Any]:
    """Versions and sizes that any change would alter."""
    with deployment.system_context("compare", write=False) as ctx:
        session = ctx.bookkeeping("test")
        found: dict[str, Any] = {}
        for name in ("core_team", "core_user", "base_contact", "catalog_product", "sales_deal"):
            table = Base.metadata.tables[name]
            found[name] = session.execute(
                select(func.count(), func.sum(table.c.version), func.max(table.c.updated_at))
            ).one()
        history: Table = Base.metadata.tables["core_history"]
        found["history"] = session.scalar(select(func.count()).select_from(history))
        return found


def test_importing_again_changes_nothing(
    target: Path, data: Path, run: Run, deployment: Deployment, truths: dict[str, Any]
) -> None:
    before = content_of(deployment)
    again = run(SCRIPT, data, target)
    balances = re.findall(r"(\d+) rows: 0 created, 0 updated, (\d+) unchanged, 0 failed", again.stdout)
    assert len(balances) == 7
    assert all(rows == unchanged for rows, unchanged in balances)
    assert content_of(deployment) == before
    assert before["sales_deal"][0] == truths["rows"]["sales_pipeline"]
