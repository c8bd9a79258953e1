"""A browser that signs in: Flask's client with the token of the page's forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comptoir.testing.platform import PASSWORD


class Browser:
    """Reads pages and sends forms as a person would, without JavaScript."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page, and remember the token of its forms."""
        answer = self.client.get(path, **options)
        found = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
        if found is not None:
            self.token = found[1]
        return answer

    def post(self, path: str, fields: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form of the page that was opened last."""
        return self.client.post(path, data={"csrf_token": self.token, **(fields or {})}, **options)

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        """Sign in and open the start page."""
        self.get("/login")
        answer = self.post("/login", {"email": email, "password": password})
        if answer.status_code == 303:
            self.get("/account")
        return answer


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    """A browser that is not signed in."""
    return Browser(client)


@pytest.fixture
def administrator(browser: Browser, make_user: Callable[..., Any]) -> Browser:
    """A browser in which an administrator is signed in."""
    make_user("Ana Mureșan", administrator=True, email="ana@example.org")
    browser.sign_in("ana@example.org")
    return browser
