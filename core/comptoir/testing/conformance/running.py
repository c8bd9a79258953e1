"""A plugin in the deployments that its checks need, on one engine; each is made when the first check asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Column, inspect, select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BooleanClauseList

from comptoir.access.models import Role, RolePermission
from comptoir.base.models import Contact
from comptoir.db.search import SearchEntry
from comptoir.deployment import Deployment
from comptoir.modules.fingerprint import Fingerprint, fingerprint
from comptoir.modules.life_cycle import enable_modules, pause_modules, resume_modules
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.history import HistoryEntry
from comptoir.records.write import save
from comptoir.registry.discover import dependants, with_requirements
from comptoir.registry.registry import Registry
from comptoir.testing.conformance.check import NotApplicable
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.costs import costs_of
from comptoir.testing.conformance.source import BASE
from comptoir.testing.conformance.world import Visitor, World, listening
from comptoir.testing.platform import START, Clock, copied_deployment


class Running:
    """The plugin in use on one engine."""

    def __init__(self, code: Code, engine: str, folder: Path) -> None:
        self.code = code
        self.engine = engine
        self.clock = Clock(START)
        self.scattered: dict[str, set[str]] = {}
        """Where the plugin joined columns of several tables by OR, with the tables."""
        self._folder = folder
        self._count = 0
        self._open = ExitStack()

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.code.source.name

    def close(self) -> None:
        """Throw the deployments away."""
        self._open.close()

    @contextmanager
    def deployment(self, modules: Sequence[str]) -> Iterator[Deployment]:
        """A fresh deployment with these modules enabled."""
        self._count += 1
        folder = self._folder / f"{self.engine}_{self._count}"
        folder.mkdir(parents=True)
        _ = self.code.registry  # refuses what cannot be built
        with copied_deployment(
            self.engine, folder, modules, clock=self.clock, cache=self._folder, discover=self.code.discover
        ) as deployment:
            yield deployment

    @contextmanager
    def bare(self) -> Iterator[Deployment]:
        """A deployment with what the plugin needs, and without the plugin."""
        with self.deployment(self.needs) as deployment:
            yield deployment

    @property
    def needs(self) -> list[str]:
        """The modules that it requires."""
        return [n for n in with_requirements(self.code.discover(), [self.name]) if n not in (BASE, self.name)]

    @cached_property
    def world(self) -> World:
        """The deployment that most checks look at."""
        modules = [] if self.code.source.is_base else [self.name]
        try:
            deployment = self._open.enter_context(self.deployment(modules))
        except NotApplicable:
            raise
        except Exception as error:
            raise NotApplicable(f"it cannot be enabled: {error}") from error
        self._open.enter_context(listening(self._look_for_or))
        return World(deployment, self.name)

    @property
    def registry(self) -> Registry:
        """What the deployment knows."""
        return self.world.registry

    @property
    def own_types(self) -> Sequence[str]:
        """The plugin's record types of which there is a record."""
        return [name for name in self.world.types if name in self.world.made]

    def sample(self, record_type: str) -> int:
        """The number of a record of this type."""
        return self.world.id_of(record_type)

    def value(self, record_type: str, field: str) -> str:
        """What was given for a field of that record."""
        return str(self.world.made[record_type][1].get(field, ""))

    @contextmanager
    def reader(self) -> Iterator[Visitor]:
        """Somebody who may see all records and change none."""
        yield self.world.reader

    @cached_property
    def costs(self) -> tuple[dict[str, int], dict[str, int]]:
        """The statements of every page with one record of each type, and with eighty."""
        return costs_of(self.world)

    @cached_property
    def life(self) -> Life:
        """What happened as it was enabled, used, paused, resumed, uninstalled and enabled again."""
        if self.code.source.is_base:
            raise NotApplicable("base is always on")
        with self.bare() as deployment:
            try:
                return live(self, deployment)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                return Life(failed={"its use": f"{type(error).__name__}: {error}"})

    @property
    def neighbours(self) -> list[str]:
        """The other installed plugins, but what it needs and what needs it."""
        available = self.code.discover()
        return sorted(set(available) - {BASE, self.name, *self.needs, *dependants(available, self.name)})

    def _look_for_or(self, _connection: Any, clause: Any, *_rest: Any) -> None:
        place = self._own_frame()
        if place is None or not hasattr(clause, "get_children"):
            return
        for element in visitors.iterate(clause):
            if isinstance(element, BooleanClauseList) and element.operator is operators.or_:
                tables = {
                    c.table.name for c in visitors.iterate(element) if isinstance(c, Column) and c.table is not None
                }
                if len(tables) > 1:
                    self.scattered.setdefault(place, set()).update(tables)

    def _own_frame(self) -> str | None:
        frame = sys._getframe(2)
        folder = f"{self.code.source.folder}/"
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(folder) and "/migrations/" not in file:
                return f"{file.removeprefix(folder)}:{frame.f_lineno}"
            frame = frame.f_back  # type: ignore[assignment]
        return None


