"""A plugin whose hook fails costs one answer, and the administrator reads why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise, pause_modules
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.models import QuarantineRow
from comptoir.testing import platform
from comptoir.testing.platform import PASSWORD, Clock, Stage
from comptoir.web.app import create_app

PLUGIN = """
from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl, of_type

manifest = Manifest("Grumpy")


@hookimpl
def check_records(ctx, changes):
    for contact in of_type(changes, Contact):
        raise LookupError("the tariff is away")
"""


@pytest.fixture
def grumpy(tmp_path: Path) -> Iterator[Available]:
    """A plugin that fails whenever a contact is saved, on the import path."""
    package = tmp_path / "plugins" / "comptoir_grumpy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PLUGIN)
    sys.path.insert(0, str(package.parent))
    yield Available("grumpy", "comptoir_grumpy.plugin", "1.0")
    sys.path.remove(str(package.parent))
    for name in [n for n in sys.modules if n.startswith("comptoir_grumpy")]:
        del sys.modules[name]


def test_a_hook_that_fails_is_noted_and_all_else_works(
    grumpy: Available, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    available = {**discover_plugins(), "grumpy": grumpy}
    deployment = Deployment(platform.test_settings(database_url, tmp_path), clock=clock, discover=lambda: available)
    initialise(deployment)
    enable_modules(deployment, ["grumpy"])
    Stage(deployment).user("Ana", administrator=True, email="ana@example.org")
    client: Any = create_app(deployment, deployment.registry).test_client()
    sign_in(client)

    answer = client.post("/base/contacts/new", data={"name": "Mega Fruct", **token(client)})

    assert answer.status_code == 500
    assert "The module Grumpy failed at this" in answer.text
    assert client.get("/base/contacts").status_code == 200
    assert "LookupError: the tariff is away (plugin.py, line 11)" in client.get("/settings/modules").text

    pause_modules(deployment, ["grumpy"])
    with Session(deployment.engine) as session:
        assert session.scalars(select(QuarantineRow)).all() == []
    deployment.close()


def sign_in(client: Any) -> None:
    client.get("/login")
    answer = client.post("/login", data={"email": "ana@example.org", "password": PASSWORD, **token(client, "/login")})
    assert answer.status_code == 303


def token(client: Any, path: str = "/base/contacts") -> dict[str, str]:
    page = client.get(path).text
    return {"csrf_token": page.partition('name="csrf-token" content="')[2].partition('"')[0]}
