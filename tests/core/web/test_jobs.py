"""The queue as an administrator sees it, on the page and in the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from comptoir.cli.run import run
from comptoir.cli.terminal import Terminal
from comptoir.context import Context
from comptoir.contributions import DeferredWork, Progress, Step, Steps
from comptoir.deployment import Deployment
from comptoir.jobs import queued
from comptoir.jobs.outbox import defer
from comptoir.jobs.queue import claim
from comptoir.jobs.worker import run_pending
from comptoir.testing.platform import Clock


def sync(_ctx: Context, progress: Progress) -> bool:
    progress.total = 3
    if progress.done == 2 and not progress.args.get("open"):
        raise OSError("the ERP is closed")
    return progress.done < 2


WORK = DeferredWork("base.sync", steps=Steps(Step(sync)))


@pytest.fixture
def failing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Leaves work that is two parts of three on its way when it fails; its number."""
    monkeypatch.setitem(deployment.registry.__dict__, "deferred_work", {WORK.name: WORK})

    def leave() -> int:
        with deployment.system_context("test") as ctx:
            defer(ctx, WORK.name, {})
        (failed,) = run_pending(deployment)
        assert failed.state == "failed"
        return failed.work.id

    return leave


@pytest.fixture
def comptoir(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The command line on the deployment; what it printed."""
    monkeypatch.setattr(Terminal, "deployment", deployment)
    monkeypatch.setattr(Terminal, "is_open", False)

    def call(*words: str) -> str:
        capsys.readouterr()
        assert run(list(words)) == 0
        return capsys.readouterr().out

    return call


def test_the_page_shows_what_fails_since_when_how_far_it_is_and_what_can_be_done(
    administrator: Any, failing: Callable[[], int]
) -> None:
    number = failing()
    page = administrator.get("/settings/jobs").text
    for words in ("base.sync", "2 / 3", "Try 1 failed", "OSError: the ERP is closed", "Failing since", "1 fail"):
        assert words in page, words
    for action in ("retry", "cancel"):
        assert f'action="/settings/jobs/work/{number}/{action}"' in page


def test_work_is_cancelled_on_the_page(administrator: Any, failing: Callable[[], int]) -> None:
    number = failing()
    administrator.get("/settings/jobs")
    assert administrator.post(f"/settings/jobs/work/{number}/cancel").status_code == 303
    page = administrator.get("/settings/jobs").text
    assert f"Work {number} is cancelled" in page
    assert "2 / 3" not in page
    assert administrator.post(f"/settings/jobs/work/{number}/cancel").status_code == 404


def test_work_is_tried_at_once_when_the_page_says_so(
    administrator: Any, deployment: Deployment, failing: Callable[[], int]
) -> None:
    number = failing()
    administrator.get("/settings/jobs")
    assert run_pending(deployment) == []
    assert administrator.post(f"/settings/jobs/work/{number}/retry").status_code == 303
    assert [outcome.work.id for outcome in run_pending(deployment)] == [number]


def test_what_an_action_cannot_do_is_said_and_no_error(
    administrator: Any, deployment: Deployment, failing: Callable[[], int]
) -> None:
    number = failing()
    administrator.get("/settings/jobs")
    administrator.post(f"/settings/jobs/work/{number}/retry")
    claim(deployment.engine, "busy", now=deployment.clock())
    refused = administrator.post(f"/settings/jobs/work/{number}/retry")
    assert refused.status_code == 409
    assert "does not wait" in refused.text
    assert administrator.post(f"/settings/jobs/work/{number}/fly").status_code == 404
    assert administrator.post("/settings/jobs/work/99999999999999999999/cancel").status_code == 404
    assert "Ends before its next step" not in administrator.get("/settings/jobs").text
    administrator.post(f"/settings/jobs/work/{number}/cancel")
    assert "Ends before its next step" in administrator.get("/settings/jobs").text


def test_whoever_is_no_administrator_steers_nothing(
    browser: Any, make_user: Callable[..., Any], failing: Callable[[], int]
) -> None:
    number = failing()
    make_user("Radu", grants={"base.contact.read": "all"}, email="radu@example.org")
    browser.sign_in("radu@example.org")
    assert browser.post(f"/settings/jobs/work/{number}/cancel").status_code == 403


def test_the_terminal_shows_and_steers_the_same(
    comptoir: Callable[..., str], deployment: Deployment, failing: Callable[[], int], clock: Clock
) -> None:
    number = failing()
    (work,) = json.loads(comptoir("jobs", "queue", "--json"))
    assert (work["id"], work["state"], work["progress"]) == (number, "retrying", "2 / 3")
    assert work["failing_since"] == clock.moment.isoformat()
    assert "Failing since" in comptoir("jobs", "queue", "--state", "retrying")
    comptoir("jobs", "retry", str(number))
    assert len(run_pending(deployment)) == 1
    comptoir("jobs", "cancel", str(number))
    assert "Nothing waits." in comptoir("jobs", "queue")
    stopped = json.loads(comptoir("jobs", "runs", "--state", "stopped", "--json"))
    assert [run["error"] for run in stopped] == ["Cancelled by comptoir jobs cancel after 2 / 3."]


def test_the_terminal_shows_how_far_a_run_is(
    comptoir: Callable[..., str], deployment: Deployment, failing: Callable[[], int]
) -> None:
    failing()
    seen: list[str] = []

    def look(_ctx: Context, progress: Progress) -> bool:
        seen.extend(run["progress"] for run in json.loads(comptoir("jobs", "runs", "--state", "running", "--json")))
        return False

    work = DeferredWork("base.sync", steps=Steps(Step(look)))
    deployment.registry.__dict__["deferred_work"] = {work.name: work}
    with deployment.system_context("test") as ctx:
        queued.try_now(ctx, queued.works(ctx)[0].id)
    run_pending(deployment)
    assert seen == ["2 / 3"]
