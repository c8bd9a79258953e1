"""What a list can do beside showing rows: groups with totals, counts beside its filters, and going out as a file."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest

from comptoir.records.write import save
from comptoir.testing.platform import Stage

pytestmark = pytest.mark.modules("catalog", "sales")


@pytest.fixture
def deals(stage: Stage) -> None:
    from comptoir_sales.models import Deal

    with stage.system() as ctx:
        save(ctx, [
            Deal(name=f"Deal {number}", amount=Decimal(100), currency="EUR",
                 stage="prospecting" if number % 3 else "engaging")
            for number in range(6)
        ])  # fmt: skip


def headings(html: str) -> list[str]:
    found = re.findall(r'<tr class="grp">(.*?)</tr>', html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


def test_groups_stand_under_their_names_with_counts_and_sums(administrator: Any, deals: None) -> None:
    html = administrator.get("/sales/deals?group=stage").text
    assert headings(html) == ["Engaging 2 €200", "Prospecting 4 €400"]


def test_the_totals_of_a_group_are_those_of_the_group_and_not_of_the_page(administrator: Any, deals: None) -> None:
    assert headings(administrator.get("/sales/deals?group=stage&page[size]=1").text) == ["Engaging 2 €200"]


def test_rows_are_not_grouped_by_what_is_no_group(administrator: Any) -> None:
    answer = administrator.get("/sales/deals?group=notes")
    assert answer.status_code == 422
    assert "cannot be grouped" in answer.text


def test_a_box_counts_what_the_other_filters_leave(administrator: Any, deals: None) -> None:
    panel = administrator.get("/sales/deals/filters?filter[stage][in]=engaging&q=deal", headers={"HX-Request": "true"})
    counts = re.findall(r'value="(\w+)"( checked)?.*?<span class="n">(\d+)</span>', panel.text)
    assert ("engaging", " checked", "2") in counts
    assert ("prospecting", "", "4") in counts
    assert ("open", "", "2") in counts


def test_the_export_holds_what_the_filters_leave(administrator: Any, deals: None) -> None:
    answer = administrator.get("/sales/deals/export?filter[stage]=engaging")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=sales-deals-")
    found = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert {row["name"] for row in found} == {"Deal 0", "Deal 3"}
