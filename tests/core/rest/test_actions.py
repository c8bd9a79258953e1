"""Actions that ask: what is sent is read by its kinds, refused at its name, and described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from comptoir_shop.models import Order, OrderLine

from comptoir.contributions import Action
from comptoir.kinds import Field, Text

ALL_ORDERS = {f"shop.order.{right}": "all" for right in ("read", "create", "write")}


@pytest.fixture
def order(api: Any) -> dict[str, Any]:
    contact = api.made("/base/contacts", name="Mega Fruct SRL")
    made: dict[str, Any] = api.made("/shop/orders", number="A-1", amount="120", contact_id=contact["id"])
    return made


def split_of(order: dict[str, Any]) -> str:
    return f"/shop/orders/{order['id']}/actions/split"


def test_an_action_gets_what_it_asks_for_in_the_types_of_its_fields(api: Any, order: dict[str, Any]) -> None:
    sent = {"number": "A-2", "amount": "20.50", "channel": "web", "placed_on": "2026-11-02", "is_gift": True}
    made = api.post(split_of(order), sent)
    assert made.status_code == 200, made.text
    assert {name: made.json[name] for name in sent} == sent


def test_what_is_not_sent_is_as_given(api: Any, order: dict[str, Any]) -> None:
    made = api.post(split_of(order), {"number": "A-2"}).json
    assert (made["amount"], made["contact_id"]) == ("60.00", order["contact_id"])
    assert (made["channel"], made["is_gift"]) == ("shop", False)
    assert api.post(split_of(order), {"number": "A-3", "amount": None}).json["amount"] is None


@pytest.mark.parametrize(
    "sent, errors",
    [
        ({}, {"number": ["Fill in New number."]}),
        ({"number": "A-2", "color": "red"}, {"color": ["There is no such field."]}),
        ({"number": "A-2", "stage": "lost"}, {"stage": ["There is no such field."]}),
        ({"number": 7}, {"number": ["Give a text."]}),
        ({"number": "A" * 21}, {"number": ["New number takes 20 characters; this has 21."]}),
        ({"number": "A-2", "channel": "fax"}, {"channel": ["fax is not in the list. Choose one of web, shop."]}),
        (
            {"number": "A-2", "contact_id": 999},
            {"contact_id": ["There is no record 999 here, or you may not see it."]},
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    api: Any, order: dict[str, Any], sent: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    answer = api.post(split_of(order), sent)
    assert (answer.status_code, answer.json["errors"]) == (422, errors)
    assert api.get("/shop/orders").json["meta"]["total"] == 1


def test_everything_that_is_wrong_is_said_at_once(api: Any, order: dict[str, Any]) -> None:
    answer = api.post(split_of(order), {"amount": "much", "color": "red", "is_gift": "yes"})
    assert set(answer.json["errors"]) == {"amount", "color", "is_gift"}


def test_it_is_done_only_on_the_version_that_was_seen(api: Any, order: dict[str, Any]) -> None:
    api.patch(f"/shop/orders/{order['id']}", {"amount": "1"})
    assert api.post(split_of(order), {"number": "A-2", "version": 1}).status_code == 412
    assert api.post(split_of(order), {"number": "A-2", "version": 2}).status_code == 200


def test_nobody_is_asked_for_a_field_that_their_roles_lock(
    api: Any, api_for: Callable[..., Any], order: dict[str, Any]
) -> None:
    assert api.post(split_of(order), {"number": "A-2", "checked": True}).json["checked"] is True
    clerk = api_for({**ALL_ORDERS, "base.contact.read": "all"})
    refused = clerk.post(split_of(order), {"number": "A-3", "checked": True})
    assert refused.json["errors"] == {"checked": ["There is no such field."]}
    assert clerk.post(split_of(order), {"number": "A-3"}).json["number"] == "A-3"


def body_of(api: Any) -> dict[str, Any]:
    """How the description describes the body of the action."""
    described = api.get("/openapi.json").json["paths"]["/api/v1/shop/orders/{id}/actions/split"]["post"]
    found: dict[str, Any] = described["requestBody"]["content"]["application/json"]["schema"]
    return found


def test_the_description_has_what_each_action_asks_for(api: Any, api_for: Callable[..., Any]) -> None:
    schema = body_of(api)
    assert (schema["required"], schema["additionalProperties"]) == (["number"], False)
    assert schema["properties"]["number"] == {"type": "string", "maxLength": 20, "title": "New number"}
    assert schema["properties"]["channel"]["enum"] == ["web", "shop", None]
    assert "checked" in schema["properties"]
    assert "checked" not in body_of(api_for({**ALL_ORDERS, "shop.order.see_margin": "all"}))["properties"]


@pytest.mark.parametrize(
    "asks, said",
    [
        ((Field(Text(), "Why"),), "without a name"),
        ((Field(Text(), "Why", name="why not"),), "without a name"),
        ((Field(Text(), "Why", name="version"),), "twice, or takes a name that requests need"),
        ((Order.reason, Field(Text(), "Why", name="reason")), "twice, or takes a name that requests need"),
        ((Order.commission,), "nobody can fill in"),
        ((Order.stage,), "nobody can fill in"),
        ((Order.lines,), "nobody can fill in"),
        ((OrderLine.order_id,), "without a name"),
    ],
)
def test_what_cannot_be_asked_for_is_told_to_its_author(asks: tuple[Any, ...], said: str) -> None:
    action = Action("split", Order, "Split", lambda ctx, order, values: order, "shop.order.write", asks=asks)
    assert [said in str(fault) for fault in action.faults("shop")] == [True]
