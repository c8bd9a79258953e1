"""A plugin whose code does not come to an end costs its own requests, is named, and is set aside at the third."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import Client

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.models import QuarantineRow
from comptoir.testing import platform
from comptoir.testing.platform import PASSWORD, Clock, Stage
from comptoir.web.app import create_app
from comptoir.web.host import Host
from comptoir.web.server import THREADS

PLUGIN = """
import time

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, Rules, Tile, hookimpl

manifest = Manifest("Sleepy")


def check_contacts(ctx, changes):
    wait_for_the_tariff()


def wait_for_the_tariff():
    while True:
        time.sleep(0.01)


def kpis(ctx, options):
    wait_for_the_tariff()


@hookimpl
def contribute():
    return [Rules(Contact, check=check_contacts), Tile("sleepy.tariff", "Tariff", "base.contact.read", kpis=kpis)]
"""


@pytest.fixture
def sleepy(tmp_path: Path) -> Iterator[Available]:
    """A plugin that waits for ever whenever a contact is saved and on the start page, on the import path."""
    package = tmp_path / "plugins" / "comptoir_sleepy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PLUGIN)
    sys.path.insert(0, str(package.parent))
    yield Available("sleepy", "comptoir_sleepy.plugin", "1.0")
    sys.path.remove(str(package.parent))
    for name in [n for n in sys.modules if n.startswith("comptoir_sleepy")]:
        del sys.modules[name]


@pytest.fixture
def deployment(sleepy: Available, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    settings = platform.test_settings(database_url, tmp_path, plugin_seconds=1)
    opened = Deployment(settings, clock=clock, discover=lambda: {**discover_plugins(), "sleepy": sleepy})
    initialise(opened)
    enable_modules(opened, ["sleepy"])
    Stage(opened).user("Ana", administrator=True, email="ana@example.org")
    yield opened
    opened.close()


@pytest.fixture
def host(deployment: Deployment) -> Iterator[Host]:
    opened = Host(deployment, create_app)
    yield opened
    opened.close()


def test_a_hook_that_does_not_end_is_ended_and_named(host: Host) -> None:
    client = signed_in(host)

    answer = save_contact(client)

    assert answer.status_code == 500
    assert "The module Sleepy failed at this" in answer.text
    assert "wait_for_the_tariff takes longer than 1 s" in client.get("/settings/modules").text


def test_nothing_of_what_was_ended_is_kept(host: Host) -> None:
    client = signed_in(host)

    save_contact(client)

    assert "Mega Fruct" not in client.get("/base/contacts").text


def test_the_third_that_does_not_end_takes_the_plugin_out(host: Host) -> None:
    client = signed_in(host)
    for _time in range(3):
        assert save_contact(client).status_code == 500

    host.swap()

    assert "sleepy" in host.deployment.registry.quarantined
    assert save_contact(client).status_code == 303


def test_a_tile_that_does_not_end_leaves_the_rest_of_the_page_and_counts(host: Host) -> None:
    page = signed_in(host).get("/")

    assert page.status_code == 200
    with Session(host.deployment.engine) as session:
        row = session.get_one(QuarantineRow, "sleepy")
    assert (len(row.crashes), row.set_aside) == (1, False)


def test_as_many_posts_as_the_server_has_threads_do_not_stop_it(host: Host) -> None:
    clients = [signed_in(host) for _thread in range(THREADS)]

    with ThreadPoolExecutor(THREADS) as threads:
        statuses = list(threads.map(lambda client: save_contact(client).status_code, clients))

    assert set(statuses) <= {500, 503}
    host.swap()
    client = signed_in(host)
    assert client.get("/base/contacts").status_code == 200
    assert save_contact(client).status_code == 303


def signed_in(host: Host) -> Any:
    client = Client(host)
    client.get("/login")
    answer = client.post("/login", data={"email": "ana@example.org", "password": PASSWORD, **token(client, "/login")})
    assert answer.status_code == 303
    return client


def save_contact(client: Any) -> Any:
    return client.post("/base/contacts/new", data={"name": "Mega Fruct", **token(client)})


def token(client: Any, path: str = "/base/contacts") -> dict[str, str]:
    page = client.get(path).text
    return {"csrf_token": page.partition('name="csrf-token" content="')[2].partition('"')[0]}
