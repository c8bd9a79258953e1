"""A deployment with contacts and a stranger's paint, an API client and a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from comptoir.access.tokens import create_token
from comptoir.deployment import Deployment
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing.platform import Clock, Stage, copied_deployment

PAINT = Available("paint", "comptoir_paint.plugin", "1.0")
SHADES = {f"paint.shade.{action}": "all" for action in ("read", "create", "write", "delete", "see_price")}

sys.path.insert(0, str(Path(__file__).parent / "deployed"))


@pytest.fixture
def deployment(engine_name: str, tmp_path: Path, clock: Clock, _databases: Path) -> Iterator[Deployment]:
    def discover() -> dict[str, Available]:
        return {**{n: a for n, a in discover_plugins().items() if n == "base"}, "paint": PAINT}

    with copied_deployment(
        engine_name, tmp_path, ["paint"], clock=clock, cache=_databases, discover=discover, unmigrated=True
    ) as opened:
        yield opened


@pytest.fixture
def api_for(app: Flask, stage: Stage) -> Callable[..., Callable[..., TestResponse]]:
    """Calls the API as a user with these grants: ``api_for({…})("POST", "/paint/shades", {…})``."""

    def make(grants: Mapping[str, str]) -> Callable[..., TestResponse]:
        person = stage.user(grants=grants)
        with stage.system() as ctx:
            token, _row = create_token(ctx.bookkeeping("test"), person, "test", (), ctx.now())

        def call(method: str, path: str, json: Any = None) -> TestResponse:
            options = {} if json is None else {"json": json}
            headers = {"Authorization": f"Bearer {token}"}
            return app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **options)

        return call

    return make


@pytest.fixture
def api(api_for: Callable[..., Any]) -> Callable[..., TestResponse]:
    """An API client that may do everything with shades."""
    return api_for(SHADES)  # type: ignore[no-any-return]
