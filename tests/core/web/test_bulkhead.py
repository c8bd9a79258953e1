"""A plugin that waits outside Python, where nothing can be raised: it is named, its locks are freed and the rest goes on."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import Client

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.registry.deadlines import STANDING
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.models import QuarantineRow
from comptoir.testing import platform
from comptoir.testing.platform import PASSWORD, Clock, Stage
from comptoir.web.app import create_app
from comptoir.web.host import Host

BROKEN = Path(__file__).parent.parent.parent / "broken_plugins"
NAMED = "ask_the_service takes longer than 1 s"


@pytest.fixture
def blocks() -> Iterator[Available]:
    """A plugin that asks a service which does not answer; at the end it does, and the calls return."""
    sys.path.insert(0, str(BROKEN))
    yield Available("blocks", "comptoir_blocks.plugin", "1.0")
    sys.path.remove(str(BROKEN))
    for name in [n for n in sys.modules if n.startswith("comptoir_blocks")]:
        del sys.modules[name]


@pytest.fixture
def deployment(blocks: Available, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    settings = platform.test_settings(database_url, tmp_path, plugin_seconds=1)
    opened = Deployment(settings, clock=clock, discover=lambda: {**discover_plugins(), "blocks": blocks})
    initialise(opened)
    enable_modules(opened, ["blocks"])
    Stage(opened).user("Ana", administrator=True, email="ana@example.org")
    yield opened
    opened.close()


@pytest.fixture
def host(deployment: Deployment) -> Iterator[Host]:
    opened = Host(deployment, create_app)
    yield opened
    opened.close()


class Visitors:
    """People whose requests are under way at the same time."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.threads = ThreadPoolExecutor()
        self.clients = [signed_in(host) for _visitor in range(STANDING)]

    def all(self, ask: Callable[[Any], Any]) -> list[Future[Any]]:
        """Let each of them ask."""
        return [self.threads.submit(ask, client) for client in self.clients]


@pytest.fixture
def visitors(host: Host) -> Iterator[Visitors]:
    opened = Visitors(host)
    yield opened
    os.close(sys.modules["comptoir_blocks.plugin"].service)
    opened.threads.shutdown()


@pytest.fixture
def ana(host: Host) -> Any:
    return signed_in(host)


def test_a_call_that_cannot_be_ended_is_named_and_counted_whilst_it_lasts(visitors: Visitors) -> None:
    save = visitors.threads.submit(save_contact, visitors.clients[0])

    row = until(lambda: crashes(visitors.host))

    assert not save.done()
    assert (row.reason, len(row.crashes)) == (NAMED, 1)


def test_others_write_whilst_it_lasts(visitors: Visitors, ana: Any) -> None:
    save = visitors.threads.submit(save_contact, visitors.clients[0])
    until(lambda: crashes(visitors.host))

    answer = ana.post("/base/tasks/new", data={"title": "Call back", **token(ana)})

    assert answer.status_code == 303
    assert not save.done()


def test_nothing_is_kept_of_what_returns_after_all(visitors: Visitors, ana: Any) -> None:
    save = visitors.threads.submit(save_contact, visitors.clients[0])
    until(lambda: crashes(visitors.host))

    os.write(sys.modules["comptoir_blocks.plugin"].service, b".")

    assert save.result(60).status_code in {500, 503}
    assert "Mega Fruct" not in ana.get("/base/contacts").text


def test_as_many_calls_as_may_stand_in_a_plugin_and_no_more(visitors: Visitors, ana: Any) -> None:
    asked = visitors.all(lambda client: client.get("/"))

    refused = until(lambda: (page := ana.get("/blocks/offer")).status_code == 503 and page)
    page = ana.get("/")
    program = ana.get("/api/v1/blocks/tariffs")

    assert "The module Blocks does not answer at the moment" in refused.text
    assert (page.status_code, "This tile could not be shown" in page.text) == (200, True)
    assert (program.status_code, program.content_type) == (503, "application/problem+json")
    assert "Retry-After" in program.headers
    assert not any(request.done() for request in asked)


def test_what_it_checks_is_refused_with_its_name(visitors: Visitors, ana: Any) -> None:
    form = token(ana)
    visitors.all(lambda client: client.get("/"))
    until(lambda: ana.get("/blocks/offer").status_code == 503)

    answer = ana.post("/base/contacts/new", data={"name": "Mega Fruct", **form})

    assert answer.status_code == 503
    assert "The module Blocks does not answer at the moment" in answer.text


def test_the_third_that_cannot_be_ended_takes_the_plugin_out(visitors: Visitors, ana: Any) -> None:
    asked = visitors.all(lambda client: client.get("/"))
    until(lambda: (row := crashes(visitors.host)) is not None and row.set_aside)

    visitors.host.swap()

    assert "blocks" in visitors.host.deployment.registry.quarantined
    assert save_contact(ana).status_code == 303
    assert NAMED in ana.get("/settings/modules").text
    assert not any(request.done() for request in asked)


def crashes(host: Host) -> QuarantineRow | None:
    with Session(host.deployment.engine, expire_on_commit=False) as session:
        return session.get(QuarantineRow, "blocks")


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    for _look in range(int(seconds * 20)):
        if it := found():
            return it
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen in time")


def signed_in(host: Host) -> Any:
    client = Client(host)
    answer = client.post("/login", data={"email": "ana@example.org", "password": PASSWORD, **token(client, "/login")})
    assert answer.status_code == 303
    return client


def save_contact(client: Any) -> Any:
    return client.post("/base/contacts/new", data={"name": "Mega Fruct", **token(client)})


def token(client: Any, path: str = "/base/contacts") -> dict[str, str]:
    page = client.get(path).text
    return {"csrf_token": page.partition('name="csrf-token" content="')[2].partition('"')[0]}
