"""Many operations in one transaction, and requests that are sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from comptoir.testing.platform import Clock


def create(number: str, **values: Any) -> dict[str, Any]:
    return {"op": "create", "values": {"number": number, **values}}


def bulk(api: Any, *operations: Any, **options: Any) -> Any:
    return api.post("/shop/orders/bulk", {"operations": list(operations)}, **options)


def total(api: Any) -> int:
    count: int = api.get("/shop/orders?archived=with").json["meta"]["total"]
    return count


def test_operations_of_all_kinds_happen_together(api: Any) -> None:
    made = [api.made("/shop/orders", number=f"A-{i}") for i in range(3)]
    answer = bulk(
        api,
        create("B-1", lines=[{"product": "Tea"}]),
        {"op": "update", "id": made[0]["id"], "version": 1, "values": {"amount": "7"}},
        {"op": "delete", "id": made[1]["id"]},
        {"op": "archive", "id": made[2]["id"]},
    )
    assert answer.status_code == 200, answer.text
    assert [row["op"] for row in answer.json["data"]] == ["create", "update", "delete", "archive"]
    assert answer.json["data"][1] == {"op": "update", "id": made[0]["id"], "version": 2}
    assert answer.json["meta"]["counts"] == {"create": 1, "update": 1, "delete": 1, "archive": 1, "restore": 0}
    assert api.get(f"/shop/orders/{made[0]['id']}").json["amount"] == "7.00"
    assert total(api) == 3


def test_one_wrong_operation_undoes_all_and_is_named_by_its_place(api: Any) -> None:
    answer = bulk(api, create("A-1"), create("A-2", amount="much"), create("A-3"), {"op": "fly"}, "x")
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {"operations.1.values.amount", "operations.3", "operations.4"}
    assert total(api) == 0


def test_a_rule_of_the_records_is_blamed_on_the_operation_that_breaks_it(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = bulk(
        api,
        create("B-1"),
        create("A-1"),
        {"op": "update", "id": made["id"], "values": {"stage": "nowhere"}},
        create("B-2", contact_id=99_999),
    )
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {
        "operations.1.values.number",
        "operations.2.values.stage",
        "operations.3.values.contact_id",
    }
    assert total(api) == 1
    assert api.get(f"/shop/orders/{made['id']}").json["version"] == 1


def test_two_operations_that_clash_with_each_other_are_refused(api: Any) -> None:
    answer = bulk(api, create("A-1"), create("A-1"))
    assert answer.status_code == 422
    assert any("number" in field for field in answer.json["errors"])
    assert total(api) == 0


def test_unknown_records_and_stale_versions_stop_the_batch(api: Any, api_for: Callable[..., Any]) -> None:
    made = api.made("/shop/orders", number="A-1")
    assert set(bulk(api, create("B-1"), {"op": "delete", "id": 99_999}).json["errors"]) == {"operations.1.id"}
    stale = {"op": "update", "id": made["id"], "version": 9, "values": {}}
    assert bulk(api, create("B-1"), stale).status_code == 412
    twice = {"op": "delete", "id": made["id"]}
    assert set(bulk(api, twice, twice).json["errors"]) == {"operations.1.id"}
    other = api_for({"shop.order.read": "all", "shop.order.create": "own"})
    assert bulk(other, create("B-1"), {"op": "delete", "id": made["id"]}).status_code == 403
    assert total(api) == 1


@pytest.mark.parametrize("body", [{}, {"operations": []}, {"operations": "all"}, {"operations": [], "x": 1}, [], None])
def test_a_batch_that_is_none_is_refused(api: Any, body: Any) -> None:
    assert api.post("/shop/orders/bulk", body).status_code in (400, 422)


def test_a_batch_takes_a_thousand_operations_and_no_more(api: Any) -> None:
    assert bulk(api, *(create(f"A-{i}") for i in range(1_001))).status_code == 422
    assert bulk(api, *(create(f"A-{i}") for i in range(1_000))).status_code == 200
    assert total(api) == 1_000


def test_a_request_with_a_key_does_its_work_once(api: Any, clock: Clock) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = api.post("/shop/orders", {"number": "A-1"}, headers=headers)
    second = api.post("/shop/orders", {"number": "A-1"}, headers=headers)
    assert (second.status_code, second.data) == (first.status_code, first.data) == (201, first.data)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert total(api) == 1


def test_a_key_stands_for_one_request_only(api: Any) -> None:
    headers = {"Idempotency-Key": "k-1"}
    api.post("/shop/orders", {"number": "A-1"}, headers=headers)
    assert api.post("/shop/orders", {"number": "A-2"}, headers=headers).status_code == 422
    assert bulk(api, create("A-1"), headers=headers).status_code == 422
    assert total(api) == 1


def test_a_key_belongs_to_its_user(api: Any, api_for: Callable[..., Any]) -> None:
    headers = {"Idempotency-Key": "k-1"}
    api.post("/shop/orders", {"number": "A-1"}, headers=headers)
    other = api_for({"shop.order.create": "own", "shop.order.read": "own", "shop.order.write": "own"})
    assert other.post("/shop/orders", {"number": "B-1"}, headers=headers).json["number"] == "B-1"


def test_a_refused_request_may_be_mended_under_the_same_key(api: Any) -> None:
    headers = {"Idempotency-Key": "k-1"}
    assert api.post("/shop/orders", {"number": ""}, headers=headers).status_code == 422
    assert api.post("/shop/orders", {"number": "A-1"}, headers=headers).status_code == 201


def test_actions_and_batches_have_keys_too(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    headers = {"Idempotency-Key": "k-1"}
    path = f"/shop/orders/{made['id']}/actions/send"
    assert api.post(path, headers=headers).json == api.post(path, headers=headers).json
    batch = {"Idempotency-Key": "k-2"}
    assert bulk(api, create("B-1"), headers=batch).json == bulk(api, create("B-1"), headers=batch).json


def test_old_keys_are_forgotten(api: Any, clock: Clock) -> None:
    api.post("/shop/orders", {"number": "A-1"}, headers={"Idempotency-Key": "k-1"})
    clock.advance(days=3)
    api.post("/shop/orders", {"number": "A-2"}, headers={"Idempotency-Key": "k-2"})
    assert api.post("/shop/orders", {"number": "A-3"}, headers={"Idempotency-Key": "k-1"}).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_is_short_and_plain(api: Any, key: str) -> None:
    answer = api.post("/shop/orders", {"number": "A-1"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
