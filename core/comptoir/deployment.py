"""A deployment: its configuration, its database and the generation that this process serves."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comptoir.access.permissions import Actor, system_actor
from comptoir.context import Context, Sessions
from comptoir.db.engine import create_engine
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.edge import opened
from comptoir.errors import ConfigurationError, Unavailable
from comptoir.i18n import _
from comptoir.jobs.outbox import deliver_later
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.models import Generation, ModuleRow, QuarantineRow, State
from comptoir.registry.registry import Quarantined, Registry, build_registry
from comptoir.registry.schema import core_unit, is_behind, outdated, unit_of
from comptoir.settings import Settings, load_settings

log = logging.getLogger("comptoir")


def utc_now() -> dt.datetime:
    """The present moment in UTC."""
    return dt.datetime.now(dt.UTC)


class Deployment:
    """Opens units of work for web, worker and command line; swaps its registry when the generation rises.

    Safe to share between threads: a registry is immutable, and one thread at a time builds the next.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], dt.datetime] = utc_now,
        discover: Callable[[], dict[str, Available]] = discover_plugins,
        engine: Engine | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = engine if engine is not None else create_engine(settings.database_url)
        self._discover = discover
        self._building = threading.Lock()
        self._registry: Registry | None = None
        self._with_paused: Registry | None = None
        self.build_fault: str | None = None
        """Why the newest generation could not be built, while the last good one serves."""

    @classmethod
    def open(cls, path: Path) -> Deployment:
        """The deployment that a configuration file describes."""
        return cls(load_settings(path))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @property
    def timezone(self) -> Any:
        """The deployment's time zone."""
        return self.settings.timezone

    @property
    def name(self) -> str:
        """The name shown in the interface."""
        return self.settings.name

    # -- generations ----------------------------------------------------------------------------------------------------

    @property
    def registry(self) -> Registry:
        """What this process serves; built at the first use."""
        if self._registry is None:
            self.refresh()
        assert self._registry is not None
        return self._registry

    def available(self) -> dict[str, Available]:
        """The installed plugins, read anew from the distributions' metadata."""
        return self._discover()

    def is_initialised(self) -> bool:
        """Whether the database holds Comptoir's tables."""
        try:
            return inspect(self.engine).has_table("core_generation")
        except DBAPIError as error:
            raise Unavailable(
                _("The database does not answer: {reason}", reason=str(error.orig).strip().splitlines()[0])
            ) from None

    def current_generation(self) -> int:
        """The generation that the database asks for."""
        with self.engine.connect() as connection:
            return connection.scalar(select(Generation.number).where(Generation.id == 1)) or 0

    def refresh(self, *, force: bool = False) -> bool:
        """Build the newest generation if this process does not serve it yet; single-flight; True when it swapped."""
        if self._registry is not None and not force and self._registry.generation == self.current_generation():
            return False
        with self._building:
            if not self.is_initialised():
                raise ConfigurationError(_("The database is empty. Create its tables with: comptoir init"))
            with Session(self.engine) as session:
                number = session.scalar(select(Generation.number).where(Generation.id == 1)) or 0
                if self._registry is not None and not force and self._registry.generation == number:
                    return False
                if is_behind(session.connection(), core_unit()):  # none of its other tables can be relied on
                    self._registry = self._unready(number)
                    return True
                enabled = session.scalars(select(ModuleRow.name).where(ModuleRow.state == State.ENABLED)).all()
                crashed = session.scalars(select(QuarantineRow).where(QuarantineRow.set_aside.is_(True))).all()
                aside = {row.module: Quarantined(row.module, row.phase, row.reason) for row in crashed}
            try:
                built = self._built(enabled, number, aside)
            except Exception as error:
                if self._registry is None:
                    raise
                self.build_fault = str(error)
                log.exception("generation %s cannot be built; serving %s", number, self._registry.generation)
                return False
            self.build_fault = None
            self._registry = built
            self._report(built)
            return True

    def _built(self, enabled: Sequence[str], number: int, aside: Mapping[str, Quarantined]) -> Registry:
        """The registry of a generation, without plugins that crashed too often or whose tables are of another version."""
        available = self.available()
        built = build_registry(available, enabled, generation=number, set_aside=aside)
        with self.engine.connect() as connection:
            if is_behind(connection, unit_of(built.plugins["base"])):
                return self._unready(number)
            others = [plugin for plugin in built.plugins.values() if plugin.name != "base"]
            found = {name: Quarantined(name, "migration", str(reason)) for name, reason in outdated(connection, others)}
        if not found:
            return built
        return build_registry(available, enabled, generation=number, set_aside={**found, **aside})

    def _unready(self, number: int) -> Registry:
        """A registry that serves nothing until the migrations ran, which raises the generation."""
        reason = _("The program is newer than its database. Nothing is lost. On the server, run: comptoir upgrade")
        return build_registry(self.available(), (), generation=number, unready=reason)

    def registry_with_paused(self) -> Registry:
        """A registry that knows the paused modules too, for reading and exporting what they keep; it serves no request."""
        served = self.registry
        if self._with_paused is None or self._with_paused.generation != served.generation:
            with Session(self.engine) as session:
                paused = session.scalars(select(ModuleRow.name).where(ModuleRow.state == State.PAUSED)).all()
            names = [*(name for name in served.plugins if name != "base"), *paused]
            self._with_paused = (
                build_registry(self.available(), names, generation=served.generation) if paused else served
            )
        return self._with_paused

    def _report(self, registry: Registry) -> None:
        """Keep the reasons of quarantined modules where the modules page and ``comptoir check`` read them.

        What was set aside keeps the crash as its reason, whatever this process lacks besides: it leads to the way back.
        """
        try:
            with Session(self.engine) as session:
                rows = session.scalars(select(QuarantineRow)).all()
            aside = {row.module for row in rows if row.set_aside}
            faults = {name: (f.phase, f.reason) for name, f in registry.quarantined.items() if name not in aside}
            counted = {row.module for row in rows if row.phase == "hook" and row.module not in faults}
            known = {row.module: (row.phase, row.reason) for row in rows if row.module not in aside | counted}
            if known == faults:  # every process reports; the first to write is enough
                return
            with UnitOfWork(self.engine, write=True) as uow:
                stored = {row.module: row for row in uow.system.scalars(select(QuarantineRow))}
                for name, fault in registry.quarantined.items():
                    row = stored.pop(name, None) or QuarantineRow(module=name)
                    if row.set_aside:
                        continue
                    row.phase, row.reason, row.at = fault.phase, fault.reason, self.clock()
                    uow.system.add(row)
                for row in stored.values():
                    if row.phase != "hook":
                        uow.system.delete(row)
        except DBAPIError:
            log.exception("the quarantine could not be recorded")

    # -- units of work ----------------------------------------------------------------------------------------------------

    def context(
        self, actor: Actor, *, write: bool = True, registry: Registry | None = None
    ) -> AbstractContextManager[Context]:
        """A context for an actor in one try, for tests and a person at a prompt; all else goes through `edge.perform`."""
        return opened(self, actor, write=write, registry=registry)

    def context_in(self, uow: Sessions, actor: Actor, registry: Registry | None = None) -> Context:
        """A context within a unit of work that somebody else commits (after `Context.write_outbox`)."""
        # deferred work is due by this clock; the security log names this actor
        uow.system.info.update(clock=self.clock, actor=actor)
        return Context(
            unit_of_work=uow,
            registry=registry or self.registry,
            settings=self.settings,
            actor=actor,
            clock=self.clock,
            outbox=deliver_later,
        )

    def system_context(
        self, reason: str, *, write: bool = True, registry: Registry | None = None
    ) -> AbstractContextManager[Context]:
        """A context with every right in one try, as `context`."""
        return self.context(system_actor(reason), write=write, registry=registry)
