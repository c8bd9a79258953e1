"""Both engines for the tests of the database layer."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database for a whole module of tests."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('db')}/test.db"
        return
    try:
        server_url()
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))
    with fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_engine(module_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(module_url)
    yield engine
    engine.dispose()
