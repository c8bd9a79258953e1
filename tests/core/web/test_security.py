"""The security log as people meet it: what browsers do is in it, and administrators search and export it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from comptoir.access import security_log as log
from comptoir.access.models import ApiToken, SecurityEvent, SignInSession
from comptoir.access.tokens import create_token
from comptoir.testing.platform import PASSWORD, Stage

from .conftest import Browser


def events(stage: Stage) -> list[tuple[str, str, str]]:
    """Kind, actor and what it is about, the oldest first."""
    with stage.system() as ctx:
        found = ctx.bookkeeping("test").scalars(select(SecurityEvent).order_by(SecurityEvent.id))
        return [(event.kind, event.actor, event.about) for event in found]


def test_coming_going_and_being_refused_are_logged(
    browser: Browser, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("Ana", email="ana@example.org")
    before = len(events(stage))
    browser.sign_in("ana@example.org", "a wrong guess")
    browser.sign_in("nobody@example.org", "a wrong guess")
    browser.sign_in("ana@example.org")
    browser.post("/logout")
    assert [event[0] for event in events(stage)[before:]] == [
        log.SIGN_IN_REFUSED, log.SIGN_IN_REFUSED, log.SIGNED_IN, log.SIGNED_OUT,
    ]  # fmt: skip
    assert events(stage)[-2:] == [
        (log.SIGNED_IN, "Ana", "ana@example.org"), (log.SIGNED_OUT, "Ana", "ana@example.org"),
    ]  # fmt: skip
    assert events(stage)[before + 1][2] == "nobody@example.org"
    with stage.system() as ctx:
        sources = ctx.bookkeeping("test").scalars(
            select(SecurityEvent.address).order_by(SecurityEvent.id.desc()).limit(4)
        )
        assert set(sources) == {"127.0.0.1"}


def test_a_flood_of_guesses_does_not_fill_the_log(
    browser: Browser, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("Ana", email="ana@example.org")
    for _attempt in range(12):
        browser.sign_in("ana@example.org", "a wrong guess")
    assert [event[0] for event in events(stage)].count(log.SIGN_IN_REFUSED) == 5


def test_a_known_browser_is_not_locked_out_by_a_neighbour(
    browser: Browser, client: FlaskClient, make_user: Callable[..., Any]
) -> None:
    make_user("Ana", email="ana@example.org")
    browser.sign_in("ana@example.org")
    browser.post("/logout")
    stranger = Browser(client.application.test_client())
    answers = [stranger.sign_in("ana@example.org", "a wrong guess") for _attempt in range(6)]
    assert answers[-1].status_code == 429
    assert browser.sign_in("ana@example.org").status_code == 303


def test_an_administrator_searches_the_log(administrator: Browser, stage: Stage, make_user: Callable[..., Any]) -> None:
    make_user("Ion", email="ion@example.org")
    page = administrator.get("/settings/security").text
    assert "Signed in" in page
    assert "User added" in page
    found = administrator.get("/settings/security?person=ion&kind=user_added").text
    assert "ion@example.org" in found
    assert "ana@example.org" not in found.split("<tbody>")[1]
    assert "Nothing fits" in administrator.get("/settings/security?to=2020-01-01").text
    for wrong in ("kind=x", "from=yesterday"):
        assert administrator.get(f"/settings/security?{wrong}").status_code == 422


def test_the_log_is_paged(administrator: Browser, make_user: Callable[..., Any], stage: Stage) -> None:
    with stage.system() as ctx:
        for number in range(60):
            log.record_event(ctx.bookkeeping("test"), log.DATA_EXPORTED, about=f"table {number:02}")
    first = administrator.get("/settings/security?kind=data_exported").text
    assert "table 59" in first
    assert "table 09" not in first
    following = first.partition("before=")[2].partition('"')[0]
    assert "table 09" in administrator.get(f"/settings/security?kind=data_exported&before={following}").text


def test_the_export_is_harmless_and_is_an_event_itself(
    administrator: Browser, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("=HYPERLINK(1)")
    answer = administrator.get("/settings/security/export?kind=user_added")
    assert answer.mimetype == "text/csv"
    assert "'=HYPERLINK(1)" in answer.text
    assert "signed_in" not in answer.text
    assert events(stage)[-1][0] == log.DATA_EXPORTED


def test_the_log_is_for_administrators(browser: Browser, make_user: Callable[..., Any]) -> None:
    make_user("Ion", email="ion@example.org", grants={"base.user.read": "all", "base.user.write": "all"})
    browser.sign_in("ion@example.org")
    for path in ("/settings/security", "/settings/security/export"):
        assert browser.get(path).status_code == 403


def test_one_session_is_ended_alone(
    browser: Browser, client: FlaskClient, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("Ana", email="ana@example.org")
    other, stranger = (Browser(client.application.test_client()) for _browser in range(2))
    other.sign_in("ana@example.org")
    make_user("Ion", email="ion@example.org")
    stranger.sign_in("ion@example.org")
    browser.sign_in("ana@example.org")
    page = browser.get("/account/sessions").text
    assert page.count(">Sign out there<span") == 1
    target = re.findall(r'action="/account/sessions/(\w+/end)"', page)[0]
    assert stranger.post(f"/account/sessions/{target}").status_code == 404
    assert browser.post(f"/account/sessions/{target}").status_code == 303
    assert other.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    with stage.system() as ctx:
        assert len(ctx.bookkeeping("test").scalars(select(SignInSession)).all()) == 2


def test_a_new_password_ends_the_tokens_unless_told_otherwise(
    browser: Browser, stage: Stage, make_user: Callable[..., Any]
) -> None:
    ana = make_user("Ana", email="ana@example.org")

    def living() -> int:
        with stage.system() as ctx:
            return len(ctx.bookkeeping("test").scalars(select(ApiToken).where(ApiToken.revoked.is_(False))).all())

    with stage.system() as ctx:
        create_token(ctx.bookkeeping("test"), ana, "ERP", [], ctx.now())
    browser.sign_in("ana@example.org")
    form = {"name": "Ana", "language": "en", "timezone": ""}
    assert "End my API tokens too" in browser.get("/account").text
    answer = browser.post("/account", {**form, "current": PASSWORD, "password": "another long phrase"})
    assert (answer.status_code, living()) == (303, 1)
    browser.get("/account")
    browser.post(
        "/account", {**form, "current": "another long phrase", "password": "a third long phrase", "revoke": "1"}
    )
    assert living() == 0
    assert "1 API token no longer works" in browser.get("/account").text
