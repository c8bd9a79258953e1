"""A whole deployment for a test: its database copied from one that was initialised once, its clock set by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import select

import comptoir
from comptoir.access.models import Role, RolePermission, Team, User, UserRole
from comptoir.access.permissions import Actor, actor_of, raise_access_stamp
from comptoir.access.teams import TEAMS, rebuild_closure, set_main_team
from comptoir.access.users import add_user
from comptoir.context import Context
from comptoir.db.base import Base
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.registry.discover import Available, discover_plugins, with_requirements
from comptoir.registry.registry import build_registry
from comptoir.settings import Settings, settings_from
from comptoir.testing.postgres import fresh_database, template_database

START = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
"""Sunday 22 November 2026, eleven o'clock in Bucharest: when every test begins."""

PASSWORD = "a long enough secret"
"""The password of every user that `make_user` creates with an e-mail address."""


class Clock:
    """The time of a test: stands still until told otherwise."""

    def __init__(self, moment: dt.datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> dt.datetime:
        """The moment it is."""
        return self.moment

    def advance(self, **units: float) -> dt.datetime:
        """Let time pass: ``clock.advance(days=3)``."""
        self.moment += dt.timedelta(**units)
        return self.moment


def test_settings(url: str, folder: Path, **overrides: Any) -> Settings:
    """The configuration of a test's deployment."""
    settings = settings_from(
        {
            "deployment": {
                "name": "acme",
                "database_url": url,
                "data_dir": str(folder / "data"),
                "country": "RO",
                "timezone": "Europe/Bucharest",
                "currency": "EUR",
            }
        },
        {},
    )
    return replace(settings, **overrides)


@contextmanager
def copied_deployment(
    engine_name: str,
    folder: Path,
    modules: Sequence[str],
    *,
    clock: Callable[[], dt.datetime],
    cache: Path,
    discover: Callable[[], dict[str, Available]] = discover_plugins,
    unmigrated: bool = False,
    **overrides: Any,
) -> Iterator[Deployment]:
    """A deployment with these modules enabled, on a copy of a database that was filled once for all tests.

    With ``unmigrated`` the modules are made for the test and have no migrations: their tables are created of their models.
    """
    key = _key(engine_name, modules, discover())

    def fill(url: str) -> None:
        made = Deployment(test_settings(url, folder, **overrides), clock=lambda: START, discover=discover)
        try:
            initialise(made)
            for name in with_requirements(discover(), modules):
                import_module(discover()[name].target)  # one's own plugin need not be tried apart
            if unmigrated:
                found = build_registry(discover(), modules).plugins.values()
                tables = [Base.metadata.tables[name] for plugin in found for name in plugin.tables]
                Base.metadata.create_all(made.engine, tables=tables)
            if modules:
                enable_modules(made, modules)
        finally:
            made.close()

    if engine_name == "sqlite":
        original = cache / f"{key}.db"
        if not original.exists():
            unfinished = cache / f"{key}.filling"
            fill(f"sqlite:///{unfinished}")
            unfinished.rename(original)
        copy = folder / "comptoir.db"
        shutil.copyfile(original, copy)
        yield from _opened(f"sqlite:///{copy}", folder, clock, discover, overrides)
    else:
        with fresh_database(template=template_database(key, fill)) as url:
            yield from _opened(url, folder, clock, discover, overrides)


def _opened(url: str, folder: Path, clock: Any, discover: Any, overrides: Any) -> Iterator[Deployment]:
    deployment = Deployment(test_settings(url, folder, **overrides), clock=clock, discover=discover)
    try:
        yield deployment
    finally:
        deployment.close()


def _key(engine_name: str, modules: Sequence[str], available: Mapping[str, Available]) -> str:
    """Changes with the modules, their versions and their migrations, so that no stale copy is ever used."""
    digest = hashlib.sha256(f"{engine_name} {sorted(modules)} {sorted(available.items(), key=str)}".encode())
    digest.update(_platform_state().encode())
    roots = []
    for name in modules:
        module = __import__(available[name].target.partition(".")[0]) if name in available else None
        if module is not None and module.__file__:
            roots.append(Path(module.__file__).parent)
    digest.update("".join(map(_state, roots)).encode())
    return digest.hexdigest()[:16]


def _state(root: Path) -> str:
    """What changes with every source below a folder."""
    stats = ((path, path.stat()) for path in sorted(root.rglob("*.py")))
    return "".join(f"{path}{stat.st_mtime_ns}{stat.st_size}" for path, stat in stats)


@cache
def _platform_state() -> str:
    return _state(Path(comptoir.__file__).parent)


class Stage:
    """What a story needs beside the deployment: people, and contexts for them."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._open: Context | None = None

    @contextmanager
    def system(self) -> Iterator[Context]:
        """A system context in a unit of work of its own; the one that is open already, when there is one."""
        if self._open is not None:
            yield self._open
            return
        with self.deployment.system_context("test") as ctx:
            self._open = ctx
            try:
                yield ctx
            finally:
                self._open = None

    def team(self, name: str, parent: Team | None = None) -> Team:
        """A team, below another one if given."""
        with self.system() as ctx:
            now = ctx.now()
            row = Team(
                name=name,
                parent_id=parent.id if parent else None,
                created_at=now,
                updated_at=now,
                custom={},
                search_key="",
            )
            ctx.session.write([row], TEAMS)
            rebuild_closure(ctx.session)
            return row

    def user(
        self,
        name: str = "Ana Mureșan",
        *,
        grants: Mapping[str, str] | None = None,
        team: Team | None = None,
        administrator: bool = False,
        email: str | None = None,
    ) -> User:
        """A user with a role of their own that holds ``grants``: permission to scope."""
        with self.system() as ctx:
            session = ctx.session
            row = add_user(session, name=name, email=email, password=PASSWORD if email else None, now=ctx.now())
            if team is not None:
                row.team_id = team.id
                session.write([row], TEAMS)
                set_main_team(session, row)
            role = Role(name=f"role of {name} {row.id}")
            session.add(role)
            session.flush()
            held = {"core.admin": "all"} if administrator else dict(grants or {})
            session.add_all(RolePermission(role_id=role.id, permission=p, scope=s) for p, s in held.items())
            session.add(UserRole(user_id=row.id, role_id=role.id))
            raise_access_stamp(session)
            session.flush()
            return row

    def actor(self, user: User) -> Actor:
        """The actor that a user is now."""
        with self.system() as ctx:
            found = ctx.session.scalars(select(User).where(User.id == user.id)).one()
            return actor_of(ctx.session, found, self.deployment.registry.permissions)

    @contextmanager
    def acting(self, user: User, *, write: bool = True) -> Iterator[Context]:
        """A context for a user, in the open unit of work or in one of its own."""
        actor = self.actor(user)
        with self.deployment.context(actor, write=write) as ctx:
            yield ctx
