"""Lists and aggregates over HTTP: the shape of the answer, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def orders(api: Any) -> list[dict[str, Any]]:
    """Nine orders: A-0 to A-8, amounts 0 to 80, every third from the shop."""
    operations = [
        {
            "op": "create",
            "values": {
                "number": f"A-{i}",
                "amount": str(i * 10),
                "channel": "shop" if i % 3 == 0 else "web",
                "placed_on": f"2026-{1 + i // 3:02}-15",
            },
        }
        for i in range(9)
    ]
    answer = api.post("/shop/orders/bulk", {"operations": operations})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


@pytest.mark.usefixtures("orders")
def test_a_list_has_its_rows_and_says_how_many_there_are(api: Any) -> None:
    found = api.get("/shop/orders?filter[channel]=web&sort=-amount&fields=number,amount&page[size]=2").json
    assert [row["number"] for row in found["data"]] == ["A-8", "A-7"]
    assert found["data"][0]["amount"] == "80.00"
    assert set(found["data"][0]) <= {"id", "version", "number", "amount"}
    assert found["meta"]["total"] == 6
    assert (found["meta"]["page"]["size"], found["meta"]["page"]["number"]) == (2, 1)
    again = api.get(
        "/shop/orders",
        query_string={
            "filter[channel]": "web",
            "sort": "-amount",
            "page[size]": "2",
            "page[after]": found["meta"]["page"]["next"],
        },
    ).json
    assert [row["number"] for row in again["data"]] == ["A-5", "A-4"]


@pytest.mark.usefixtures("orders")
def test_a_list_without_fields_holds_every_field_but_lines(api: Any) -> None:
    row = api.get("/shop/orders?page[size]=1").json["data"][0]
    assert {"id", "version", "number", "amount", "stage", "created_at", "owner_id", "is_gift"} <= set(row)
    assert "lines" not in row


@pytest.mark.usefixtures("orders")
def test_a_list_names_its_references_on_request(api: Any) -> None:
    rows = api.get("/shop/orders?include=owner,contact&fields=number,owner,contact&page[size]=3").json["data"]
    assert {row["owner"]["title"] for row in rows} == {api.user.name}
    assert {row["contact"] for row in rows} == {None}


def test_fields_of_extensions_and_of_references_are_nested(api: Any) -> None:
    contact = api.made("/base/contacts", name="Acme", city="Cluj", shop={"credit_limit": "7"})
    api.made("/shop/orders", number="A-1", contact_id=contact["id"])
    found = api.get("/base/contacts?fields=name,shop.credit_limit&filter[shop.credit_limit][gte]=5").json["data"]
    assert [(row["name"], row["shop"]) for row in found] == [("Acme", {"credit_limit": "7.00"})]
    row = api.get("/shop/orders?fields=number,contact_id,contact.city&include=contact").json["data"][0]
    assert (row["contact"]["city"], row["contact"]["title"]) == ("Cluj", "Acme")
    row = api.get("/shop/orders?fields=number,contact.city").json["data"][0]
    assert row["contact"] == {"city": "Cluj"}


def test_any_spelling_of_a_telephone_number_finds_its_contact(api: Any) -> None:
    api.made("/base/contacts", name="Acme", phones=[{"number": "+40 721 123 456"}])
    for spelling in ("+40721123456", "+40 (721) 123-456", "0040721123456", "0721 123 456"):
        found = api.get("/base/contacts", query_string={"filter[phones.number]": spelling}).json
        assert [row["name"] for row in found["data"]] == ["Acme"], spelling


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("filter[colour]=red", "filter[colour]"),
        ("filter[amount][like]=1", "filter[amount][like]"),
        ("filter[amount]=much", "filter[amount]"),
        ("filter[id]=99999999999999999999", "filter[id]"),
        ("filter[stage]=nowhere", "filter[stage]"),
        ("filter[number]=%00", "filter[number]"),
        ("sort=colour", "sort"),
        ("fields=colour", "fields"),
        ("include=colour", "include"),
        ("page[size]=0", "page[size]"),
        ("page[size]=501", "page[size]"),
        ("page[after]=nonsense", "page[after]"),
        ("archived=perhaps", "archived"),
    ],
)
def test_what_a_list_does_not_understand_is_refused_at_its_parameter(api: Any, query: str, field: str) -> None:
    answer = api.get(f"/shop/orders?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


@pytest.mark.usefixtures("orders")
def test_groups_have_their_counts_and_sums(api: Any) -> None:
    found = api.get("/shop/orders/aggregate?group=channel&measures=count,amount:sum&filter[amount][gt]=0").json["data"]
    assert found == [
        {"channel": "shop", "count": 2, "amount:sum": "90.00"},
        {"channel": "web", "count": 6, "amount:sum": "270.00"},
    ]
    months = api.get("/shop/orders/aggregate?group=placed_on:month&measures=count").json["data"]
    assert [row["count"] for row in months] == [3, 3, 3]
    assert api.get("/shop/orders/aggregate").json["data"] == [{"count": 9}]
    assert api.get("/shop/orders/aggregate?group=colour").status_code == 422
    assert api.get("/shop/orders/aggregate?measures=number:sum").status_code == 422
    assert api.get("/shop/orders/aggregate?sort=amount").status_code == 422


@pytest.mark.parametrize("rows", [1, 80])
def test_a_list_asks_the_database_as_often_for_eighty_rows_as_for_one(
    api: Any, statements: Callable[[], Any], rows: int
) -> None:
    contact = api.made("/base/contacts", name="Acme", shop={"loyalty": "gold"})
    values = [{"number": f"A-{i}", "contact_id": contact["id"], "lines": [{"product": "Tea"}]} for i in range(rows)]
    api.post("/shop/orders/bulk", {"operations": [{"op": "create", "values": v} for v in values]})
    api.get("/shop/orders?include=contact,owner")
    with statements() as seen:
        answer = api.get("/shop/orders?include=contact,owner")
    assert len(answer.json["data"]) == rows
    # who calls, the rows, how many there are, the titles of contacts and of users
    assert len([s for s in seen if not s.startswith(("BEGIN", "SAVEPOINT"))]) <= 5, seen


def test_a_read_costs_one_question_about_the_caller(api: Any, statements: Callable[[], Any]) -> None:
    api.get("/shop/orders?fields=number")
    with statements() as seen:
        api.get("/shop/orders?fields=number")
    assert (
        len([s for s in seen if "core_token" in s or "core_user" in s or "core_access" in s or "core_role" in s]) == 1
    )


@pytest.mark.usefixtures("orders")
def test_a_pivot_has_rows_columns_measures_and_totals(api: Any) -> None:
    found = api.get(
        "/shop/orders/pivot?rows=channel&columns=placed_on:month&measures=count,amount:sum,amount:median"
    ).json
    pivot = found["data"]
    assert [heading["key"] for heading in pivot["columns"]] == ["2026-01", "2026-02", "2026-03"]
    assert [(row["key"], row["figures"]["count"]) for row in pivot["rows"]] == [("web", 6), ("shop", 3)]
    assert [cell["count"] for cell in pivot["rows"][1]["cells"]] == [1, 1, 1]
    assert pivot["rows"][1]["filter"] == {"filter[channel]": "shop"}
    assert pivot["totals"]["count"] == 9


@pytest.mark.usefixtures("orders")
def test_a_pivot_obeys_filters_and_a_period(api: Any) -> None:
    found = api.get("/shop/orders/pivot?filter[channel]=web&date=placed_on&from=2026-01-01&to=2026-01-31").json
    assert found["data"]["totals"] == {"count": 2}


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rows=nonsense", "rows"), ("columns=lines", "columns"), ("rows=placed_on:hour", "rows"),
        ("measures=amount:guess", "measures"), ("measures=number:sum", "measures"), ("top=-1", "top"),
        ("measures=amount:weighted", "measures"), ("sort=nonsense", "sort"), ("period=soon", "period"),
        ("from=yesterday", "from"), ("from=2026-02-01&to=2026-01-01", "to"), ("compare=1", "period"), ("compare=0", "compare"),
        ("date=channel&period=this_month", "date"), ("chart=cake", "chart"), ("colour=red", "colour"),
        ("filter[nonsense]=1", "filter[nonsense]"),
    ],
)  # fmt: skip
def test_a_pivot_refuses_what_it_does_not_know_at_its_name(api: Any, query: str, field: str) -> None:
    answer = api.get(f"/shop/orders/pivot?{query}")
    assert answer.status_code == 422, answer.text
    assert field in answer.json["errors"]


def test_who_may_not_read_gets_no_pivot(api_for: Callable[..., Any]) -> None:
    assert api_for({}).get("/shop/orders/pivot").status_code == 403
