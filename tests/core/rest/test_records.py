"""Create, read, change, delete: one record at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest


def test_a_created_record_is_answered_with_its_place_and_version(api: Any) -> None:
    answer = api.post("/shop/orders", {"number": "A-1", "amount": "1250.5", "lines": [{"product": "Tea"}]})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/v1/shop/orders/{answer.json['id']}"
    assert answer.headers["ETag"] == f'"{answer.json["id"]}-1"'
    assert answer.json["amount"] == "1250.50"
    assert answer.json["stage"] == "draft"
    assert answer.json["owner_id"] == api.user.id
    (line,) = answer.json["lines"]
    assert line == {"id": line["id"], "product": "Tea", "quantity": 1, "price": None, "cost": None}
    assert line["id"] > 0
    assert api.get(f"/shop/orders/{answer.json['id']}").json == answer.json


def test_moments_carry_their_offset_and_days_do_not(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", paid_at="2026-11-22T14:00:00+02:00", placed_on="2026-11-21")
    assert made["paid_at"] == "2026-11-22T12:00:00+00:00"
    assert made["placed_on"] == "2026-11-21"


def test_a_patch_changes_what_it_names_and_nothing_else(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", amount="10", channel="web")
    answer = api.patch(f"/shop/orders/{made['id']}", {"amount": "20.00"})
    assert answer.status_code == 200
    assert (answer.json["amount"], answer.json["channel"], answer.json["version"]) == ("20.00", "web", 2)
    assert answer.headers["ETag"] == f'"{made["id"]}-2"'


def test_lines_are_replaced_as_a_list(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", lines=[{"product": "Tea"}, {"product": "Cup"}, {"product": "Pot"}])
    lines = [{"product": "Cup", "quantity": 3}, {"product": "Tea", "price": "2.5"}]
    answer = api.patch(f"/shop/orders/{made['id']}", {"lines": lines})
    ids = [line["id"] for line in made["lines"][:2]]
    assert answer.json["lines"] == [
        {"id": ids[0], "product": "Cup", "quantity": 3, "price": None, "cost": None},
        {"id": ids[1], "product": "Tea", "quantity": 1, "price": "2.50", "cost": None},
    ]
    assert api.get(f"/shop/orders/{made['id']}").json["lines"] == answer.json["lines"]


def test_a_line_that_is_named_by_its_id_stays_itself(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", lines=[{"product": "Tea"}, {"product": "Cup"}])
    tea, cup = (line["id"] for line in made["lines"])
    path = f"/shop/orders/{made['id']}"
    changed = api.patch(path, {"lines": [{"product": "Pot"}, {"id": tea, "product": "Tea"}]}).json["lines"]
    assert (changed[1]["id"], changed[1]["product"]) == (tea, "Tea")
    assert changed[0]["id"] not in (tea, cup)
    assert api.get("/shop/orders?fields=lines").json["data"][0]["lines"] == changed


def test_a_line_of_another_record_or_one_named_twice_is_refused_at_its_place(api: Any) -> None:
    other = api.made("/shop/orders", number="A-1", lines=[{"product": "Tea"}])["lines"][0]["id"]
    made = api.made("/shop/orders", number="A-2", lines=[{"product": "Cup"}])
    own, path = made["lines"][0]["id"], f"/shop/orders/{made['id']}"
    answer = api.patch(path, {"lines": [{"id": own, "product": "A"}, {"id": other, "product": "B"}]})
    assert answer.json["errors"] == {"lines.1.id": [f"This record has no line {other}, or it is named twice."]}
    answer = api.patch(path, {"lines": [{"id": own, "product": "A"}, {"id": own, "product": "B"}]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["lines.1.id"])
    copied = api.post("/shop/orders", {"number": "A-3", "lines": [{"id": own, "product": "A"}]})
    assert (copied.status_code, list(copied.json["errors"])) == (422, ["lines.0.id"])
    operation = {"op": "update", "id": made["id"], "values": {"lines": [{"id": other, "product": "B"}]}}
    assert list(api.post("/shop/orders/bulk", {"operations": [operation]}).json["errors"]) == [
        "operations.0.values.lines.0.id"
    ]
    assert api.get(path).json == made


def test_what_was_read_of_lines_can_be_written_back(api: Any) -> None:
    made = api.made(
        "/base/contacts", name="Acme", phones=[{"number": "+31 20 123 4567"}], emails=[{"address": "a@b.nl"}]
    )
    answer = api.patch(f"/base/contacts/{made['id']}", {"phones": made["phones"], "emails": made["emails"]})
    assert answer.status_code == 200, answer.text
    assert answer.json["phones"] == made["phones"]


def test_numbers_that_come_through_the_api_are_read_with_the_country_beside_them(api: Any) -> None:
    phones = [{"number": "06 12345678"}]
    assert api.made("/base/contacts", name="A", country="NL", phones=phones)["phones"][0]["number"] == "+31612345678"
    assert api.made("/base/contacts", name="B", phones=phones)["phones"][0]["number"] == "06 12345678"


def test_fields_of_another_module_lie_under_its_name(api: Any) -> None:
    made = api.made("/base/contacts", name="Acme", shop={"credit_limit": "500"})
    assert made["shop"] == {"credit_limit": "500.00", "loyalty": "none"}
    changed = api.patch(f"/base/contacts/{made['id']}", {"shop": {"loyalty": "gold"}}).json
    assert changed["shop"] == {"credit_limit": "500.00", "loyalty": "gold"}
    assert changed["version"] == 2
    assert api.get(f"/base/contacts/{made['id']}").json["shop"] == changed["shop"]


def test_a_record_without_a_side_row_shows_the_defaults(api: Any) -> None:
    made = api.made("/base/contacts", name="Acme")
    assert made["shop"] == {"credit_limit": None, "loyalty": "none"}
    assert api.get(f"/base/contacts/{made['id']}").json["shop"] == made["shop"]


def test_include_puts_the_object_beside_the_id(api: Any) -> None:
    contact = api.made("/base/contacts", name="Acme")
    made = api.made("/shop/orders", number="A-1", contact_id=contact["id"])
    found = api.get(f"/shop/orders/{made['id']}?include=contact,owner").json
    assert found["contact_id"] == contact["id"]
    assert found["contact"] == {
        "id": contact["id"],
        "title": "Acme",
        "url": f"/api/v1/base/contacts/{contact['id']}",
    }
    assert found["owner"]["title"] == api.user.name
    assert api.get(f"/shop/orders/{made['id']}?include=amount").status_code == 422


def test_a_deleted_record_is_gone(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    assert api.delete(f"/shop/orders/{made['id']}").status_code == 204
    assert api.get(f"/shop/orders/{made['id']}").status_code == 404


def test_a_record_that_others_point_at_says_so(api: Any) -> None:
    company = api.made("/base/contacts", name="Acme")
    answer = api.delete(f"/base/contacts/{company['id']}")
    assert answer.status_code == 204


def test_a_known_version_is_not_sent_again(api: Any) -> None:
    made = api.post("/shop/orders", {"number": "A-1"})
    answer = api.get(f"/shop/orders/{made.json['id']}", headers={"If-None-Match": made.headers["ETag"]})
    assert (answer.status_code, answer.data) == (304, b"")


def test_a_stale_version_is_refused_by_header_and_by_body(api: Any) -> None:
    made = api.post("/shop/orders", {"number": "A-1"})
    path, tag = f"/shop/orders/{made.json['id']}", made.headers["ETag"]
    assert api.patch(path, {"amount": "1"}, headers={"If-Match": tag}).status_code == 200
    assert api.patch(path, {"amount": "2"}, headers={"If-Match": tag}).status_code == 412
    assert api.patch(path, {"amount": "2", "version": 1}).status_code == 412
    assert api.delete(path, headers={"If-Match": tag}).status_code == 412
    assert api.patch(path, {"amount": "2", "version": 2}).status_code == 200
    assert api.patch(path, {"amount": "3"}, headers={"If-Match": "*"}).json["amount"] == "3.00"


def test_archived_records_leave_the_list_and_come_back(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    gone = api.post(f"/shop/orders/{made['id']}/actions/archive")
    assert gone.status_code == 200, gone.text
    assert gone.json["archived_at"] is not None
    assert api.get("/shop/orders").json["meta"]["total"] == 0
    api.post(f"/shop/orders/{made['id']}/actions/restore", {})
    assert api.get("/shop/orders").json["meta"]["total"] == 1


def test_the_history_tells_who_changed_what(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", amount="10")
    api.patch(f"/shop/orders/{made['id']}", {"amount": "20"})
    found = api.get(f"/shop/orders/{made['id']}/history?page[size]=1").json
    assert found["data"][0]["action"] == "changed"
    assert found["data"][0]["user_id"] == api.user.id
    assert found["data"][0]["changes"]["amount"] == ["10", "20"]
    older = api.get(f"/shop/orders/{made['id']}/history?page[after]={found['meta']['page']['next']}").json
    assert [entry["action"] for entry in older["data"]] == ["created"]
    assert older["meta"]["page"]["next"] is None


def test_a_deployment_may_ask_for_the_version_of_every_change(
    api: Any, deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}"
    assert api.patch(path, {"amount": "1"}).status_code == 200  # by itself a version is welcome and not asked for
    monkeypatch.setattr(deployment, "settings", replace(deployment.settings, require_versions=True))
    step = {"op": "update", "id": made["id"], "values": {"amount": "2"}}
    for answer in (
        api.patch(path, {"amount": "2"}),
        api.patch(path, {"amount": "2", "version": None}),
        api.post(f"{path}/actions/send"),
        api.delete(path),
        api.post("/shop/orders/bulk", {"operations": [step]}),
    ):
        assert (answer.status_code, answer.json["type"]) == (428, "urn:comptoir:problem:core.version_required")
    assert api.get(path).json["version"] == 2
    assert api.patch(path, {"amount": "2", "version": 2}).status_code == 200
    assert api.post("/shop/orders/bulk", {"operations": [{**step, "version": 3}]}).status_code == 200
    assert api.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_the_timeline_goes_on_to_the_first_thing_that_happened(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1", amount="10")
    for amount in ("20", "30", "40"):
        api.patch(f"/shop/orders/{made['id']}", {"amount": amount})
    path, found, after = f"/shop/orders/{made['id']}/timeline?page[size]=3", [], ""
    while after is not None:
        answer = api.get(f"{path}&page[after]={after}" if after else path).json
        found += [(entry["change"]["action"], entry["type"]) for entry in answer["data"]]
        after = answer["meta"]["page"]["next"]
    assert found == [("changed", None)] * 3 + [("created", None)]
    refused = api.get(f"{path}&page[after]=soon")
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["page[after]"])
