"""Whatever is sent, the answer is a problem that says what to do; never a 500, never a change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

HUGE = 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"amount": "much"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": "1e5"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": float("nan")}, "amount"),
        ({"amount": float("inf")}, "amount"),
        ({"amount": 10**40}, "amount"),
        ({"amount": "0.00001"}, "amount"),
        ({"amount": 1e300}, "amount"),
        ({"discount": "101"}, "discount"),
        ({"contact_id": "7"}, "contact_id"),
        ({"contact_id": 7.5}, "contact_id"),
        ({"contact_id": -1}, "contact_id"),
        ({"contact_id": 10**30}, "contact_id"),
        ({"number": 7}, "number"),
        ({"number": ["A"]}, "number"),
        ({"number": "A\x00B"}, "number"),
        ({"number": "\ud800"}, "number"),
        ({"number": "x" * 300}, "number"),
        ({"number": "x" * HUGE}, "number"),
        ({"number": None}, "number"),
        ({"channel": "carrier pigeon"}, "channel"),
        ({"is_gift": "yes"}, "is_gift"),
        ({"is_gift": None}, "is_gift"),
        ({"placed_on": "22.11.2026"}, "placed_on"),
        ({"placed_on": "2026-02-30"}, "placed_on"),
        ({"placed_on": "0001-01-01"}, "placed_on"),
        ({"paid_at": "2026-11-22T14:00:00"}, "paid_at"),
        ({"paid_at": "0001-01-01T00:00:00+10:00"}, "paid_at"),
        ({"paid_at": 1700000000}, "paid_at"),
        ({"lines": "Tea"}, "lines"),
        ({"lines": ["Tea"]}, "lines.0"),
        ({"lines": [{"product": "Tea"}, {"product": "Cup", "quantity": "many"}]}, "lines.1.quantity"),
        ({"lines": [{"product": "Tea", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"quantity": 1}]}, "lines.0.product"),
        ({"lines": [{"product": "Tea", "colour": "red"}]}, "lines.0.colour"),
        ({"lines": [{}] * 1001}, "lines"),
        ({"colour": "red"}, "colour"),
        ({"custom": {"a": 1}}, "custom"),
        ({"search_key": "x"}, "search_key"),
        ({"password_hash": "x"}, "password_hash"),
        ({"\ud800": 1}, "\ud800"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "backslashreplace").decode(),
)
def test_a_wrong_value_is_refused_at_its_field(api: Any, values: dict[str, Any], field: str) -> None:
    answer = api.call(
        "POST", "/shop/orders", data=json.dumps({"number": "A-1", **values}), content_type="application/json"
    )
    assert answer.status_code == 422, answer.text[:300]
    assert list(answer.json["errors"]) == [field]
    assert answer.content_type == "application/problem+json"
    assert len(answer.data) < 2_000
    assert api.get("/shop/orders").json["meta"]["total"] == 0


def test_a_number_of_thousands_of_digits_is_refused_at_its_field(api: Any) -> None:
    body = b'{"number": "A-1", "owner_id": ' + b"9" * 50_000 + b"}"
    answer = api.call("POST", "/shop/orders", data=body, content_type="application/json")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["owner_id"])


def test_all_that_is_wrong_is_said_at_once(api: Any) -> None:
    answer = api.post("/shop/orders", {"amount": "much", "channel": "x", "lines": [{"product": 7}], "colour": 1})
    assert set(answer.json["errors"]) == {"amount", "channel", "lines.0.product", "colour"}


def test_a_missing_field_is_asked_for(api: Any) -> None:
    assert api.post("/shop/orders", {}).json["errors"] == {"number": ["Fill in Number."]}


def test_a_value_that_must_be_unique_is_refused_where_it_is_taken(api: Any) -> None:
    api.made("/shop/orders", number="A-1")
    answer = api.post("/shop/orders", {"number": "A-1"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["number"])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"number": "A-1",\n  oops}', 400, "line 2, column 3"),
        (b"", 400, "empty"),
        (b"[1]", 422, "object"),
        (b'"text"', 422, "object"),
        (b"null", 422, "object"),
        (b'{"number": "\xff"}', 400, "UTF-8"),
        (b'{"number": "A", "number": "B"}', 400, "twice"),
        (b"[" * 200_000, 400, "nested"),
    ],
    ids=["comma", "empty", "list", "text", "null", "latin", "twice", "deep"],
)
def test_a_body_that_is_no_object_is_refused(api: Any, body: bytes, status: int, said: str) -> None:
    answer = api.call("POST", "/shop/orders", data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert said in answer.json["detail"]


def test_a_body_that_is_too_long_or_no_json_is_refused(api: Any) -> None:
    long = api.call("POST", "/shop/orders", data=b" " * (17 * 1024 * 1024), content_type="application/json")
    assert (long.status_code, long.content_type) == (413, "application/problem+json")
    form = api.call("POST", "/shop/orders", data={"number": "A-1"})
    assert form.status_code == 415


@pytest.mark.parametrize(
    "path", ["/shop/orders/999999", f"/shop/orders/{10**30}", "/shop/orders/x", "/shop/carts", "/x", "/"]
)
def test_what_is_not_there_is_a_problem_too(api: Any, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_method_that_is_not_here_says_which_are(api: Any) -> None:
    answer = api.call("PUT", "/shop/orders/1")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}
    assert answer.content_type == "application/problem+json"
    assert set(api.call("OPTIONS", "/shop/orders").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("name", ["aggregate", "bulk"])
def test_what_concerns_the_whole_collection_is_no_record(api: Any, name: str) -> None:
    allowed = {"aggregate": {"GET", "HEAD", "OPTIONS"}, "bulk": {"OPTIONS", "POST"}}[name]
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = api.call(method, f"/shop/orders/{name}")
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, allowed), method


def test_a_body_of_countless_keys_costs_little_for_each(api: Any) -> None:
    keys = {f"k{number}": 1 for number in range(100_000)}
    order = {"number": "A-1"}
    lines = [{"product": "Tea", **{f"k{number}": 1 for number in range(500)}} for _line in range(200)]
    for path, body, status in (
        ("/shop/orders", keys, 400),
        ("/shop/orders", {**order, "lines": lines}, 422),
        ("/shop/orders/bulk", {"operations": [{"op": "create", "values": dict(list(keys.items())[:900])}] * 100}, 422),
        ("/shop/orders/bulk", {"operations": [{"op": "create", "values": {**order, "lines": lines}}]}, 422),
    ):
        events = count()
        sys.setprofile(lambda *_event, events=events: next(events))
        try:
            answer = api.post(path, body)
        finally:
            sys.setprofile(None)
        assert answer.status_code == status
        assert next(events) < 10 * len(keys), "calls and returns"


def test_a_few_unknown_names_are_refused_one_by_one(api: Any) -> None:
    answer = api.post("/shop/orders", {"number": "A-1", "colour": "red", "size": "L"})
    assert set(answer.json["errors"]) == {"colour", "size"}


def test_head_is_a_get_without_its_body(api: Any) -> None:
    made = api.post("/shop/orders", {"number": "A-1"})
    answer = api.call("HEAD", f"/shop/orders/{made.json['id']}")
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (200, b"", made.headers["ETag"])


def test_a_locked_database_is_a_wait_and_not_an_error(
    api: Any, deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comptoir.edge import ATTEMPTS
    from comptoir.rest.problems import problem_of

    busy = type("Busy", (Exception,), {"sqlite_errorcode": 5})
    full = type("Full", (Exception,), {"sqlite_errorcode": 13})
    for cause in (busy, full):
        problem = problem_of(OperationalError("INSERT", {}, cause("locked")))
        assert (problem.status, problem.headers["Retry-After"]) == (503, "2")
    assert ATTEMPTS == 5


def test_messages_speak_the_language_of_the_caller(api_for: Callable[..., Any]) -> None:
    api = api_for({"shop.order.read": "own"})
    assert api.get("/shop/orders/1").json["title"] == "Not found"
