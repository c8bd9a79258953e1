"""The schemas of a deployment: of the core and of each plugin, and the context of a change to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, update
from sqlalchemy.orm import Session

from comptoir.access.permissions import Actor, system_actor
from comptoir.context import Context
from comptoir.db.gate import RecordSession
from comptoir.db.migrations import Unit, schema_change
from comptoir.deployment import Deployment
from comptoir.edge import perform
from comptoir.registry import schema
from comptoir.registry.models import Generation
from comptoir.registry.registry import Registry

T = TypeVar("T")


def unit_of(registry: Registry, name: str) -> Unit:
    """The schema of an enabled plugin."""
    return schema.unit_of(registry.plugins[name])


class _JoinedUnit:
    """The system half of a unit of work, on a connection that somebody else commits."""

    def __init__(self, connection: Connection) -> None:
        self._session = RecordSession(connection, join_transaction_mode="rollback_only", expire_on_commit=False)

    @property
    def system(self) -> RecordSession:
        """The unrestricted session."""
        return self._session

    @property
    def user(self) -> RecordSession:
        """There is no user in a schema change: the same session."""
        return self._session

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the change that is undone alone when it raises."""
        with self._session.begin_nested():
            yield

    reading = savepoint


def change_schema(
    deployment: Deployment,
    registry: Registry,
    actor: Actor | None,
    work: Callable[[Context], T],
    *,
    before: Callable[[Connection], None] = lambda _connection: None,
) -> T:
    """What `work` returns in a transaction in which tables may change; `before` changes those that it needs.

    What it stores for everyone, such as the names of roles and stages, is in the deployment's language.
    """

    @contextmanager
    def unit() -> Iterator[_JoinedUnit]:
        with schema_change(deployment.engine) as connection:
            before(connection)
            joined = _JoinedUnit(connection)
            with joined.system:
                yield joined
                joined.system.flush()

    chosen = actor or system_actor("comptoir")
    who = Actor(chosen.id, chosen.name, chosen.grants, is_system=True)
    return perform(deployment, who, work, registry=registry, language=deployment.settings.language, unit=unit)


def raise_generation(session: Session) -> None:
    """Have every process build the application anew."""
    session.execute(update(Generation).where(Generation.id == 1).values(number=Generation.number + 1))
    session.flush()
