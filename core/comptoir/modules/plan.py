"""What an action on modules would do: their needs, tables, routes, rights; nothing has happened yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.orm import Session

from comptoir.access.models import Role
from comptoir.contributions import Contribution, MenuItem, Panel, RoleTemplate, Tab, Tile
from comptoir.db.base import Base
from comptoir.db.migrations import pending
from comptoir.deployment import Deployment
from comptoir.errors import NotFound, PluginError, RuleViolation
from comptoir.i18n import Text, _, ngettext
from comptoir.modules.export import FOLDER
from comptoir.modules.restore import Restored
from comptoir.modules.schema import unit_of
from comptoir.registry.discover import dependants, with_requirements
from comptoir.registry.models import ModuleRow, State
from comptoir.registry.registry import Registry, build_registry
from comptoir.registry.schema import missing_migration
from comptoir.registry.trial import try_out
from comptoir.reports import Report

SHOWN: tuple[tuple[Text, type[Contribution]], ...] = (
    (_("menu entries"), MenuItem),
    (_("tabs"), Tab),
    (_("panels"), Panel),
    (_("tiles"), Tile),
    (_("reports"), Report),
)
"""What a plan counts among what appears or goes."""

RouteTable = Callable[[Registry], Iterable[str]]
"""Every route of a generation as text; the web layer knows it and callers pass it in."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, module by module in order; nothing has happened yet."""

    action: str
    modules: tuple[str, ...]
    because: Mapping[str, str] = field(default_factory=dict)
    """Modules that come along, with the one that asks for them."""
    revisions: tuple[str, ...] = ()
    tables: Mapping[str, int] = field(default_factory=dict)
    """Tables that appear or go, with the rows they hold now."""
    kept_tables: Mapping[str, int] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Roles that are created from the module's templates, or go with it."""
    screens: Mapping[str, int] = field(default_factory=dict)
    """How many menu entries, tabs, panels, tiles and reports appear or go."""
    files: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan in words, one line each."""
        verb = {
            "enable": _("Enable {name}"),
            "pause": _("Pause {name}"),
            "resume": _("Resume {name}"),
            "uninstall": _("Uninstall {name}"),
        }[self.action]
        found = []
        for name in self.modules:
            reason = self.because.get(name)
            found.append(str(verb.format(name=name)) + (f" ({_('needed by {name}', name=reason)})" if reason else ""))
        found += [str(_("migration {revision}", revision=revision)) for revision in self.revisions]
        for table, rows in self.tables.items():
            found.append(str(ngettext("table {table}, {count} row", "table {table}, {count} rows", rows, table=table)))
        for table, rows in self.kept_tables.items():
            found.append(
                str(
                    ngettext("keeps table {table}, {count} row", "keeps table {table}, {count} rows", rows, table=table)
                )
            )
        found += [str(_("route {route}", route=route)) for route in self.routes]
        found += [str(_("job {job}", job=job)) for job in self.jobs]
        found += [str(_("permission {permission}", permission=permission)) for permission in self.permissions]
        found += [str(_("role {role}", role=role)) for role in self.roles]
        found += [f"{count} {what}" for what, count in self.screens.items() if count]
        found += [str(_("file {file}", file=file)) for file in self.files]
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, and the proof that nothing else changed."""

    plan: Plan
    export: Path | None = None
    untouched: bool | None = None
    """After an uninstall: whether everything outside the module is as it was."""
    restored: tuple[Restored, ...] = ()


def states(session: Session) -> dict[str, State]:
    """The state of every module that was ever enabled and not uninstalled."""
    return {name: State(state) for name, state in session.execute(select(ModuleRow.name, ModuleRow.state))}


def plan(
    deployment: Deployment,
    action: str,
    names: Sequence[str],
    *,
    routes: RouteTable | None = None,
    cascade: bool = False,
) -> Plan:
    """What ``action`` (enable, pause, resume, uninstall) on these modules would do; refuses what cannot be done.

    ``cascade`` takes the modules that need them along when pausing.
    """
    available = deployment.available()
    with deployment.engine.connect() as connection:
        session = Session(connection)
        current = states(session)
        modules, because = _resolve(deployment, action, names, available, current, cascade)
        after_states = dict(current)
        for name in modules:
            after_states[name] = State.PAUSED if action == "pause" else State.ENABLED
            if action == "uninstall":
                del after_states[name]
        if action in ("enable", "resume"):
            for name in modules:
                if name in available:
                    try_out(available[name])
        before = build_registry(available, [n for n, s in current.items() if s is State.ENABLED])
        after = build_registry(available, [n for n, s in after_states.items() if s is State.ENABLED])
        with_module = build_registry(available, [*current, *modules])
        if action in ("enable", "resume"):
            _refuse_broken(after, modules)
            _refuse_tableless(connection, after, modules)
        small, large = (before, after) if action in ("enable", "resume") else (after, with_module)
        tables: dict[str, int] = {}
        kept: dict[str, int] = {}
        for name in modules:
            for table in with_module.plugins[name].tables if name in with_module.plugins else ():
                exists = inspect(connection).has_table(table)
                rows = connection.scalar(select(func.count()).select_from(Base.metadata.tables[table])) if exists else 0
                if action == "uninstall" or (action == "enable" and not exists):
                    tables[table] = rows or 0
                else:
                    kept[table] = rows or 0
        revisions: list[str] = []
        if action == "enable":
            for name in modules:
                revisions += pending(connection, unit_of(after, name))
        listed = routes or (lambda registry: ())
        return Plan(
            action=action,
            modules=tuple(modules),
            because=because,
            revisions=tuple(revisions),
            tables=tables,
            kept_tables=kept,
            routes=tuple(sorted(set(listed(large)) - set(listed(small)))),
            jobs=tuple(sorted(set(large.jobs) - set(small.jobs))),
            permissions=tuple(sorted(set(large.permissions) - set(small.permissions))),
            roles=_roles(session, action, modules, after, current),
            screens={
                str(label): len(large.contributions(kind)) - len(small.contributions(kind)) for label, kind in SHOWN
            },
            files=(str(export_path(deployment, modules[0])),) if action == "uninstall" and modules else (),
        )


