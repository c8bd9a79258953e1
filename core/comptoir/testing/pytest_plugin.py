"""The pytest plugin of Comptoir: fixtures for the tests of the platform and of any plugin.

pytest loads this module at every start: what a fixture needs is imported inside it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: the test runs on a PostgreSQL server")


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
def database_url(request: pytest.FixtureRequest) -> str:
    """The url of an empty database: the test runs once on each engine."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
