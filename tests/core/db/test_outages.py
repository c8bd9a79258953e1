"""A database that cannot work says so in words; a fault of ours stays one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from comptoir.db.engine import WRITE, create_engine
from comptoir.db.outages import outage_of, refusal_of
from comptoir.db.types import MoneyType


def error_of(engine: sa.Engine, *statements: str) -> Exception:
    """What the last of these statements raises."""
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        for statement in statements[:-1]:
            connection.exec_driver_sql(statement)
        with pytest.raises(sa.exc.DBAPIError) as raised:
            connection.exec_driver_sql(statements[-1])
    return raised.value


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(postgres_url)
    yield engine
    engine.dispose()


def test_a_full_disk(sqlite: sa.Engine) -> None:
    error = error_of(
        sqlite, "create table t (x)", "pragma max_page_count = 5", "insert into t values (zeroblob(100000))"
    )
    assert "cannot write" in str(outage_of(error))


def test_a_file_that_is_away(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'x' / 'comptoir.db'}")
    (tmp_path / "x").rmdir()
    with pytest.raises(sa.exc.OperationalError) as raised:
        engine.connect()
    assert "cannot write" in str(outage_of(raised.value))


def test_a_file_that_another_process_holds(sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptoir.db.engine.BUSY_SECONDS", 0)
    with sqlite.connect().execution_options(**{WRITE: True}) as holder, holder.begin():
        holder.exec_driver_sql("create table t (x)")
        with (
            sqlite.connect().execution_options(**{WRITE: True}) as other,
            pytest.raises(sa.exc.OperationalError) as raised,
        ):
            other.begin()
    assert "busy" in str(outage_of(raised.value))


@pytest.mark.postgresql
def test_a_statement_that_takes_too_long(postgresql: sa.Engine) -> None:
    error = error_of(postgresql, "set local statement_timeout = 20", "select pg_sleep(5)")
    assert "too long" in str(outage_of(error))


@pytest.mark.postgresql
def test_a_server_that_shuts_down(postgresql: sa.Engine) -> None:
    with postgresql.connect() as connection:
        process = connection.exec_driver_sql("select pg_backend_pid()").scalar()
        with postgresql.connect() as other, other.begin():
            other.exec_driver_sql(f"select pg_terminate_backend({process})")
        with pytest.raises(sa.exc.OperationalError) as raised:
            connection.exec_driver_sql("select 1")
        connection.invalidate()
    assert "does not answer" in str(outage_of(raised.value))


@pytest.mark.postgresql
def test_a_server_that_is_not_there() -> None:
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(sa.exc.OperationalError) as raised:
        engine.connect()
    assert "does not answer" in str(outage_of(raised.value))


def test_a_clash(engine: sa.Engine) -> None:
    error = error_of(
        engine, "create table t (x integer primary key)", "insert into t values (1)", "insert into t values (1)"
    )
    assert refusal_of(error).status == 409  # type: ignore[union-attr]
    assert outage_of(error) is None


def test_a_value_that_no_column_takes(engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(sa.exc.StatementError) as raised:
        connection.execute(sa.select(sa.bindparam("x", 0.5, MoneyType())))
    assert refusal_of(raised.value).status == 422  # type: ignore[union-attr]


def test_a_wrong_statement_is_our_fault(engine: sa.Engine) -> None:
    assert refusal_of(error_of(engine, "selekt 1")) is None
    assert refusal_of(ValueError("no")) is None
