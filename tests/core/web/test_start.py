"""What a process that serves has in memory, and what it has not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import Client

from comptoir.deployment import Deployment
from comptoir.modules.schema import raise_generation
from comptoir.registry.models import ProcessRow
from comptoir.web.app import create_app
from comptoir.web.host import Host

STARTED = """
import sys
import comptoir.web.server
from comptoir.registry.discover import discover_plugins
from comptoir.registry.registry import build_registry

registry = build_registry(discover_plugins(), ["base", "catalog", "sales"])
assert set(registry.plugins) == {"base", "catalog", "sales"}, registry.quarantined
print(*sys.modules)
"""


def test_a_process_that_serves_imports_neither_demonstration_data_nor_alembic() -> None:
    done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
    needless = [name for name in done.stdout.split() if name.split(".")[0] == "alembic" or name.endswith("base.demo")]
    needless += [name for name in done.stdout.split() if name in ("comptoir_catalog.demo", "comptoir_sales.demo")]
    assert needless == []


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "generation"]


def test_one_thread_watches_every_deployment_of_a_process(deployment: Deployment) -> None:
    hosts = [Host(deployment, create_app), Host(deployment, create_app)]
    [thread] = watching()
    with Session(deployment.engine) as session, session.begin():
        raise_generation(session)
    wanted = hosts[0].generation + 1
    assert until(lambda: [host.generation for host in hosts] == [wanted, wanted])
    for host in hosts:
        host.close()
    thread.join(20)
    assert watching() == []


@pytest.fixture
def sleeper(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that nobody asked anything for long, and that has noticed it."""
    host = Host(deployment, create_app)
    with monkeypatch.context() as patched:
        patched.setattr("comptoir.web.host.REST_SECONDS", -1)
        host.follow()
    yield host
    host.close()


def signed_on(deployment: Deployment) -> int:
    with Session(deployment.engine) as session:
        return session.scalar(select(func.count()).select_from(ProcessRow)) or 0


def test_an_idle_deployment_is_left_alone_and_nobody_waits_for_it(deployment: Deployment, sleeper: Host) -> None:
    assert until(lambda: watching() == []), "who watches asks the database"
    assert signed_on(deployment) == 0


def test_who_wakes_a_deployment_gets_what_it_is_now(deployment: Deployment, sleeper: Host) -> None:
    with Session(deployment.engine) as session, session.begin():
        raise_generation(session)
    assert sleeper.generation != deployment.current_generation()
    answer = Client(sleeper).get("/login")
    assert (answer.status_code, sleeper.generation) == (200, deployment.current_generation())
    assert until(lambda: signed_on(deployment) == 1)


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        threading.Event().wait(0.02)
    return holds()
