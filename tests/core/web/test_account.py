"""One's own account: a new password needs the old one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from comptoir.testing.platform import PASSWORD

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
