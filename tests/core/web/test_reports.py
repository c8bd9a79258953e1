"""The reports page: what is chosen stands on the page and in the address, filters can be seen and taken away."""

from __future__ import annotations

import datetime as dt
import io
import re
from decimal import Decimal
from typing import Any
from zipfile import ZipFile

import pytest

from comptoir.base.models import Contact
from comptoir.testing.platform import PASSWORD, Stage
from comptoir.toolkit import save
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")


@pytest.fixture
def deals(stage: Stage) -> None:
    """Three closed deals of Leyla's, in two months, and one open one."""
    leyla = stage.user("Leyla", email="leyla@example.org", grants={"sales.deal.read": "own"})
    stage.user("Radu", email="radu@example.org", grants={"sales.deal.read": "all"})
    opened = dt.date(2026, 1, 1)
    with stage.system() as ctx:
        save(
            ctx,
            [
                *(
                    Deal(
                        name=f"{stage_} {days}", stage=stage_, amount=Decimal(100), opened_on=opened, owner_id=leyla.id,
                        closed_on=opened + dt.timedelta(days=days),
                    )
                    for stage_, days in (("won", 3), ("won", 40), ("lost", 5))
                ),
                Deal(name="=1+1", amount=Decimal(70)),
            ],
        )  # fmt: skip


@pytest.fixture
def reader(browser: Any, deals: None) -> Any:
    """Radu's browser: he reads every deal."""
    browser.sign_in("radu@example.org")
    return browser


