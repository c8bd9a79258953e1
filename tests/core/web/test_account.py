"""One's own account: a new password needs the old one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from comptoir.testing.platform import PASSWORD
from comptoir.web.browsers import browser_name

NEW = "another long phrase"


@pytest.fixture
def ana(browser: Any, make_user: Callable[..., Any]) -> Any:
    """A browser in which Ana is signed in."""
    make_user("Ana", email="ana@example.org")
    browser.sign_in("ana@example.org")
    return browser


def change(browser: Any, current: str, new: str = NEW) -> Any:
    return browser.post("/account", {"name": "Ana", "language": "en", "current": current, "password": new})


def cookies(browser: Any) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in browser.client._cookies.values()}


def test_a_new_password_goes_on_under_a_new_token(ana: Any) -> None:
    before = cookies(ana)
    assert change(ana, PASSWORD).status_code == 303
    assert ana.get("/account").status_code == 200
    assert cookies(ana) != before
    for name in before:
        ana.client.delete_cookie(name)
    assert ana.sign_in("ana@example.org", PASSWORD).status_code == 422
    assert ana.sign_in("ana@example.org", NEW).status_code == 303


def test_guesses_of_the_old_password_are_counted(ana: Any) -> None:
    for _guess in range(5):
        answer = change(ana, "a wrong guess")
        assert answer.status_code == 422
        assert "This is not your password." in answer.text
    assert "Too many attempts" in change(ana, PASSWORD).text


def test_a_weak_password_is_refused_at_its_field(ana: Any) -> None:
    answer = change(ana, PASSWORD, "short")
    assert answer.status_code == 422
    assert "at least 10 characters" in answer.text


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"


@pytest.mark.parametrize(
    ("agent", "words"),
    [(FIREFOX, "Firefox, Linux"), (EDGE, "Edge, Windows"), ("curl/8.5.0", "curl"), ("", "Unknown browser")],
)
def test_a_browser_is_told_in_words(agent: str, words: str) -> None:
    assert str(browser_name(agent)) == words


def test_one_other_session_is_ended_and_the_rest_go_on(ana: Any, client: Any) -> None:
    phone = type(ana)(client.application.test_client())
    phone.get("/login", headers={"User-Agent": FIREFOX})
    phone.post("/login", {"email": "ana@example.org", "password": PASSWORD}, headers={"User-Agent": FIREFOX})
    assert phone.get("/account").status_code == 200
    page = ana.get("/account/sessions").text
    assert "Firefox, Linux</td>" in page
    ended = re.findall(r'action="(/account/sessions/[0-9a-f]+/end)"', page)
    assert len(ended) == 1
    assert ana.post(ended[0]).status_code == 303
    assert phone.get("/account").status_code == 303
    assert ana.get("/account").status_code == 200
    assert ana.post(ended[0]).status_code == 404


@pytest.mark.parametrize(("typed", "kept"), [("Europe/Bucharest", True), ("bucharest", True), ("Atlantis", False)])
def test_a_time_zone_is_found_by_its_city(ana: Any, typed: str, kept: bool) -> None:
    assert '<option value="Europe/Bucharest">' in ana.get("/account").text
    answer = ana.post("/account", {"name": "Ana", "language": "en", "timezone": typed})
    assert answer.status_code == (303 if kept else 422)
    if kept:
        assert 'value="Europe/Bucharest"' in ana.get("/account").text


def test_when_somebody_was_last_there_is_seen(administrator: Any) -> None:
    assert "never" not in administrator.get("/settings/users").text
