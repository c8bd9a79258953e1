"""The security log over HTTP, and what becomes of a request that is sent twice under other rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete

from comptoir.access.models import RolePermission
from comptoir.access.permissions import raise_access_stamp
from comptoir.testing.platform import Stage

PATH = "/security-events"
ORDERS = {f"shop.order.{action}": "all" for action in ("read", "create", "write", "delete")}
KEY = {"Idempotency-Key": "order-1"}


@pytest.fixture
def administrator(api_for: Callable[..., Any]) -> Any:
    return api_for(administrator=True, name="Boss")


def test_an_administrators_program_reads_the_log(administrator: Any) -> None:
    page = administrator.get(f"{PATH}?page[size]=1").json
    assert [event["kind"] for event in page["data"]] == ["token_created"]
    assert page["data"][0]["at"].endswith("+00:00")
    following = administrator.get(f"{PATH}?page[size]=1&page[after]={page['meta']['page']['next']}").json
    assert following["data"][0]["id"] < page["data"][0]["id"]
    found = administrator.get(f"{PATH}?kind=user_added&person=boss").json["data"]
    assert [event["about"] for event in found] == ["Boss"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("kind=x", "kind"), ("from=x", "from"), ("colour=red", "colour"), ("page[size]=0", "page[size]"),
     ("page[after]=-1", "page[after]")],
)  # fmt: skip
def test_what_the_log_cannot_be_asked_is_refused_at_its_field(administrator: Any, query: str, field: str) -> None:
    answer = administrator.get(f"{PATH}?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_the_log_is_for_administrators_and_is_only_read(api: Any, administrator: Any) -> None:
    assert api.get(PATH).status_code == 403
    assert PATH not in api.get("/openapi.json").text
    assert PATH in administrator.get("/openapi.json").text
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert administrator.call(method, PATH).status_code == 405


def test_a_replay_gives_the_first_answer_to_the_same_caller(api: Any) -> None:
    first = api.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
    again = api.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (201, first.json, "true")


def test_a_replay_with_another_token_tells_nothing(api: Any, api_for: Callable[..., Any]) -> None:
    api.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
    for scopes in (("shop.order.create", "shop.order.read"), ()):
        other = api_for(user=api.user, scopes=scopes)
        answer = other.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])
        assert "margin" not in answer.text
        assert "Location" not in answer.headers


def test_a_replay_after_a_loss_of_rights_tells_nothing(api: Any, stage: Stage) -> None:
    api.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
    for permission in ("shop.order.see_margin", "shop.order.create"):
        with stage.system() as ctx:
            ctx.bookkeeping("test").execute(delete(RolePermission).where(RolePermission.permission == permission))
            raise_access_stamp(ctx.bookkeeping("test"))
        answer = api.post("/shop/orders", {"number": "A-1", "margin": "5"}, headers=KEY)
        assert (answer.status_code, answer.json["type"]) == (409, "urn:comptoir:problem:core.rights_changed")
        assert "margin" not in answer.text
    assert len(api.get("/shop/orders").json["data"]) == 1