def table(html: str) -> list[list[str]]:
    """The words of the report's table, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", html.partition('<table class="tbl')[2].partition("</table>")[0], re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def test_a_report_has_its_figures_with_names_for_months(reader: Any) -> None:
    shown = table(reader.get("/reports/sales.win_rate").text)
    assert shown[0] == ["Month closed", "Closed", "Won", "Lost", "Win rate", "Won value"]
    assert shown[1:3] == [
        ["Jan 2026", "2", "1", "1", "50%", "€100"],
        ["Feb 2026", "1", "1", "0", "100%", "€100"],
    ]


def test_a_ranking_names_its_bars(reader: Any) -> None:
    assert 'class="name" href="/sales/deals?filter' in reader.get("/reports/sales.ranking?chart=bars").text
    assert "Leyla" in reader.get("/reports/sales.ranking?chart=bars").text.partition('class="bars"')[2]


def test_a_filter_of_the_report_itself_is_shown_and_can_be_taken_away(reader: Any) -> None:
    page = reader.get("/reports/sales.win_rate?rows=person").text
    assert re.search(r'class="facet"><span>Outcome</span><b>Won, Lost</b>', page)
    away = re.search(r'href="([^"]*without=outcome[^"]*)"', page)
    assert away is not None
    assert 'class="facet"' not in reader.get(away[1].replace("&amp;", "&")).text


def test_a_filter_of_the_address_is_shown_and_narrows(reader: Any) -> None:
    page = reader.get("/reports/sales.win_rate?filter[outcome]=lost&rows=outcome").text
    assert table(page)[1][:2] == ["Lost", "1"]
    assert page.count('class="facet"') == 1


def test_a_period_narrows_and_is_compared_with_the_one_before(reader: Any) -> None:
    shown = table(reader.get(
        "/reports/sales.win_rate?rows=outcome&measures=closed&period=between&from=2026-02-01&to=2026-02-28&compare=1"
    ).text)  # fmt: skip
    assert shown == [["Outcome", "Closed", "Change"], ["Won", "1", "0%"], ["Total", "1", "-50%"]]


def test_a_count_leads_to_its_records(reader: Any) -> None:
    page = reader.get("/reports/sales.win_rate?rows=person&measures=won").text
    link = re.search(r'link--cell" href="([^"]+)">2<', page)
    assert link is not None
    listed = reader.get(link[1].replace("&amp;", "&")).text
    assert "won 3" in listed
    assert "lost 5" not in listed


def test_any_record_type_has_a_report_by_any_field(reader: Any) -> None:
    shown = table(reader.get("/reports/sales.deal?rows=stage&columns=none&measures=count").text)
    assert ["Lost", "1"] in shown
    assert shown[-1] == ["Total", "4"]


def test_a_wrong_address_says_what_is_wrong_and_shows_the_report(reader: Any) -> None:
    answer = reader.get("/reports/sales.win_rate?rows=nonsense")
    assert answer.status_code == 422
    assert "nonsense" in answer.text
    assert "Jan 2026" in answer.text


def test_a_report_is_exported_as_it_stands(reader: Any) -> None:
    answer = reader.get("/reports/sales.deal/export?rows=name&measures=amount:sum&top=0&format=csv")
    lines = answer.data.decode("utf-8-sig").splitlines()
    assert lines[0] == "Name,Value EUR"
    assert "'=1+1,70" in lines
    assert lines[-1] == "Total,370"
    book = ZipFile(io.BytesIO(reader.client.get("/reports/sales.win_rate/export?format=xlsx").data))
    assert "Jan 2026" in book.read("xl/sharedStrings.xml").decode()


def test_an_unknown_format_is_refused(reader: Any) -> None:
    assert reader.get("/reports/sales.win_rate/export?format=pdf").status_code == 422


def test_a_report_is_kept_shared_and_put_on_the_dashboard(reader: Any, client: Any) -> None:
    reader.get("/reports/sales.win_rate?rows=person")
    kept = reader.post(
        "/reports/sales.win_rate/save", {"name": "Who wins", "query": "rows=person", "shared": "1", "tile": "1"}
    )
    place = kept.headers["Location"]
    assert "rows=person" in reader.get(place).headers["Location"]
    assert "Who wins" in reader.get("/").text
    reader.post(f"{place}/tile", {"on": ""})
    reader.get("/account")  # says so once
    assert "Who wins" not in reader.get("/").text
    leyla = type(reader)(client.application.test_client())
    leyla.sign_in("leyla@example.org", PASSWORD)
    assert "Who wins" in leyla.get("/reports/sales.win_rate").text
    assert leyla.post(f"{place}/delete").status_code == 403


def test_what_is_not_shared_stays_with_its_owner(reader: Any, client: Any) -> None:
    reader.get("/reports/sales.win_rate")
    place = reader.post("/reports/sales.win_rate/save", {"name": "Mine", "query": ""}).headers["Location"]
    leyla = type(reader)(client.application.test_client())
    leyla.sign_in("leyla@example.org", PASSWORD)
    assert leyla.get(place).status_code == 404
    assert leyla.post(f"{place}/tile", {"on": "1"}).status_code == 404
    assert "Mine" not in leyla.get("/reports/sales.win_rate").text


def test_a_kept_report_counts_only_what_its_reader_may_see(reader: Any, client: Any) -> None:
    reader.get("/reports/sales.win_rate")
    place = reader.post(
        "/reports/sales.deal/save", {"name": "All", "query": "rows=outcome&measures=count", "shared": "1"}
    ).headers["Location"]  # fmt: skip
    assert table(reader.get(place, follow_redirects=True).text)[-1] == ["Total", "4"]
    leyla = type(reader)(client.application.test_client())
    leyla.sign_in("leyla@example.org", PASSWORD)
    assert table(leyla.get(place, follow_redirects=True).text)[-1] == ["Total", "3"]


def test_a_report_without_a_name_or_with_nonsense_is_not_kept(reader: Any) -> None:
    reader.get("/reports/sales.win_rate")
    assert reader.post("/reports/sales.win_rate/save", {"name": " ", "query": ""}).status_code == 422
    assert reader.post("/reports/sales.win_rate/save", {"name": "x", "query": "rows=nonsense"}).status_code == 422


def test_who_may_not_read_the_records_sees_no_name_of_a_report(browser: Any, stage: Stage) -> None:
    stage.user("Ion", email="ion@example.org", grants={"base.contact.read": "all"})
    browser.sign_in("ion@example.org")
    assert browser.get("/reports/sales.win_rate").status_code == 404
    assert browser.get("/reports/sales.deal").status_code == 404
    assert "Win rate" not in browser.get("/reports/base.contact").text


def test_who_may_not_read_the_records_meets_nothing_that_speaks_of_them(browser: Any, stage: Stage) -> None:
    stage.user("Ion", email="ion@example.org", grants={"base.contact.read": "all", "base.contact.write": "all"})
    with stage.system() as ctx:
        contact = Contact(name="Cafea SRL")
        save(ctx, [contact])
    browser.sign_in("ion@example.org")
    for path in ("/", "/base/contacts", f"/base/contacts/{contact.id}?whole=1", "/reports/base.contact"):
        page = browser.get(path, follow_redirects=True).text
        assert "/sales/" not in page, path
        assert "Deals" not in page, path