def _roles(
    session: Session, action: str, modules: Sequence[str], after: Registry, current: Mapping[str, State]
) -> tuple[str, ...]:
    if action == "enable":
        fresh = [name for name in modules if name not in current]
        return tuple(str(t.label) for p, t in after.contributions(RoleTemplate) if p.name in fresh)
    if action == "uninstall":
        found: list[str] = []
        for name in modules:
            found += session.scalars(select(Role.name).where(Role.template.startswith(f"{name}.", autoescape=True)))
        return tuple(found)
    return ()


def _resolve(
    deployment: Deployment,
    action: str,
    names: Sequence[str],
    available: Any,
    current: Mapping[str, State],
    cascade: bool,
) -> tuple[list[str], dict[str, str]]:
    because: dict[str, str] = {}
    chosen: list[str] = []
    for name in names:
        if name == "base":
            raise RuleViolation("core.base_stays", _("Base is always on."))
        if name not in available and name not in current:
            raise NotFound(
                _("There is no module {name}. Installed: {known}.", name=name, known=", ".join(sorted(available)))
            )
        if action == "enable":
            for needed in with_requirements(available, [name]):
                if current.get(needed) is not State.ENABLED and needed not in chosen and needed != "base":
                    chosen.append(needed)
                    if needed != name:
                        because[needed] = name
        elif action == "resume":
            if current.get(name) is not State.PAUSED:
                raise RuleViolation("core.not_paused", _("{name} is not paused.", name=name))
            off = [
                n
                for n in with_requirements(available, [name])
                if n not in ("base", name) and current.get(n) is not State.ENABLED
            ]
            if off:
                raise RuleViolation(
                    "core.needs_modules",
                    _("{name} needs {others}. Resume them first.", name=name, others=", ".join(off)),
                )
            chosen.append(name)
        elif action == "pause":
            if current.get(name) is not State.ENABLED:
                raise RuleViolation("core.not_enabled", _("{name} is not enabled.", name=name))
            needing = [n for n in dependants(available, name) if current.get(n) is State.ENABLED and n not in names]
            if needing and not cascade:
                raise RuleViolation(
                    "core.needed",
                    _("{name} is needed by {others}. Pause them first.", name=name, others=", ".join(needing)),
                )
            for other in needing:
                because[other] = name
            chosen += [other for other in (*needing, name) if other not in chosen]
        else:
            if name not in current:
                raise RuleViolation("core.not_installed", _("{name} is not enabled or paused.", name=name))
            needing = [n for n in dependants(available, name) if n in current and n not in names]
            if needing:
                raise RuleViolation(
                    "core.needed",
                    _("{name} is needed by {others}. Uninstall them first.", name=name, others=", ".join(needing)),
                )
            chosen.append(name)
    if action == "enable":
        for name in chosen:
            if not deployment.settings.is_entitled(name):
                raise RuleViolation(
                    "core.not_entitled",
                    _("{name} is not in this deployment's plan. Add it to entitlement.modules first.", name=name),
                )
    return chosen, because


def _refuse_broken(registry: Registry, names: Iterable[str]) -> None:
    for name in names:
        fault = registry.quarantined.get(name)
        if fault is not None:
            raise PluginError(name, fault.reason)


def _refuse_tableless(connection: Connection, registry: Registry, names: Iterable[str]) -> None:
    for name in names:
        if (fault := missing_migration(connection, registry.plugins[name])) is not None:
            raise PluginError(name, fault)


def current_states(deployment: Deployment) -> dict[str, State]:
    """The states of a deployment's modules, read now."""
    with Session(deployment.engine) as session:
        return states(session)


def export_path(deployment: Deployment, name: str) -> Path:
    """Where the data of a module goes when it is uninstalled now."""
    stamp = deployment.clock().strftime("%Y%m%dT%H%M%S")
    return deployment.settings.data_dir / FOLDER / f"{name}-{stamp}.zip"
