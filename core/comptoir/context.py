"""Context: the explicit first argument of every service — who acts, on which session, with which hooks, when."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from comptoir.access.models import Team, User
from comptoir.access.permissions import Actor, system_actor
from comptoir.access.security_log import ACTED_AS_SYSTEM, record_event
from comptoir.db.gate import RecordSession, bulk, uses
from comptoir.db.record import Public, Record
from comptoir.errors import NotAllowed
from comptoir.i18n import _
from comptoir.settings import Settings

if TYPE_CHECKING:
    from comptoir.values import RecordRef

T = TypeVar("T")

KEPT_MARKS = 10_000
_audited: set[tuple[object, ...]] = set()
"""Who passed the rules for which reason on which day: the log tells it once a day and process, the counters how often."""


class Registry(Protocol):
    """What one generation knows, as far as services ask for it: a `comptoir.registry.registry.Registry`."""

    generation: int
    plugins: Mapping[str, Any]
    hooks: Any

    @property
    def models(self) -> Sequence[type[Any]]:
        """Every mapped class."""

    @property
    def record_types(self) -> Mapping[str, Any]:
        """Record types (`comptoir.records.declared.DeclaredType`) by name."""

    @property
    def permissions(self) -> Mapping[str, Any]:
        """Every permission that a role can hold, by name."""

    @property
    def jobs(self) -> Mapping[str, Any]:
        """Scheduled jobs by name."""

    @property
    def deferred_work(self) -> Mapping[str, Any]:
        """Deferred work by name."""

    def record_type(self, key: str | type[Record]) -> Any:
        """The record type with this name or class; `NotFound` when its module is off."""

    @property
    def any_record_fields(self) -> Sequence[tuple[type[Any], str]]:
        """The models with their fields that may point at a record of any type."""

    def target_of(self, address: str) -> Any:
        """The record type that a reference points at, by its table or its name, or None."""

    def table(self, name: str) -> Table:
        """A table by name."""

    def permission_label(self, name: str) -> str:
        """What a permission is called on screens."""


class Sessions(Protocol):
    """The two sessions of one transaction: a `comptoir.db.unit_of_work.UnitOfWork`, or part of a schema change."""

    @property
    def system(self) -> RecordSession:
        """The unrestricted session."""

    @property
    def user(self) -> RecordSession:
        """The session of the actor."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the work that is undone alone when it raises."""

    def reading(self) -> AbstractContextManager[None]:
        """A part of the reading that may fail alone."""


Outbox = Callable[[Session, str, str, Sequence[Any]], None]
"""Writes deferred deliveries: session, hook name, plugin, references."""


