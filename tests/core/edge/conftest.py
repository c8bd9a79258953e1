"""Another transaction that is in the way of every write, until it has been met once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from comptoir.db.engine import WRITE
from comptoir.db.unit_of_work import is_busy
from comptoir.deployment import Deployment


@pytest.fixture
def impatient(deployment: Deployment) -> Deployment:
    """A deployment whose connections wait a twentieth of a second for a lock, instead of seconds."""

    def hurry(connection: Any, _record: Any) -> None:
        if deployment.engine.dialect.name == "sqlite":
            connection.execute("PRAGMA busy_timeout=50")
        else:
            connection.execute("SET lock_timeout = '50ms'")
            connection.commit()

    event.listen(deployment.engine, "connect", hurry)
    deployment.engine.dispose()
    return deployment


@pytest.fixture
def in_the_way(impatient: Deployment) -> Callable[..., AbstractContextManager[list[str]]]:
    """Hold what writes need: ``with in_the_way(times=1) as met:`` lets go once it was met so often."""
    engine = impatient.engine

    @contextmanager
    def hold(
        times: int = 1, tables: Sequence[str] = ("core_history", "core_user", "core_module")
    ) -> Iterator[list[str]]:
        met: list[str] = []
        with engine.connect().execution_options(**{WRITE: True}) as holder:
            _lock(engine, holder, tables)

            def note(context: Any) -> None:
                if is_busy(context.sqlalchemy_exception):
                    met.append(str(context.statement))
                    if len(met) == times:
                        holder.rollback()

            event.listen(engine, "handle_error", note)
            try:
                yield met
            finally:
                event.remove(engine, "handle_error", note)
                holder.rollback()

    return hold


def _lock(engine: Engine, holder: Connection, tables: Sequence[str]) -> None:
    """SQLite locks the whole file as a write begins; PostgreSQL is asked for the same: others may read, and not write."""
    if engine.dialect.name == "sqlite":
        holder.begin()
    else:
        for name in tables:
            holder.execute(text(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"))
