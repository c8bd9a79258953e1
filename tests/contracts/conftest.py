"""An administrator's browser and API client on the generation that the deployment serves now."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comptoir.deployment import Deployment
from comptoir.testing.platform import PASSWORD

EMAIL = "ana@example.org"


class Administrator:
    """Signs in once for each generation and looks around."""

    def __init__(self, deployment: Deployment, email: str = EMAIL) -> None:
        self.deployment, self.email = deployment, email
        self._generation = -1
        self._client: FlaskClient

    @property
    def client(self) -> FlaskClient:
        """Signed in on the present generation."""
        from comptoir.web.app import create_app

        registry = self.deployment.registry
        if registry.generation != self._generation:
            self._client = create_app(self.deployment, registry).test_client()
            self._generation = registry.generation
            token = re.search(r'name="csrf-token" content="([^"]+)"', self._client.get("/login").text)
            assert token is not None
            fields = {"csrf_token": token[1], "email": self.email, "password": PASSWORD}
            assert self._client.post("/login", data=fields).status_code == 303
        return self._client

    def get(self, path: str) -> TestResponse:
        """Open a page."""
        return self.client.get(path)

    def post(self, path: str, fields: dict[str, Any], **options: Any) -> TestResponse:
        """Send a form as a page would, without JavaScript."""
        return self.client.post(path, data={"csrf_token": self._token(), **fields}, **options)

    def send(self, path: str, values: dict[str, Any]) -> TestResponse:
        """Send values to the API."""
        return self.client.post(f"/api/v1{path}", json=values, headers={"X-CSRF-Token": self._token()})

    def _token(self) -> str:
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.client.get("/").text)
        assert token is not None
        return token[1]

    def json(self, path: str) -> Any:
        """What the API answers."""
        answer = self.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()


@pytest.fixture
def administrator(deployment: Deployment, make_user: Callable[..., Any]) -> Administrator:
    make_user("Ana Mureșan", administrator=True, email=EMAIL)
    return Administrator(deployment)
