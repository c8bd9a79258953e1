"""A deployment with contacts and a stranger's shop, an API client with a token, and a counter of statements."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from comptoir.access.models import User
from comptoir.access.tokens import create_token
from comptoir.deployment import Deployment
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing.platform import Clock, Stage, copied_deployment

SHOP = Available("shop", "comptoir_shop.plugin", "1.0")
CRUD = ("read", "create", "write", "delete")
ALL_ORDERS = {f"shop.order.{action}": "all" for action in CRUD}
ALL_CONTACTS = {f"base.contact.{action}": "all" for action in CRUD}
OWN_RIGHTS = {f"shop.order.{right}": "all" for right in ("see_margin", "check", "reopen")}

sys.path.insert(0, str(Path(__file__).parent / "deployed"))


@pytest.fixture
def deployment(engine_name: str, tmp_path: Path, clock: Clock, _databases: Path) -> Iterator[Deployment]:
    def discover() -> dict[str, Available]:
        return {**{n: a for n, a in discover_plugins().items() if n == "base"}, "shop": SHOP}

    with copied_deployment(
        engine_name, tmp_path, ["shop"], clock=clock, cache=_databases, discover=discover, unmigrated=True
    ) as opened:
        yield opened


@pytest.fixture
def app(deployment: Deployment) -> Flask:
    from comptoir.web.app import create_app

    return create_app(deployment, deployment.registry)


class Api:
    """Calls the API as one user."""

    def __init__(self, app: Flask, token: str | None, user: User | None = None) -> None:
        self.app, self.token, self.user = app, token, user
        self._client = app.test_client()

    def call(self, method: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if json is not None:
            options["json"] = json
        return self._client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.call("POST", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.call("PATCH", path, json, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.call("DELETE", path, **options)

    def made(self, path: str, **values: Any) -> dict[str, Any]:
        """A record created through the API."""
        answer = self.post(path, values)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json  # type: ignore[assignment]
        return found


@pytest.fixture
def api_for(app: Flask, stage: Stage) -> Callable[..., Api]:
    """A client for a user with these grants: ``api_for({"shop.order.read": "own"}, scopes=["shop"])``."""

    def make(
        grants: Mapping[str, str] | None = None, *, user: User | None = None, scopes: tuple[str, ...] = (), **who: Any
    ) -> Api:
        person = user or stage.user(grants=grants, **who)
        with stage.system() as ctx:
            plain, _row = create_token(ctx.bookkeeping("test"), person, "test", scopes, ctx.now())
        return Api(app, plain, person)

    return make


@pytest.fixture
def api(api_for: Callable[..., Api]) -> Api:
    """A client that may do everything with contacts, orders and tasks."""
    return api_for({**ALL_ORDERS, **ALL_CONTACTS, **OWN_RIGHTS, "base.user.read": "all", "base.team.read": "all"})


@pytest.fixture
def statements() -> Callable[[], Any]:
    """Counts the statements inside a block: ``with statements() as seen: …; len(seen)``."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return counting