class Context:
    """One actor within one unit of work.

    ``session`` sees what the actor may see; `bookkeeping` sees everything and shares the transaction.  Objects loaded
    through one never go to the other.
    """

    def __init__(
        self,
        *,
        unit_of_work: Sessions,
        registry: Registry,
        settings: Settings,
        actor: Actor,
        clock: Callable[[], dt.datetime],
        outbox: Outbox,
    ) -> None:
        self._unit_of_work = unit_of_work
        self.registry = registry
        self.settings = settings
        self.actor = actor
        self._clock = clock
        self._outbox = outbox
        self._pending: dict[str, list[RecordRef]] = defaultdict(list)
        self._kept: dict[Hashable, Any] = {}
        self._reasons: set[str] = set()
        self._teams: dict[int, int | None] = {}
        self._known: dict[str, set[int]] = {}

    @property
    def session(self) -> RecordSession:
        """The actor's session: guarded for a user, unrestricted for the system."""
        return self._unit_of_work.system if self.actor.is_system else self._unit_of_work.user

    def bookkeeping(self, reason: str) -> RecordSession:
        """The unrestricted session of the same transaction, for what must be known whoever asks: taken names, stages, counters.

        Each use is counted by its reason; where a user writes, the security log tells the reason once a day.  Like every
        session it writes no record past `save`, and what it loads never goes to the actor's session.
        """
        uses["bookkeeping", reason] += 1
        if not self.actor.is_system:
            self._reasons.add(reason)
        return self._unit_of_work.system

    @contextmanager
    def bulk(self, reason: str) -> Iterator[None]:
        """Let UPDATE statements on many records through in this block, within the actor's rules; the reason is audited.

        No history, hook or version follows them; stages and what the server keeps are refused all the same.
        """
        self._reasons.add(reason)
        with bulk(reason):
            yield

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the work that is undone alone when it raises."""
        return self._unit_of_work.savepoint()

    def reading(self) -> AbstractContextManager[None]:
        """A part of the reading that may fail alone, such as a panel of a page."""
        return self._unit_of_work.reading()

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """A value that is worked out once in a unit of work, such as the rows of a small table."""
        if key not in self._kept:
            self._kept[key] = compute()
        kept: T = self._kept[key]
        return kept

    def forget(self, key: Hashable) -> None:
        """Work the value of `once` out again at the next question."""
        self._kept.pop(key, None)

    @property
    def hooks(self) -> Any:
        """The hook relay of this generation."""
        return self.registry.hooks

    @property
    def cause(self) -> tuple[str, ...]:
        """The deferred work under way and what led to it, the oldest first; empty where a person acts."""
        cause: tuple[str, ...] = self._unit_of_work.system.info.get("cause", ())
        return cause

    def now(self) -> dt.datetime:
        """The present moment in UTC; tests set it."""
        return self._clock()

    @property
    def timezone(self) -> ZoneInfo:
        """The actor's time zone, else the deployment's."""
        return ZoneInfo(self.actor.timezone) if self.actor.timezone else self.settings.timezone

    def today(self) -> dt.date:
        """The day it is where the actor is."""
        return self.now().astimezone(self.timezone).date()

    # -- rights ---------------------------------------------------------------------------------------------------------

    def refusal(self, permission: str, record: Record | None = None) -> str | None:
        """Why the actor may not do this, in one sentence; None where they may."""
        if self.actor.is_system:
            return None
        scope = self.actor.grants.scope(permission)
        if scope is None:
            return str(
                _(
                    "Your roles do not include “{permission}”. An administrator can grant it.",
                    permission=self.registry.permission_label(permission),
                )
            )
        if record is not None and scope != "all" and not self._within(scope, record):
            return str(
                _(
                    "Your role covers {scope} records; this one belongs to somebody else.",
                    scope=_("your own") if scope == "own" else _("your team’s"),
                )
            )
        for forbidden in self.hooks.forbid_action(ctx=self, action=permission, record=record):
            if forbidden:
                return str(forbidden)
        return None

    def may(self, permission: str, record: Record | None = None) -> bool:
        """Whether the actor may do this."""
        return self.refusal(permission, record) is None

    def require(self, permission: str, records: Sequence[Record] | Record | None = None) -> None:
        """Raise `NotAllowed` with the reason unless the actor may do this to every one of the records."""
        targets: Sequence[Record | None]
        if records is None:
            targets = [None]
        elif isinstance(records, Record):
            targets = [records]
        else:
            targets = records
        for record in targets:
            reason = self.refusal(permission, record)
            if reason is not None:
                raise NotAllowed(reason)

    def _within(self, scope: str, record: Record) -> bool:
        if isinstance(type(record).__record__.visible, Public):
            return True
        if record.owner_id == self.actor.id:
            return True
        return scope == "team" and record.team_id is not None and record.team_id in self.actor.team_ids

    def as_system(self, reason: str) -> Context:
        """A context with every right in the same transaction; the reason is written to the security log."""
        if self.actor.is_system:
            return self
        self._audit(reason)
        return self._twin(system_actor(self.actor.name))

    def _audit(self, reason: str) -> None:
        record_event(self._unit_of_work.system, ACTED_AS_SYSTEM, about=reason)

    def _twin(self, actor: Actor) -> Context:
        twin = Context(
            unit_of_work=self._unit_of_work,
            registry=self.registry,
            settings=self.settings,
            actor=actor,
            clock=self._clock,
            outbox=self._outbox,
        )
        twin._pending, twin._kept = self._pending, self._kept
        return twin

    # -- hooks ----------------------------------------------------------------------------------------------------------

    def each_hook(self, name: str, /, **arguments: Any) -> Iterator[Callable[[], Any]]:
        """Every implementation of a hook as a call of its own, so that one that raises does not silence the others."""
        for implementation in reversed(getattr(self.hooks, name).get_hookimpls()):
            chosen = {key: arguments[key] for key in implementation.argnames}
            yield partial(implementation.function, **chosen)

    def after_commit(self, hook: str, refs: Sequence[RecordRef]) -> None:
        """Deliver ``after_*`` to each plugin once the transaction stands; written to the outbox before it commits."""
        self._pending[hook].extend(refs)

    def write_outbox(self) -> None:
        """Store the pending deliveries, and why the rules were passed by; called by whoever commits the unit of work."""
        for hook, refs in self._pending.items():
            for implementation in getattr(self.hooks, hook).get_hookimpls():
                self._outbox(self._unit_of_work.system, hook, implementation.plugin_name, refs)
        self._pending.clear()
        for reason in sorted(self._reasons):
            mark = (self.settings.database_url, self.actor.id, reason, self.now().date())
            if mark not in _audited:
                if len(_audited) >= KEPT_MARKS:
                    _audited.clear()
                _audited.add(mark)
                self._audit(reason)
        self._reasons.clear()

    # -- small facts that saves need again and again ------------------------------------------------------------------------

    def team_of(self, user_id: int) -> int | None:
        """The main team of a user."""
        if user_id == self.actor.id:
            return self.actor.team_id
        if user_id not in self._teams:
            self._teams.update(self._unit_of_work.system.execute(select(User.id, User.team_id)).all())
            self._known["core_user"] = set(self._teams)
            self._teams.setdefault(user_id, None)
        return self._teams[user_id]

    def knows(self, table: str, ids: set[int]) -> bool:
        """Whether all of these are users, or teams; one's own are known without a look."""
        own = self.actor.id if table == "core_user" else self.actor.team_id
        return ids == {own} or ids <= self.known_ids(table)

    def known_ids(self, table: str) -> set[int]:
        """The ids of all users or teams, which everyone may refer to."""
        if table not in self._known:
            model = {"core_user": User, "core_team": Team}[table]
            self._known[table] = set(self._unit_of_work.system.scalars(select(model.id)))
        return self._known[table]


Values = Mapping[str, Any]
"""Options of a page or a report, as strings by name."""


def unrestricted(ctx: Context, reason: str) -> RecordSession:
    """The unrestricted session for the core's own tables and rules, whoever acts; counted by its reason.

    No plugin reaches it: what a plugin has to know whoever asks is read by `Context.bookkeeping`, which is audited.
    """
    uses["core", reason] += 1
    return ctx._unit_of_work.system
