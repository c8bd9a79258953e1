"""The rules of people of the same rights, with the session that keeps them."""

from __future__ import annotations

from sqlalchemy import Connection

from comptoir.access.guard.reach import Reach
from comptoir.access.guard.session import GuardedConnection, GuardedSession, user_engine_for
from comptoir.db.gate import RecordSession


class Policy(Reach):
    """What a user of some roles may see and do, opened as a session."""

    def session(self, system: Connection, user_id: int | None) -> RecordSession:
        """A session in the transaction of `system` that sees and changes only what the user may."""
        connection = GuardedConnection(user_engine_for(system.engine, self), system, user_id)
        return GuardedSession(connection, join_transaction_mode="rollback_only", expire_on_commit=False)
