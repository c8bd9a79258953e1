"""The tables of users, teams and roles on either engine, and people in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from comptoir.access import models
from comptoir.access.models import User
from comptoir.access.users import add_user
from comptoir.db.base import Base
from comptoir.db.engine import WRITE, create_engine
from comptoir.db.gate import RecordSession
from comptoir.db.search import SearchEntry
from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url

MONDAY = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
TABLES = [
    Base.metadata.tables[value.__tablename__]
    for value in vars(models).values()
    if isinstance(value, type) and issubclass(value, Base) and value.__module__ == models.__name__
] + [Base.metadata.tables[SearchEntry.__tablename__]]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def people_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        yield from _with_tables(f"sqlite:///{tmp_path_factory.mktemp('access') / 'people.db'}")
        return
    try:
        server_url()
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))
    with fresh_database() as url:
        yield from _with_tables(url)


def _with_tables(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    Base.metadata.create_all(engine, tables=TABLES)
    yield engine
    engine.dispose()


@pytest.fixture
def session(people_engine: Engine) -> Iterator[RecordSession]:
    """A session whose work is undone at the end of the test."""
    with people_engine.connect().execution_options(**{WRITE: True}) as connection:
        transaction = connection.begin()
        with RecordSession(connection, join_transaction_mode="rollback_only", expire_on_commit=False) as session:
            yield session
        transaction.rollback()


@pytest.fixture
def now() -> dt.datetime:
    return MONDAY


@pytest.fixture
def person(session: RecordSession, now: dt.datetime) -> Callable[..., User]:
    """Adds a user who can sign in with “correct horse”."""

    def add(name: str = "Ana Pop", **options: Any) -> User:
        options.setdefault("email", name.lower().replace(" ", ".") + "@example.com")
        options.setdefault("password", "correct horse")
        options.setdefault("now", now)
        return add_user(session, name=name, **options)

    return add
