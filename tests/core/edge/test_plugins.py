"""Whichever way a change comes in, plugins hear what changed and what led to it; and their failing parts stay apart."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from comptoir.access.models import User
from comptoir.access.tokens import create_token
from comptoir.base.models import Contact
from comptoir.cli.run import run
from comptoir.cli.terminal import Terminal
from comptoir.contributions import DeferredWork
from comptoir.deployment import Deployment
from comptoir.jobs.outbox import CHAIN_BUDGET, enqueue
from comptoir.jobs.queue import dead_letters
from comptoir.jobs.worker import run_pending
from comptoir.records.write import save
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing.platform import PASSWORD, Clock, Stage, copied_deployment
from comptoir.values import RecordRef

sys.path.insert(0, str(Path(__file__).parent / "deployed"))


@pytest.fixture
def echo() -> Iterator[Any]:
    """The module, with nothing heard yet."""
    import comptoir_echo

    comptoir_echo.heard.clear()
    comptoir_echo.writes_back = False
    yield comptoir_echo
    comptoir_echo.writes_back = False


@pytest.fixture
def deployment(engine_name: str, tmp_path: Path, clock: Clock, _databases: Path) -> Iterator[Deployment]:
    def discover() -> dict[str, Available]:
        base = {name: found for name, found in discover_plugins().items() if name == "base"}
        return {**base, "echo": Available("echo", "comptoir_echo", "1.0")}

    with copied_deployment(engine_name, tmp_path, ["echo"], clock=clock, cache=_databases, discover=discover) as opened:
        yield opened


@pytest.fixture
def browser(app: Flask, stage: Stage) -> FlaskClient:
    """An administrator's."""
    stage.user("Ana Mureșan", administrator=True, email="ana@example.org")
    app.testing = False
    client = app.test_client()
    client.post(
        "/login", data={"csrf_token": token(client, "/login"), "email": "ana@example.org", "password": PASSWORD}
    )
    return client


def token(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def heard(deployment: Deployment, echo: Any) -> list[RecordRef]:
    echo.heard.clear()
    run_pending(deployment)
    return [ref for ref in echo.heard if ref.record_type == "base.contact"]


def test_a_change_on_a_page_is_told(deployment: Deployment, browser: FlaskClient, echo: Any) -> None:
    answer = browser.post(
        "/base/contacts/new",
        data={"csrf_token": token(browser, "/base/contacts/new"), "name": "Mega Fruct SRL", "kind": "company"},
    )
    assert answer.status_code == 303, answer.text
    (ref,) = heard(deployment, echo)
    assert {"name", "kind"} <= set(ref.changed)
    assert ref.cause == ()


def test_a_change_by_the_api_is_told(
    deployment: Deployment, app: Flask, stage: Stage, make_user: Callable[..., User], echo: Any
) -> None:
    user = make_user("Ana", grants={f"base.contact.{verb}": "all" for verb in ("read", "create", "write")})
    with stage.system() as ctx:
        plain, _row = create_token(ctx.bookkeeping("test"), user, "test", (), ctx.now())
    headers = {"Authorization": f"Bearer {plain}"}
    client = app.test_client()
    made = client.post("/api/v1/base/contacts", json={"name": "Mega Fruct SRL"}, headers=headers)
    assert len(heard(deployment, echo)) == 1
    client.patch(f"/api/v1/base/contacts/{(made.json or {})['id']}", json={"city": "Cluj"}, headers=headers)
    assert [ref.changed for ref in heard(deployment, echo)] == [("city",)]


def test_a_change_by_a_command_is_told(
    deployment: Deployment, tmp_path: Path, echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "deployment", deployment)
    monkeypatch.setattr(Terminal, "is_open", False)
    (tmp_path / "contacts.csv").write_text("name\nMega Fruct SRL\n")
    assert run(["import", "base.contact", str(tmp_path / "contacts.csv")]) == 0
    assert len(heard(deployment, echo)) == 1


def test_a_change_by_deferred_work_is_told_with_what_led_to_it(
    deployment: Deployment, echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = DeferredWork("echo.greet", lambda ctx, _args: save(ctx, [Contact(name="Mega Fruct SRL")]))
    monkeypatch.setitem(deployment.registry.__dict__, "deferred_work", {work.name: work})
    with deployment.system_context("test") as ctx:
        enqueue(ctx.bookkeeping("test"), work.name, {}, module="echo")
    assert [ref.cause for ref in heard(deployment, echo)] == [("echo.greet",)]


def test_a_hook_that_writes_back_what_it_hears_is_stopped_and_the_loop_named(
    deployment: Deployment, echo: Any, make_contact: Callable[..., Contact]
) -> None:
    echo.writes_back = True
    contact = make_contact("Mega Fruct SRL", city="Cluj")
    refs = heard(deployment, echo)
    assert [len(ref.cause) for ref in refs] == list(range(CHAIN_BUDGET))
    with deployment.system_context("test", write=False) as ctx:
        (letter,) = dead_letters(ctx.bookkeeping("test"))
        city = ctx.bookkeeping("test").scalar(select(Contact.city).where(Contact.id == contact.id))
    assert "after_records_committed (echo) → after_records_committed (echo)" in letter.error
    assert city == "Cluj" + "!" * CHAIN_BUDGET


def test_a_statement_that_fails_in_one_tile_costs_that_tile_alone(
    browser: FlaskClient, make_contact: Callable[..., Any]
) -> None:
    make_contact("Mega Fruct SRL")
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "Echoes counted" in answer.text
    assert "4001" in answer.text


def test_a_statement_that_fails_in_one_panel_costs_that_panel_alone(
    browser: FlaskClient, make_contact: Callable[..., Any]
) -> None:
    contact = make_contact("Mega Fruct SRL", city="Cluj")
    answer = browser.get(f"/base/contacts/{contact.id}?whole=1")
    assert answer.status_code == 200
    assert "This part could not be shown" in answer.text
    assert "4001" in answer.text
