"""A program that is newer than its database serves nothing until the migrations ran, says what to do, and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.orm import Session

from comptoir.access.models import User
from comptoir.db.gate import opened
from comptoir.db.migrations import Unit, schema_change
from comptoir.deployment import Deployment
from comptoir.errors import ComptoirError
from comptoir.jobs.inspect import run_now
from comptoir.jobs.worker import run_pending
from comptoir.modules.life_cycle import upgrade_all
from comptoir.modules.schema import raise_generation
from comptoir.registry.schema import core_unit, unit_of
from comptoir.testing.platform import PASSWORD
from comptoir.web.app import create_app
from comptoir.web.host import Host

pytestmark = pytest.mark.modules("catalog")
UNITS: dict[str, Callable[[Deployment], Unit]] = {
    "core": lambda _deployment: core_unit(),
    "base": lambda deployment: unit_of(deployment.registry.plugins["base"]),
}


def take_back(deployment: Deployment, unit: Unit) -> None:
    """Bring the tables to where they were before the newest migration."""
    head = unit.script().get_revision(str(unit.head()))
    with schema_change(deployment.engine) as connection, opened("migration"):
        context = MigrationContext.configure(connection, opts={"version_table": unit.version_table})
        with Operations.context(context):
            head.module.downgrade()
        version = sa.table(unit.version_table, sa.column("version_num"))
        connection.execute(sa.update(version).values(version_num=head.down_revision))
        raise_generation(Session(connection))


@pytest.fixture(params=UNITS)
def host(request: pytest.FixtureRequest, deployment: Deployment, make_user: Callable[..., User]) -> Iterator[Host]:
    """A process that serves whilst its core, or base, is behind."""
    make_user("Ana Mureșan", administrator=True, email="ana@example.org")
    with deployment.system_context("test") as ctx:
        run_now(ctx, next(iter(deployment.registry.jobs)))
    serving = Host(deployment, create_app)
    take_back(deployment, UNITS[request.param](deployment))
    serving.follow()
    yield serving
    serving.close()


@pytest.mark.parametrize("address", ["/", "/login", "/base/contacts", "/base/contacts/1", "/account"])
def test_every_page_says_what_to_do(host: Host, address: str) -> None:
    answer = host.app.test_client().get(address)

    assert answer.status_code == 503
    assert "Comptoir is being brought up to date" in answer.text
    assert "comptoir upgrade" in answer.text
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_api_says_so_too(host: Host, method: str) -> None:
    headers = {"Authorization": "Bearer ctr_unknown"}
    answer: Any = host.app.test_client().open(
        "/api/v1/base/contacts", method=method, headers=headers, json={"name": "A"}
    )

    assert answer.status_code == 503
    assert answer.json["type"].endswith("core.upgrade_needed")
    assert "comptoir upgrade" in answer.json["detail"]
    assert answer.headers["Retry-After"]


def test_what_watches_it_still_gets_answers(host: Host) -> None:
    client = host.app.test_client()

    assert client.get("/healthz").status_code == 200
    assert "run: comptoir upgrade" in client.get("/readyz").text


def test_no_job_and_no_command_works_on_it(host: Host) -> None:
    assert run_pending(host.deployment) == []  # the job waits for better times
    with pytest.raises(ComptoirError, match="comptoir upgrade"), host.deployment.system_context("look"):
        pass


def test_once_the_migrations_ran_it_serves_again_by_itself(host: Host) -> None:
    assert upgrade_all(host.deployment)
    host.follow()
    client = host.app.test_client()
    token = client.get("/login").text.partition('name="csrf-token" content="')[2].partition('"')[0]
    client.post("/login", data={"csrf_token": token, "email": "ana@example.org", "password": PASSWORD})

    assert client.get("/base/contacts").status_code == 200
