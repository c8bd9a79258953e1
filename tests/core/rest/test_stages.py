"""Transitions and actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comptoir.testing.platform import Stage


def test_the_possible_moves_say_what_they_ask_for(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    moves = api.get(f"/shop/orders/{made['id']}/transitions").json["data"]
    assert [move["name"] for move in moves] == ["send", "lose"]
    assert moves[1]["asks"] == [{"name": "reason", "label": "Reason", "kind": "text"}]


def test_a_move_changes_the_stage(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = api.post(f"/shop/orders/{made['id']}/actions/send")
    assert (answer.status_code, answer.json["stage"], answer.json["version"]) == (200, "sent", 2)


def test_a_move_asks_for_its_fields_and_takes_no_others(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}/actions/lose"
    assert api.post(path).json["errors"] == {"reason": ["Fill in Reason."]}
    assert api.post(path, {"reason": "Price", "amount": "1"}).json["errors"] == {"amount": ["There is no such field."]}
    assert api.post(path, {"reason": "Price"}).json["reason"] == "Price"


def test_a_move_from_elsewhere_says_what_is_possible(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    api.post(f"/shop/orders/{made['id']}/actions/send")
    answer = api.post(f"/shop/orders/{made['id']}/actions/send")
    assert answer.status_code == 422
    assert "From here: lose" in answer.json["detail"]


def test_an_action_that_does_not_exist_is_not_found(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = api.post(f"/shop/orders/{made['id']}/actions/fly")
    assert answer.status_code == 404
    assert "archive, restore, duplicate, explode, split, refuse, send" in answer.json["detail"]


def test_a_move_with_a_right_of_its_own_is_offered_and_done_only_with_it(api: Any, api_for: Callable[..., Any]) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}"
    api.post(f"{path}/actions/lose", {"reason": "Price"})
    other = api_for({"shop.order.read": "all", "shop.order.write": "all"})
    assert other.get(f"{path}/transitions").json["data"] == []
    assert other.post(f"{path}/actions/reopen").status_code == 403
    assert api.post(f"{path}/actions/reopen").json["stage"] == "draft"


def test_a_stage_cannot_be_jumped_to(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = api.patch(f"/shop/orders/{made['id']}", {"stage": "nowhere"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["stage"])


def test_a_new_record_starts_at_a_stage_that_exists(api: Any) -> None:
    answer = api.post("/shop/orders", {"number": "A-1", "stage": "nowhere"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["stage"])


def test_the_action_of_a_plugin_answers_with_what_it_made(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = api.post(f"/shop/orders/{made['id']}/actions/duplicate", {})
    assert answer.status_code == 200, answer.text
    assert answer.json["number"] == "A-1-copy"
    assert answer.headers["Content-Location"] == f"/api/v1/shop/orders/{answer.json['id']}"


def test_the_refusal_of_an_action_reads_like_any_other(api: Any) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}/actions"
    assert api.post(f"{path}/refuse").json["errors"] == {"number": ["The shop is closed."]}
    api.post(f"{path}/send")
    assert api.post(f"{path}/refuse").status_code == 422


def test_an_error_that_nobody_foresaw_has_a_number_and_no_traceback(api: Any, caplog: Any, stage: Stage) -> None:
    made = api.made("/shop/orders", number="A-1")
    answer = api.post(f"/shop/orders/{made['id']}/actions/explode")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "4111" not in answer.text
    assert answer.json["number"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
