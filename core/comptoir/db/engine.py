"""The system engine of a deployment: SQLite or PostgreSQL, set up alike."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError

from comptoir.db.gate import guard_statements, without_inner_changes
from comptoir.errors import ConfigurationError, Unavailable
from comptoir.i18n import _

BUSY_SECONDS = 10
"""How long a SQLite connection waits for another writer."""

WRITE = "comptoir_write"
"""Execution option of a connection that is going to write: SQLite then takes its write lock at the start."""


def create_engine(url: str | URL, *, statement_seconds: float = 60, pool_size: int = 10) -> Engine:
    """The engine for a ``database_url``; raises ConfigurationError for one that cannot be used.

    `statement_seconds` limits a single statement, on PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            _(
                "database_url is no database URL: write sqlite:///path/to/file.db or postgresql+psycopg://user@host/name."
            )
        ) from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            engine = _sqlite_engine(parsed, pool_size)
        case "postgresql" | "postgresql+psycopg":
            engine = _postgresql_engine(parsed.set(drivername="postgresql+psycopg"), statement_seconds, pool_size)
        case other:
            raise ConfigurationError(
                _("database_url names {name}: use sqlite:///… or postgresql+psycopg://….", name=other)
            )
    guard_statements(engine)
    dialect: Any = engine.dialect
    dialect.statement_compiler = without_inner_changes(dialect.statement_compiler)
    return engine


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(_("database_url names no file: write sqlite:///path/to/file.db."))
    folder = Path(url.database).expanduser().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            _("The folder {folder} of database_url cannot be made: {reason}.", folder=folder, reason=error.strerror)
        ) from None
    engine = sqlalchemy.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, pool_size=pool_size, max_overflow=20, pool_timeout=BUSY_SECONDS
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # the driver must not begin by itself: it would do so late, and not at all before DDL
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # a reader that becomes a writer fails at once when another wrote meanwhile; so writers begin as writers
    if connection.get_execution_options().get(WRITE):
        _begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    """Take the write lock as soon as it is free: SQLite's own waiting sleeps a tenth of a second, and whoever sleeps long starves."""
    raw: Any = connection.connection.driver_connection
    (patience,) = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute("PRAGMA busy_timeout=0")
    try:
        until = time.monotonic() + patience / 1000
        while time.monotonic() < until:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(random.uniform(0.0005, 0.002))
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises as any other statement would
    finally:
        raw.execute(f"PRAGMA busy_timeout={patience}")


@contextmanager
def copied(engine: Engine) -> Iterator[Engine]:
    """An engine for work of which nothing is kept: on SQLite a copy, as nobody else may write while its transaction lasts."""
    if engine.dialect.name != "sqlite":
        yield engine
        return
    with TemporaryDirectory(prefix="comptoir-") as folder:
        file = Path(folder) / "copy.db"
        with closing(sqlite3.connect(file)) as copy, engine.connect() as connection:
            source: Any = connection.connection.driver_connection
            try:
                source.backup(copy)
            except sqlite3.Error as error:
                raise Unavailable(
                    _("The database cannot be copied to {folder}: {reason}.", folder=folder, reason=error)
                ) from None
        other = create_engine(f"sqlite:///{file}")
        try:
            yield other
        finally:
            other.dispose()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is going to write, committed at the end of the block."""
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        yield connection


def _postgresql_engine(url: URL, statement_seconds: float, pool_size: int) -> Engine:
    options = f"-c timezone=UTC -c statement_timeout={int(statement_seconds * 1000)}"
    return sqlalchemy.create_engine(
        url,
        connect_args={"options": options, "connect_timeout": BUSY_SECONDS},
        pool_size=pool_size,
        max_overflow=20,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
        pool_recycle=1800,
    )