@dataclass
class Life:
    """The course of a module in a deployment, with what was seen at each station."""

    failed: dict[str, str] = field(default_factory=dict)
    """The stations that raised, with the reason."""
    enabling: list[str] = field(default_factory=list)
    """What else changed as it was enabled."""
    heard: dict[str, list[str]] = field(default_factory=dict)
    """What was still there of it while it was paused, after it was resumed, after it was uninstalled."""
    lost: list[str] = field(default_factory=list)
    """The tables whose rows a pause changed."""
    touched: bool = False
    """Whether the uninstall changed anything outside it."""


def live(running: Running, deployment: Deployment) -> Life:
    """Lead the plugin once through its life, alone."""
    name, life = running.name, Life()
    with deployment.system_context("conformance") as ctx:
        save(ctx, [Contact(name="Here before")])
    before = fingerprint(deployment, excluding=name)

    def station(label: str, act: Callable[[], Any]) -> Any:
        try:
            return act() if not life.failed else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            life.failed[label] = f"{type(error).__name__}: {error}"
            return None

    station("enabling", lambda: enable_modules(deployment, [name]))
    if life.failed:
        return life
    life.enabling = fingerprint(deployment, excluding=name).differences(before)
    used = World(deployment, name)
    _ = used.made
    paths = [a.path for a in used.pages() if "/export" not in a.path][:20]
    rows = _own_rows(deployment, name)
    station("pausing", lambda: pause_modules(deployment, [name]))
    life.heard["paused"] = _absent(deployment, name, paths)
    station("resuming", lambda: resume_modules(deployment, [name]))
    after = _own_rows(deployment, name)
    life.lost = sorted(table for table in rows.keys() | after.keys() if rows.get(table) != after.get(table))
    outcome = station("uninstalling", lambda: uninstall_modules(deployment, [name]))
    life.touched = outcome is not None and not outcome.untouched
    life.heard["uninstalled"] = _absent(deployment, name, paths) + _left(deployment, name)
    station("enabling again", lambda: enable_modules(deployment, [name]))
    return life


def _own_rows(deployment: Deployment, name: str) -> Mapping[str, str]:
    """Digests of its tables, and of what the core keeps about its records: history and search."""
    rows = fingerprint(deployment, excluding="nothing").rows
    own = {table: digest for table, digest in rows.items() if table.startswith(f"{name}_")}
    with deployment.system_context("conformance", write=False) as ctx:
        for model in (HistoryEntry, SearchEntry):
            about = model.record_type.startswith(f"{name}.", autoescape=True)
            own[model.__tablename__] = str(sorted(map(str, ctx.session.execute(select(model.__table__).where(about)))))
    return own


def _absent(deployment: Deployment, name: str, paths: Sequence[str]) -> list[str]:
    """What is there of a module that should be silent, and pages of others that it takes along."""
    world = World(deployment, "base")
    admin = world.administrator
    found = [f"{path} answers {admin.get(path).status_code}" for path in paths if admin.get(path).status_code != 404]
    found += [f"{path} answers {admin.get(path).status_code}" for path in ("/", "/base/contacts", "/reports") if admin.get(path).status_code >= 400]  # fmt: skip
    found += [f"the job {job}" for job in deployment.registry.jobs if job.startswith(f"{name}.")]
    found += [f"the permission {right}" for right in deployment.registry.permissions if right.startswith(f"{name}.")]
    return found


def _left(deployment: Deployment, name: str) -> list[str]:
    """What an uninstalled module has left in the database."""
    tables = inspect(deployment.engine).get_table_names()
    found = [
        f"the table {t}" for t in tables if t.startswith((f"{name}_", f"alembic_version_{name}")) and t != f"{name}_"
    ]
    with deployment.system_context("conformance", write=False) as ctx:
        session = ctx.bookkeeping("conformance")
        for what, column in (
            ("history", HistoryEntry.record_type),
            ("search", SearchEntry.record_type),
            ("rights", RolePermission.permission),
            ("roles", Role.template),
        ):
            if (
                session.scalar(select(column).where(column.startswith(f"{name}.", autoescape=True)).limit(1))
                is not None
            ):
                found.append(f"{what} of it")
    return found


def beside(running: Running, neighbour: str) -> list[str]:
    """What changes for a neighbour when the plugin comes, is used and goes again."""
    modules = [n for n in with_requirements(running.code.discover(), [neighbour, *running.needs]) if n != BASE]
    if running.name in modules:
        return []
    with running.deployment(modules) as deployment:
        other = World(deployment, neighbour)
        _ = other.made
        before: Fingerprint = fingerprint(deployment, excluding=running.name)
        enable_modules(deployment, [running.name])
        found = fingerprint(deployment, excluding=running.name).differences(before)
        together = World(deployment, neighbour)
        answers = {
            path: together.administrator.get(path).status_code for path in (d.url for d in together.types.values())
        }
        found += [f"{path} answers {status}" for path, status in answers.items() if status != 200]
        before = fingerprint(deployment, excluding=running.name)
        uninstall_modules(deployment, [running.name])
        return found + fingerprint(deployment, excluding=running.name).differences(before)
