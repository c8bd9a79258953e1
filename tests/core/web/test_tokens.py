"""A person's own API tokens: shown once, cut down by scopes, ended for good."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

PAGE = "/account/tokens"


def made(browser: Any, **fields: str) -> str:
    browser.get(PAGE)
    answer = browser.post(PAGE, {"name": "Till", **fields})
    found = re.search(r'id="token">(ct_\w+)<', answer.text)
    assert found is not None
    return found[1]


def read_contacts(browser: Any, token: str) -> int:
    browser.client.delete_cookie("comptoir")
    status: int = browser.client.get("/api/v1/base/contacts", headers={"Authorization": f"Bearer {token}"}).status_code
    return status


def test_a_token_is_shown_once_and_works(administrator: Any) -> None:
    token = made(administrator)
    listed = administrator.get(PAGE).text
    assert token not in listed
    assert token[:12] in listed
    assert read_contacts(administrator, token) == 200


def test_a_token_does_only_what_its_scope_says(administrator: Any) -> None:
    assert read_contacts(administrator, made(administrator, scopes="base.task")) == 403


def test_a_scope_that_does_not_exist_is_refused_at_its_field(administrator: Any) -> None:
    administrator.get(PAGE)
    answer = administrator.post(PAGE, {"name": "Till", "scopes": "nonsense"})
    assert answer.status_code == 422
    assert 'id="f-scopes-e"' in answer.text


def test_a_revoked_token_stops_working(administrator: Any) -> None:
    token = made(administrator)
    revoke = re.search(r'action="(/account/tokens/\d+/revoke)"', administrator.get(PAGE).text)
    assert revoke is not None
    assert administrator.post(revoke[1]).status_code == 303
    assert token[:12] not in administrator.get(PAGE).text
    assert read_contacts(administrator, token) == 401


def test_nobody_revokes_the_token_of_another(administrator: Any, make_user: Callable[..., Any]) -> None:
    made(administrator)
    revoke = re.search(r'action="(/account/tokens/\d+/revoke)"', administrator.get(PAGE).text)
    assert revoke is not None
    make_user("Radu", grants={"base.contact.read": "own"}, email="radu@example.org")
    administrator.post("/logout")
    administrator.sign_in("radu@example.org")
    assert administrator.post(revoke[1]).status_code == 404
