"""Who sees and does what over HTTP: scopes, hidden and locked fields, tokens, the browser session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from comptoir.access.guard import AccessRefused
from comptoir.access.models import ApiToken, RolePermission, SecurityEvent, User
from comptoir.access.permissions import raise_access_stamp
from comptoir.access.security_log import TOKEN_REFUSED
from comptoir.access.sessions import open_session, sign_in
from comptoir.access.tokens import revoke_token
from comptoir.db.gate import opened
from comptoir.testing.platform import PASSWORD, Clock, Stage

pytestmark = pytest.mark.drill
OWN = {f"shop.order.{action}": "own" for action in ("read", "create", "write", "delete")}


def test_without_credentials_nothing_is_answered(app: Flask, api: Any) -> None:
    for method, path in (
        ("GET", "/shop/orders"),
        ("POST", "/shop/orders"),
        ("DELETE", "/shop/orders/1"),
        ("GET", "/openapi.json"),
    ):
        answer = app.test_client().open(f"/api/v1{path}", method=method)
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer ct_wrong", "Bearer", "Basic YTpi", "Bearer \u00e9", ""])
def test_wrong_credentials_are_refused(app: Flask, header: str) -> None:
    answer = app.test_client().get("/api/v1/shop/orders", headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_token_ends_when_it_is_revoked_or_expires(api_for: Callable[..., Any], stage: Stage) -> None:
    api = api_for(OWN)
    assert api.get("/shop/orders").status_code == 200
    with stage.system() as ctx:
        row = ctx.bookkeeping("test").scalars(select(ApiToken).where(ApiToken.user_id == api.user.id)).one()
        revoke_token(ctx.bookkeeping("test"), row.id)
    assert api.get("/shop/orders").status_code == 401


def test_the_scopes_of_a_token_cut_down_its_user(api_for: Callable[..., Any]) -> None:
    user = api_for({**OWN, "base.contact.read": "all"}).user
    narrow = api_for(user=user, scopes=("shop.order.read",))
    assert narrow.get("/shop/orders").status_code == 200
    assert narrow.post("/shop/orders", {"number": "A-1"}).status_code == 403
    assert narrow.get("/base/contacts").status_code == 403


def test_a_right_that_is_taken_away_is_gone_at_once(api_for: Callable[..., Any], stage: Stage) -> None:
    api = api_for(OWN)
    assert api.get("/shop/orders").status_code == 200
    with stage.system() as ctx:
        ctx.bookkeeping("test").execute(delete(RolePermission).where(RolePermission.permission == "shop.order.read"))
        raise_access_stamp(ctx.bookkeeping("test"))
    assert api.get("/shop/orders").status_code == 403


def test_own_team_and_all_see_their_records_and_no_others(api_for: Callable[..., Any], stage: Stage) -> None:
    north = stage.team("North")
    mine, colleague = api_for(OWN, name="Mine", team=north), api_for(OWN, name="Colleague", team=north)
    team = api_for({"shop.order.read": "team"}, name="Lead", team=north)
    everyone, stranger = api_for({"shop.order.read": "all"}, name="All"), api_for({}, name="Nobody")
    first, second = mine.made("/shop/orders", number="A-1"), colleague.made("/shop/orders", number="B-1")

    def numbers(api: Any) -> list[str]:
        return [row["number"] for row in api.get("/shop/orders?sort=number").json["data"]]

    assert numbers(mine) == ["A-1"]
    assert numbers(colleague) == ["B-1"]
    assert numbers(team) == numbers(everyone) == ["A-1", "B-1"]
    assert stranger.get("/shop/orders").status_code == 403
    for path in ("", "/history", "/transitions"):
        assert mine.get(f"/shop/orders/{second['id']}{path}").status_code == 404
        assert stranger.get(f"/shop/orders/{first['id']}{path}").status_code == 404
    assert mine.get("/shop/orders/aggregate").json["data"] == [{"count": 1}]


def test_what_may_be_seen_and_not_done_is_forbidden_and_what_may_not_be_seen_is_not_there(
    api: Any, api_for: Callable[..., Any]
) -> None:
    made = api.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}"
    reader = api_for({**OWN, "shop.order.read": "all"}, name="Reader")
    assert reader.patch(path, {"amount": "1"}).status_code == 403
    assert reader.delete(path).status_code == 403
    assert reader.post(f"{path}/actions/send").status_code == 403
    assert reader.post(f"{path}/actions/refuse").status_code == 403
    assert reader.post(f"{path}/actions/archive").status_code == 403
    other = api_for(OWN, name="Other")
    for answer in (other.patch(path, {"amount": "1"}), other.delete(path), other.post(f"{path}/actions/send")):
        assert answer.status_code == 404
    assert api.get(path).json["version"] == 1


def test_a_reference_to_a_hidden_record_reads_like_one_to_nothing(api: Any, api_for: Callable[..., Any]) -> None:
    hidden = api.made("/base/contacts", name="Hidden")
    other = api_for({**OWN, "base.contact.read": "own"})
    answers = [other.post("/shop/orders", {"number": "A-1", "contact_id": n}) for n in (hidden["id"], 999_999, 2**63)]
    messages = [answer.json["errors"]["contact_id"][0].replace(str(n), "N") for answer, n in
                zip(answers, (hidden["id"], 999_999, 2**63), strict=True)]  # fmt: skip
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert len(set(messages)) == 1


def test_nobody_hands_a_record_out_of_reach(api_for: Callable[..., Any], stage: Stage) -> None:
    other = stage.user("Other")
    mine = api_for(OWN)
    made = mine.made("/shop/orders", number="A-1")
    assert mine.patch(f"/shop/orders/{made['id']}", {"owner_id": other.id}).status_code == 403


HIDDEN = "margin"


@pytest.fixture
def blind(api_for: Callable[..., Any]) -> Any:
    """Sees all orders but not their margin, and may not set the mark of the check."""
    return api_for({f"shop.order.{action}": "all" for action in ("read", "create", "write", "delete")}, name="Blind")


def test_a_hidden_field_is_nowhere(api: Any, blind: Any) -> None:
    made = api.made("/shop/orders", number="A-1", margin="5")
    api.patch(f"/shop/orders/{made['id']}", {"margin": "6", "amount": "1"})
    path = f"/shop/orders/{made['id']}"
    assert HIDDEN in api.get(path).json
    assert HIDDEN not in blind.get(path).json
    assert HIDDEN not in blind.get("/shop/orders").json["data"][0]
    assert HIDDEN not in str(blind.get(f"{path}/history").json)
    assert HIDDEN in str(api.get(f"{path}/history").json)
    for query in (
        "filter[margin][gt]=1", "filter[or][0][margin]=6", "sort=margin", "fields=margin",
        "filter[margin][is_null]=false", "include=margin",
    ):  # fmt: skip
        assert blind.get(f"/shop/orders?{query}").status_code == 422, query
        if not query.startswith("include"):
            assert api.get(f"/shop/orders?{query}").status_code == 200, query
    for query in ("measures=margin:sum", "group=margin", "filter[margin]=6"):
        assert blind.get(f"/shop/orders/aggregate?{query}").status_code == 422, query
    messages = [blind.patch(path, {name: "1"}).json["errors"][name] for name in (HIDDEN, "nonsense")]
    assert messages[0] == messages[1] == ["There is no such field."]
    assert blind.patch(path, {"amount": "9"}).status_code == 200
    assert api.get(path).json[HIDDEN] == "6.00"


def test_a_change_of_hidden_fields_alone_leaves_no_trace_in_the_history(api: Any, blind: Any) -> None:
    made = api.made("/shop/orders", number="A-1", margin="5", lines=[{"product": "Tea", "cost": "1"}])
    path = f"/shop/orders/{made['id']}"
    for margin in range(6, 12):
        assert api.patch(path, {"margin": str(margin)}).status_code == 200
    assert api.patch(path, {"lines": [{"product": "Tea", "cost": "2"}]}).status_code == 200
    assert api.patch(path, {"amount": "1", "margin": "1"}).status_code == 200

    def changes(reader: Any, query: str = "") -> list[list[str]]:
        return [sorted(entry["changes"]) for entry in reader.get(f"{path}/history{query}").json["data"]]

    assert changes(blind)[0] == ["amount"]
    assert len(changes(blind)) == 2
    assert len(changes(api)) == 9
    page = blind.get(f"{path}/history?page[size]=1").json
    assert [sorted(entry["changes"]) for entry in page["data"]] == [["amount"]]
    assert len(changes(blind, f"?page[size]=1&page[after]={page['meta']['page']['next']}")) == 1
    assert "cost" not in str(blind.get(f"{path}/history").json)
    assert "cost" in str(api.get(f"{path}/history").json)


def test_the_description_of_the_api_names_no_field_that_its_reader_may_not_see(api: Any, blind: Any) -> None:
    whole, narrow = api.get("/openapi.json"), blind.get("/openapi.json")
    for name in (HIDDEN, "cost"):
        assert f'"{name}"' in whole.text
        assert name not in narrow.text.lower()
    assert whole.headers["ETag"] != narrow.headers["ETag"]


def test_a_locked_field_is_read_and_never_loads(api: Any, blind: Any) -> None:
    made = blind.made("/shop/orders", number="A-1")
    path = f"/shop/orders/{made['id']}"
    assert made["checked"] is False
    answer = blind.patch(path, {"checked": True})
    assert answer.status_code == 422
    assert answer.json["errors"] == {"checked": ["Your roles do not let you change this field."]}
    assert api.patch(path, {"checked": True}).json["checked"] is True


@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "archived_at", "version"])
def test_what_the_server_keeps_never_loads(api: Any, name: str) -> None:
    answer = api.post("/shop/orders", {"number": "A-1", name: 7})
    assert answer.status_code == 422
    assert answer.json["errors"] == {name: ["The server keeps this field; leave it out."]}


def test_secrets_of_users_are_never_shown(api: Any) -> None:
    found = api.get("/base/users").json["data"][0]
    assert found["name"]
    assert not {"password_hash", "email_key", "credential_version", "preferences"} & set(found)


def test_an_administrator_changes_the_address_by_which_a_user_signs_in(
    api_for: Callable[..., Any], stage: Stage
) -> None:
    administrator = api_for(administrator=True, name="Ana")
    user = stage.user("Ion Rus", email="ion@example.org")
    answer = administrator.patch(f"/base/users/{user.id}", {"email": "Ion.Rus@Example.org"})
    assert (answer.status_code, answer.json["email"]) == (200, "Ion.Rus@Example.org")
    with stage.system() as ctx:
        found = sign_in(ctx.bookkeeping("test"), "ion.rus@example.org", PASSWORD, ctx.now())
        assert isinstance(found, User)
        assert found.id == user.id
    made = administrator.made("/base/users", name="Eva", email="eva@example.org")
    taken = administrator.patch(f"/base/users/{user.id}", {"email": "EVA@example.org"})
    assert (taken.status_code, list(taken.json["errors"]), made["email"]) == (422, ["email"], "eva@example.org")


def test_what_the_server_works_out_is_kept_for_those_who_do_not_see_it(api: Any, blind: Any) -> None:
    made = blind.made("/shop/orders", number="A-1", amount="100")
    assert "commission" not in made
    assert blind.patch(f"/shop/orders/{made['id']}", {"amount": "250"}).status_code == 200
    assert api.get(f"/shop/orders/{made['id']}").json["commission"] == "25.00"
    assert blind.patch(f"/shop/orders/{made['id']}", {"commission": "1"}).json["errors"]["commission"]


def test_no_statement_writes_what_its_user_may_not_see(stage: Stage) -> None:
    ana = stage.user("Ana", administrator=True)
    with stage.acting(ana) as ctx:
        for column in ("email_key", "password_hash"):
            with pytest.raises(AccessRefused, match=column), opened("test"):
                ctx.session.execute(update(User).values({column: "x"}))
        ana = ctx.session.get_one(User, ana.id)
        ana.password_hash = "x"
        with pytest.raises(AccessRefused, match="password_hash"), opened("test"):
            ctx.session.flush()


def test_the_browser_session_needs_its_token_to_change_something(app: Flask, stage: Stage, clock: Clock) -> None:
    user: User = stage.user("Ana", grants=OWN)
    with stage.system() as ctx:
        token, row = open_session(ctx.bookkeeping("test"), user, ctx.now())
        csrf = row.csrf_token
    client = app.test_client()
    client.set_cookie("comptoir", token)
    assert client.get("/api/v1/shop/orders").status_code == 200
    assert client.post("/api/v1/shop/orders", json={"number": "A-1"}).status_code == 403
    headers = {"X-CSRF-Token": csrf}
    foreign = {**headers, "Origin": "https://evil.example"}
    assert client.post("/api/v1/shop/orders", json={"number": "A-1"}, headers=foreign).status_code == 403
    assert client.post("/api/v1/shop/orders", json={"number": "A-1"}, headers=headers).status_code == 201
    clock.advance(days=40)
    assert client.get("/api/v1/shop/orders").status_code == 401


def refusals(stage: Stage) -> list[tuple[str, str, dict[str, Any]]]:
    """Whom the refused tokens belong to, where they came from and what is said of them, the oldest first."""
    with stage.system() as ctx:
        kept = select(SecurityEvent).where(SecurityEvent.kind == TOKEN_REFUSED).order_by(SecurityEvent.id)
        return [(event.about, event.address, event.details) for event in ctx.bookkeeping("test").scalars(kept)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_has_ended_is_refused_in_the_security_log_with_its_owner(
    api_for: Callable[..., Any], stage: Stage, method: str
) -> None:
    api = api_for(OWN, email="ana@example.org")
    with stage.system() as ctx:
        row = ctx.bookkeeping("test").scalars(select(ApiToken).where(ApiToken.user_id == api.user.id)).one()
        revoke_token(ctx.bookkeeping("test"), row.id)
    answer = api.get("/shop/orders") if method == "GET" else api.post("/shop/orders", {"number": "A-1"})
    assert answer.status_code == 401
    assert refusals(stage) == [("ana@example.org", "127.0.0.1", {"token": row.prefix, "name": "test"})]


def test_of_a_token_that_nobody_has_the_security_log_keeps_no_secret(app: Flask, stage: Stage) -> None:
    client = app.test_client()
    for guessed in ("ct_guessed", "a password that was pasted"):
        client.get("/api/v1/shop/orders", headers={"Authorization": f"Bearer {guessed}"})
    assert refusals(stage) == [("", "127.0.0.1", {}), ("", "127.0.0.1", {})]


def test_a_flood_of_guessed_tokens_does_not_fill_the_security_log(app: Flask, stage: Stage, clock: Clock) -> None:
    client = app.test_client()
    for _guess in range(12):
        answer = client.get("/api/v1/shop/orders", headers={"Authorization": "Bearer ct_guessed"})
        assert answer.status_code == 401
    assert len(refusals(stage)) == 5
    clock.advance(minutes=10)
    client.get("/api/v1/shop/orders", headers={"Authorization": "Bearer ct_guessed"})
    assert len(refusals(stage)) == 6
