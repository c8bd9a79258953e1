"""The unit of work: one database transaction, seen by the system and by a user."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from comptoir.db.engine import WRITE
from comptoir.db.gate import RecordSession

logger = logging.getLogger(__name__)

DRIVERS = ("sqlalchemy.", "sqlite3", "psycopg", "comptoir.db.")
"""Where a thread is that works with its connection: nobody else can close it then."""

_open: defaultdict[int, list[UnitOfWork]] = defaultdict(list)
"""The units of work that are open, by thread."""


class Guard(Protocol):
    """What narrows a user's session: a `comptoir.access.guard.Policy`."""

    def session(self, system: Connection, user_id: int | None) -> RecordSession:
        """A session in the transaction of `system` that sees and changes only what the user may."""


class UnitOfWork:
    """One connection and one transaction with two sessions: `system` sees everything, `user` what the policy lets through.

    Committed when the block ends well, rolled back when it raises; neither session can commit by itself.
    Objects of one session never go into the other: pass ids. Each sees what the other has flushed.
    """

    def __init__(
        self, engine: Engine, policy: Guard | None = None, user_id: int | None = None, *, write: bool = False
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.user_id = user_id
        self.write = write
        self._connection: Connection | None = None
        self._system: RecordSession | None = None
        self._user: RecordSession | None = None
        self._after: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        if self._connection is not None:
            raise RuntimeError("a unit of work is entered once")
        connection = self.engine.connect()
        try:
            if self.write:
                connection = connection.execution_options(**{WRITE: True})
            connection.begin()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        _open[threading.get_ident()].append(self)
        return self

    @property
    def connection(self) -> Connection:
        """The unrestricted connection that holds the transaction."""
        if self._connection is None:
            raise RuntimeError("the unit of work is not open")
        return self._connection

    @property
    def system(self) -> RecordSession:
        """The unrestricted session."""
        if self._system is None:
            self._system = RecordSession(self.connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        return self._system

    @property
    def user(self) -> RecordSession:
        """The session of the user, narrowed by the policy."""
        if self._user is None:
            if self.policy is None:
                raise RuntimeError("this unit of work has no policy, hence no user session")
            self._user = self.policy.session(self.connection, self.user_id)
        return self._user

    def on_commit(self, call: Callable[[], object]) -> None:
        """Have `call` called once the transaction is committed; what it raises is logged, as the work is done."""
        self._after.append(call)

    def flush(self) -> None:
        """Write what both sessions hold, so that each sees the other's rows."""
        for session in self._sessions():
            session.flush()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the work that is undone alone, in both sessions, when it raises."""
        self.flush()
        with self.system.begin_nested():
            self.system.connection()  # starts the savepoint now: it has to lie around the user's
            if self.policy is None:
                yield
            else:
                with self.user.begin_nested():
                    yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A part of the reading that may fail alone: on PostgreSQL a failed statement spoils its whole transaction."""
        if self.connection.dialect.name == "sqlite":
            yield
        else:
            with self.connection.begin_nested():
                yield

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self.connection
        try:
            if kind is None:
                self.flush()
                connection.commit()
        finally:
            # closing what was not committed rolls it back
            try:
                for session in self._sessions():
                    session.close()
                connection.close()
            finally:
                _forget(self)
        if kind is None:
            for call in self._after:
                try:
                    call()
                except Exception:
                    logger.exception("a call after the commit failed")

    def _sessions(self) -> list[RecordSession]:
        return [session for session in (self._user, self._system) if session is not None]


def _forget(unit: UnitOfWork) -> None:
    me = threading.get_ident()
    _open[me].remove(unit)
    if not _open[me]:
        del _open[me]


def take_away(thread: int, frame: FrameType | None) -> bool:
    """End the transactions of another thread, which stands at `frame` and does not come back: nothing of them is kept.

    False where the thread is at work with its connection: a statement of SQLite is ended then, and PostgreSQL has a
    limit for them.
    """
    raw: list[Any] = [unit.connection.connection.driver_connection for unit in _open.get(thread, ())]
    at_work = frame is not None and frame.f_globals.get("__name__", "").startswith(DRIVERS)
    for connection in raw:
        if not at_work:
            connection.close()
        elif hasattr(connection, "interrupt"):
            connection.interrupt()
    return not at_work


def is_busy(error: DBAPIError) -> bool:
    """Whether the same work may succeed when it is tried again: a deadlock, a serialisation failure, a locked file."""
    original = error.orig
    if getattr(original, "sqlstate", None) in {"40001", "40P01", "55P03"}:
        return True
    code = getattr(original, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED and their extended codes
