"""The pytest plugin of Comptoir: fixtures for the tests of the platform and of any plugin.

pytest loads this module at every start: what a fixture needs is imported inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from comptoir.access.models import User
    from comptoir.base.models import Contact
    from comptoir.context import Context
    from comptoir.deployment import Deployment
    from comptoir.testing.platform import Clock, Stage


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("comptoir_plugins", "modules enabled in the fixture `deployment`", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: the test runs on a PostgreSQL server")
    config.addinivalue_line("markers", "modules(*names): the modules enabled in the fixture `deployment`")


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """No test waits for a hash that protects nothing; the processes that a test starts neither."""
    from comptoir.access.passwords import CHEAP

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CHEAP, "1")
        yield


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The url of an empty SQLite database."""
    return f"sqlite:///{tmp_path / 'comptoir.db'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The url of an empty PostgreSQL database."""
    from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url

    try:
        server_url()
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))
    with fresh_database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of a test: it runs once on each."""
    name: str = request.param
    if name == "postgresql":
        from comptoir.testing.postgres import PostgresUnavailable, server_url

        try:
            server_url()
        except PostgresUnavailable as reason:
            pytest.skip(str(reason))
    return name


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest) -> str:
    """The url of an empty database."""
    url: str = request.getfixturevalue("sqlite_url" if engine_name == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def clock() -> Clock:
    """The time of the test: Sunday 22 November 2026, 09:00 UTC, until told otherwise."""
    from comptoir.testing.platform import Clock

    return Clock()


@pytest.fixture
def modules(request: pytest.FixtureRequest) -> list[str]:
    """The modules that `deployment` enables: of the marker ``modules``, else of the ini line ``comptoir_plugins``."""
    marker = request.node.get_closest_marker("modules")
    return list(marker.args) if marker is not None else list(request.config.getini("comptoir_plugins"))


@pytest.fixture(scope="session")
def _databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("databases")


@pytest.fixture
def deployment(
    engine_name: str, tmp_path: Path, modules: list[str], clock: Clock, _databases: Path
) -> Iterator[Deployment]:
    """A deployment with `modules` enabled and an empty database otherwise, on each engine."""
    from comptoir.testing.platform import copied_deployment

    with copied_deployment(engine_name, tmp_path, modules, clock=clock, cache=_databases) as opened:
        yield opened


@pytest.fixture
def stage(deployment: Deployment) -> Stage:
    """People, teams and contexts on the fixture `deployment`."""
    from comptoir.testing.platform import Stage

    return Stage(deployment)


@pytest.fixture
def ctx(stage: Stage) -> Iterator[Context]:
    """A system context for the whole test; committed at its end."""
    with stage.system() as opened:
        yield opened


@pytest.fixture
def make_user(stage: Stage) -> Callable[..., User]:
    """Create a user: ``make_user("Ana", grants={"sales.deal.read": "team"}, team=…)``."""
    return stage.user


@pytest.fixture
def make_contact(stage: Stage) -> Callable[..., Contact]:
    """Create a contact: ``make_contact("Mega Fruct SRL", kind="company")``."""

    def create(name: str, **values: Any) -> Contact:
        from comptoir.base.models import Contact
        from comptoir.records.write import save

        with stage.system() as ctx:
            contact = Contact(name=name, **values)
            save(ctx, [contact])
            return contact

    return create


@pytest.fixture
def app(deployment: Deployment) -> Any:
    """The Flask application of the deployment's present generation."""
    from comptoir.web.app import create_app

    built = create_app(deployment, deployment.registry)
    built.testing = True
    return built


@pytest.fixture
def client(app: Any) -> Any:
    """A browser without JavaScript: Flask's test client."""
    return app.test_client()


@pytest.fixture
def sign_in(client: Any) -> Callable[[User], None]:
    """Sign a user of `make_user` with an e-mail address in to `client`, through the form."""
    from comptoir.testing.platform import PASSWORD

    def enter(user: User) -> None:
        page = client.get("/login").text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        answer = client.post("/login", data={"csrf_token": token, "email": user.email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text

    return enter


@pytest.fixture
def outbox(deployment: Deployment) -> Callable[[], int]:
    """Deliver everything that waits in the outbox now."""

    def deliver() -> int:
        from comptoir.jobs.worker import run_pending

        return len(run_pending(deployment))

    return deliver
