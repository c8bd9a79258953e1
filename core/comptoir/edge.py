"""The one edge: pages, API calls, commands, changes of modules and jobs all open their work here.

Work is a function of a context. It runs in one transaction, as whoever acts, in their language; what it leaves for
after the commit is written with it; and it is begun anew when another transaction got in its way. So it must have no
effect outside the database: what leaves the house is deferred (docs/plugins/work.md).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from comptoir.access.permissions import Actor
from comptoir.context import Context, Sessions
from comptoir.db.engine import copied
from comptoir.db.unit_of_work import UnitOfWork, is_busy
from comptoir.errors import Behind, Overtaken
from comptoir.i18n import _, current_language, speaking
from comptoir.registry.deadlines import settle
from comptoir.registry.policies import policy_for
from comptoir.registry.registry import Registry

T = TypeVar("T")
Identify = Callable[[UnitOfWork], Actor]
"""Finds out who acts, in the transaction of the work: a session, a token."""

ATTEMPTS = 5
PATIENCE = 10.0
"""Seconds after which no further try begins: whoever waited for a lock so long has waited enough."""


class Host(Protocol):
    """What the edge needs of a deployment."""

    @property
    def engine(self) -> Engine: ...
    @property
    def registry(self) -> Registry: ...

    def context_in(self, uow: Sessions, actor: Actor, registry: Registry | None = None) -> Context:
        """A context on the sessions of a transaction that somebody else commits."""


def perform(
    host: Host,
    who: Actor | Identify,
    work: Callable[[Context], T],
    *,
    write: bool = True,
    registry: Registry | None = None,
    language: str | None = None,
    unit: Callable[[], AbstractContextManager[Sessions]] | None = None,
) -> T:
    """What `work` returns, once its transaction is committed.

    Tried again, up to `ATTEMPTS` times, when the database was busy or somebody else was faster; at last that error is
    raised, which every edge answers with 503 and Retry-After, or 409. `language` is that of system work; a user's
    work speaks the user's. `unit` opens another kind of transaction, such as a change of the schema.
    """

    def attempt() -> T:
        try:
            with opened(host, who, write=write, registry=registry, language=language, unit=unit) as ctx:
                return work(ctx)
        except StaleDataError:
            raise Overtaken(_("Somebody changed it meanwhile. Load it again.")) from None

    return trying_again(attempt)


@contextmanager
def opened(
    host: Host,
    who: Actor | Identify,
    *,
    write: bool = True,
    registry: Registry | None = None,
    language: str | None = None,
    unit: Callable[[], AbstractContextManager[Sessions]] | None = None,
) -> Iterator[Context]:
    """One try of `perform`, for tests and for a person at a prompt: commits at the end, rolls back when it raises."""
    registry = registry or host.registry
    if registry.unready and unit is None:
        raise Behind(registry.unready)
    with unit() if unit is not None else UnitOfWork(host.engine, write=write) as sessions:
        if not callable(who):
            actor = who
        else:
            assert isinstance(sessions, UnitOfWork)
            actor = who(sessions)
        if not actor.is_system and isinstance(sessions, UnitOfWork):
            # the policy follows from the credentials that the same connection just looked up
            sessions.policy, sessions.user_id = policy_for(registry, actor.grants), actor.id
        ctx = host.context_in(sessions, actor, registry)
        with speaking((language or current_language()) if actor.is_system else actor.language):
            try:
                yield ctx
            finally:  # whoever comes to the end of a transaction is no longer disturbed
                settle()
            if write:
                ctx.write_outbox()


def rehearse(host: Host, who: Actor | Identify, work: Callable[[Context], T]) -> T:
    """What `work` returns, of which nothing is kept; on SQLite nobody waits for it, as it is done in a copy."""
    with copied(host.engine) as engine:

        def attempt() -> T:
            with suppress(_Rehearsed), opened(_Elsewhere(host, engine), who) as ctx:
                result = work(ctx)
                raise _Rehearsed
            return result

        return trying_again(attempt)


class _Rehearsed(Exception):
    """Ends a unit of work whose changes are not wanted."""


@dataclass(frozen=True)
class _Elsewhere:
    """A host at work in another database."""

    host: Host
    engine: Engine

    @property
    def registry(self) -> Registry:
        return self.host.registry

    def context_in(self, uow: Sessions, actor: Actor, registry: Registry | None = None) -> Context:
        return self.host.context_in(uow, actor, registry)


def trying_again(attempt: Callable[[], T]) -> T:
    """What `attempt` returns; called again after a short pause of chance length while another transaction is in its way."""
    begun = time.monotonic()
    for pause in (0.02 * 2**number for number in range(1, ATTEMPTS)):
        try:
            return attempt()
        except (DBAPIError, Overtaken) as error:
            if isinstance(error, DBAPIError) and not is_busy(error):
                raise
            if time.monotonic() - begun >= PATIENCE:
                raise
        time.sleep(random.uniform(0.005, pause))
    return attempt()
