"""A plugin follows who signs in."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.access.models import User
from comptoir.deployment import Deployment
from comptoir.testing.platform import PASSWORD
from comptoir.toolkit import Context, RuleViolation, _, hookimpl

SEEN: list[str] = []


class Porter:
    """Remembers who came in, and lets nobody in who is called Nobody."""

    @hookimpl
    def on_login(self, ctx: Context, user: User) -> None:
        SEEN.append(str(user.email))
        if user.name == "Nobody":
            raise RuleViolation("porter.closed", _("Come back tomorrow."))


@pytest.fixture
def porter(deployment: Deployment) -> None:
    SEEN.clear()
    deployment.registry.manager.register(Porter(), name="porter")


def test_a_plugin_hears_of_a_sign_in_and_not_of_a_refused_one(browser: Any, make_user: Any, porter: None) -> None:
    ana = make_user("Ana", email="ana@example.org")
    browser.sign_in(ana.email, "wrong " + PASSWORD)
    assert SEEN == []
    browser.sign_in(ana.email)
    assert [ana.email] == SEEN


def test_what_a_plugin_refuses_does_not_come_in(browser: Any, make_user: Any, porter: None) -> None:
    make_user("Nobody", email="nobody@example.org")
    answer = browser.sign_in("nobody@example.org")
    assert SEEN == ["nobody@example.org"]
    assert (answer.status_code, "Come back tomorrow." in answer.text) == (422, True)
    assert browser.get("/").status_code in (302, 303)
