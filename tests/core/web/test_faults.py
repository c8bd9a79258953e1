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
from comptoir.toolkit import Manifest, Rules, hookimpl

manifest = Manifest("Grumpy")


def check_contacts(ctx, changes):
    raise LookupError("the tariff is away")


@hookimpl
def contribute():
    return [Rules(Contact, check=check_contacts, indispensable=INDISPENSABLE)]
"""


@pytest.fixture
def grumpy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Available]:
    """A plugin that fails whenever a contact is saved, on the import path."""
    package = tmp_path / "plugins" / "comptoir_grumpy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PLUGIN.replace("INDISPENSABLE", str(getattr(request, "param", False))))
    sys.path.insert(0, str(package.parent))
    yield Available("grumpy", "comptoir_grumpy.plugin", "1.0")
    sys.path.remove(str(package.parent))
    for name in [n for n in sys.modules if n.startswith("comptoir_grumpy")]:
        del sys.modules[name]


@pytest.fixture
def deployment(grumpy: Available, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    available = {**discover_plugins(), "grumpy": grumpy}
    opened = Deployment(platform.test_settings(database_url, tmp_path), clock=clock, discover=lambda: available)
    initialise(opened)
    enable_modules(opened, ["grumpy"])
    Stage(opened).user("Ana", administrator=True, email="ana@example.org")
    yield opened
    opened.close()


def signed_in(deployment: Deployment) -> Any:
    client: Any = create_app(deployment, deployment.registry).test_client()
    sign_in(client)
    return client


def save_contact(client: Any) -> Any:
    return client.post("/base/contacts/new", data={"name": "Mega Fruct", **token(client)})


def crash(client: Any, times: int) -> None:
    for _time in range(times):
        assert save_contact(client).status_code == 500


def test_a_hook_that_fails_is_noted_and_all_else_works(deployment: Deployment) -> None:
    client = signed_in(deployment)

    answer = save_contact(client)

    assert answer.status_code == 500
    assert "The module Grumpy failed at this" in answer.text
    assert client.get("/base/contacts").status_code == 200
    assert "LookupError: the tariff is away (plugin.py, line 9)" in client.get("/settings/modules").text

    pause_modules(deployment, ["grumpy"])
    with Session(deployment.engine) as session:
        assert session.scalars(select(QuarantineRow)).all() == []


def test_the_third_crash_within_a_minute_takes_the_plugin_out(deployment: Deployment) -> None:
    crash(signed_in(deployment), times=3)

    assert deployment.refresh()
    client = signed_in(deployment)

    assert save_contact(client).status_code == 303
    assert deployment.registry.quarantined["grumpy"].phase == "hook"
    assert "The module grumpy is left out: LookupError: the tariff is away" in client.get("/base/contacts").text


def test_crashes_that_lie_apart_leave_the_plugin_in(deployment: Deployment, clock: Clock) -> None:
    client = signed_in(deployment)
    crash(client, times=2)
    clock.advance(minutes=2)
    crash(client, times=2)

    assert not deployment.refresh()
    assert "grumpy" in deployment.registry.plugins


def test_one_click_brings_a_plugin_back_that_was_taken_out(deployment: Deployment) -> None:
    crash(signed_in(deployment), times=3)
    deployment.refresh()
    client = signed_in(deployment)
    assert 'action="/settings/modules/grumpy/back"' in client.get("/settings/modules").text

    answer = client.post("/settings/modules/grumpy/back", data=token(client))

    assert answer.status_code == 303
    assert "grumpy" in deployment.registry.plugins


def test_a_process_that_lacks_the_plugin_does_not_make_its_way_back_a_dead_end(deployment: Deployment) -> None:
    crash(signed_in(deployment), times=3)
    elsewhere = Deployment(deployment.settings, clock=deployment.clock, discover=discover_plugins)
    elsewhere.refresh()
    assert "not installed" in elsewhere.registry.quarantined["grumpy"].reason
    elsewhere.close()

    deployment.refresh()

    assert "the tariff is away" in deployment.registry.quarantined["grumpy"].reason
    assert 'action="/settings/modules/grumpy/back"' in signed_in(deployment).get("/settings/modules").text


@pytest.mark.parametrize("grumpy", [True], indirect=True)
def test_what_an_indispensable_check_guards_is_refused_while_its_plugin_is_out(deployment: Deployment) -> None:
    crash(signed_in(deployment), times=3)
    deployment.refresh()
    client = signed_in(deployment)

    answer = save_contact(client)

    assert answer.status_code == 503
    assert "the module Grumpy, which checks it, is set aside" in answer.text
    assert client.post("/base/tasks/new", data={"title": "Call", **token(client)}).status_code == 303


def test_the_addresses_of_a_plugin_that_is_out_say_so(deployment: Deployment) -> None:
    crash(signed_in(deployment), times=3)
    deployment.refresh()
    client = signed_in(deployment)

    page, resource = client.get("/grumpy/anything"), client.get("/api/v1/grumpy/anything")

    assert page.status_code == resource.status_code == 503
    assert "The module grumpy is set aside for now" in page.text
    assert resource.json["type"].endswith("core.module_set_aside")


def test_a_crash_at_a_call_of_the_api_names_the_module_and_counts(deployment: Deployment) -> None:
    client = signed_in(deployment)
    headers = {"X-CSRF-Token": token(client)["csrf_token"], "Origin": "http://localhost"}

    answers = [client.post("/api/v1/base/contacts", json={"name": "Mega Fruct"}, headers=headers) for _time in range(3)]

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert "The module Grumpy failed at this" in answers[0].json["detail"]
    assert deployment.refresh()
    assert "grumpy" in deployment.registry.quarantined


def sign_in(client: Any) -> None:
    client.get("/login")
    answer = client.post("/login", data={"email": "ana@example.org", "password": PASSWORD, **token(client, "/login")})
    assert answer.status_code == 303


def token(client: Any, path: str = "/base/contacts") -> dict[str, str]:
    page = client.get(path).text
    return {"csrf_token": page.partition('name="csrf-token" content="')[2].partition('"')[0]}
