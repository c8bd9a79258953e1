"""Whichever way work comes in, another transaction in its way costs it a moment and not its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from comptoir.access.models import User
from comptoir.access.tokens import create_token
from comptoir.base.models import Contact
from comptoir.cli.run import run
from comptoir.cli.terminal import Terminal
from comptoir.contributions import DeferredWork
from comptoir.deployment import Deployment
from comptoir.edge import ATTEMPTS
from comptoir.jobs.outbox import enqueue
from comptoir.jobs.worker import run_pending
from comptoir.modules.life_cycle import pause_modules
from comptoir.records.write import save
from comptoir.testing.platform import PASSWORD, Stage

InTheWay = Callable[..., Any]
JOB_TABLES = ("core_history",)


@pytest.fixture
def page(impatient: Deployment, app: Flask, stage: Stage) -> Callable[..., Any]:
    """Sends a form of a signed-in administrator."""
    stage.user("Ana Mureșan", administrator=True, email="ana@example.org")
    app.testing = False
    browser = app.test_client()
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/login").text)
    assert token is not None
    browser.post("/login", data={"csrf_token": token[1], "email": "ana@example.org", "password": PASSWORD})
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/account").text)
    assert token is not None
    return lambda path, **fields: browser.post(path, data={"csrf_token": token[1], **fields})


def names(deployment: Deployment) -> list[str]:
    with deployment.system_context("test", write=False) as ctx:
        return list(ctx.bookkeeping("test").scalars(select(Contact.name)))


def test_a_page_is_tried_again(impatient: Deployment, page: Any, in_the_way: InTheWay) -> None:
    with in_the_way() as met:
        answer = page("/base/contacts/new", name="Mega Fruct SRL", kind="company")
    assert (answer.status_code, len(met)) == (303, 1), answer.text
    assert names(impatient) == ["Mega Fruct SRL"]


def test_a_page_that_never_gets_its_turn_asks_to_come_back(
    impatient: Deployment, page: Any, in_the_way: InTheWay
) -> None:
    with in_the_way(times=99) as met:
        answer = page("/base/contacts/new", name="Mega Fruct SRL", kind="company")
    assert (answer.status_code, answer.headers["Retry-After"], len(met)) == (503, "1", ATTEMPTS)
    assert names(impatient) == []


def test_signing_in_is_tried_again(impatient: Deployment, app: Flask, stage: Stage, in_the_way: InTheWay) -> None:
    stage.user("Ana Mureșan", administrator=True, email="ana@example.org")
    app.testing = False
    browser = app.test_client()
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/login").text)
    assert token is not None
    with in_the_way(tables=("core_session",)) as met:
        answer = browser.post("/login", data={"csrf_token": token[1], "email": "ana@example.org", "password": PASSWORD})
    assert (answer.status_code, len(met)) == (303, 1), answer.text


@pytest.fixture
def api(impatient: Deployment, app: Flask, make_user: Callable[..., User], stage: Stage) -> Callable[..., Any]:
    """Posts a contact to the API."""
    with stage.system() as ctx:
        user = make_user("Ana", grants={f"base.contact.{verb}": "all" for verb in ("read", "create")})
        token, _row = create_token(ctx.bookkeeping("test"), user, "test", (), ctx.now())
    headers = {"Authorization": f"Bearer {token}"}
    with app.test_client() as client:
        client.get("/api/v1/base/contacts", headers=headers)  # notes the use of the token
    return lambda name: app.test_client().post(
        "/api/v1/base/contacts", json={"name": name, "kind": "company"}, headers=headers
    )


def test_a_call_of_the_api_is_tried_again(impatient: Deployment, api: Any, in_the_way: InTheWay) -> None:
    with in_the_way() as met:
        answer = api("Mega Fruct SRL")
    assert (answer.status_code, len(met)) == (201, 1), answer.text
    assert names(impatient) == ["Mega Fruct SRL"]


def test_a_command_is_tried_again(
    impatient: Deployment, in_the_way: InTheWay, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Terminal, "deployment", impatient)
    monkeypatch.setattr(Terminal, "is_open", False)
    with in_the_way() as met:
        status = run(["users", "add", "radu@example.org", "--no-sign-in"])
    assert (status, len(met)) == (0, 1), capsys.readouterr().err


@pytest.mark.modules("catalog")
def test_a_switch_of_modules_is_tried_again(impatient: Deployment, in_the_way: InTheWay) -> None:
    with in_the_way() as met:
        pause_modules(impatient, ["catalog"])
    assert ("catalog" in impatient.registry.plugins, len(met)) == (False, 1)


def test_enabling_is_tried_again(impatient: Deployment, in_the_way: InTheWay) -> None:
    from comptoir.modules.life_cycle import enable_modules

    with in_the_way() as met:
        enable_modules(impatient, ["catalog"])
    assert ("catalog" in impatient.registry.plugins, len(met)) == (True, 1)


def test_deferred_work_is_tried_again(
    impatient: Deployment, in_the_way: InTheWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def greet(ctx: Any, args: dict[str, Any]) -> None:
        tries.append(args["name"])
        save(ctx, [Contact(name=args["name"], kind="company")])

    work = DeferredWork("base.greet", greet)
    monkeypatch.setitem(impatient.registry.__dict__, "deferred_work", {work.name: work})
    with impatient.system_context("test") as ctx:
        enqueue(ctx.bookkeeping("test"), work.name, {"name": "Mega Fruct SRL"}, module="base")
    from comptoir.jobs.queue import claim
    from comptoir.jobs.runner import execute

    (taken,) = claim(impatient.engine, "ana", now=impatient.clock())
    with in_the_way(tables=JOB_TABLES) as met:
        assert execute(impatient, taken).state == "done"
    assert (names(impatient), len(met)) == (["Mega Fruct SRL"], 1)
    assert run_pending(impatient) == []
