"""The life of a module in a deployment: planned beforehand, carried out in one transaction, proved afterwards."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, delete, func, inspect, select, update
from sqlalchemy.orm import Session

from comptoir.access.models import Role, RolePermission, UserRole
from comptoir.access.permissions import Actor, raise_access_stamp, system_actor
from comptoir.access.roles import copy_templates
from comptoir.context import Context
from comptoir.db.base import Base
from comptoir.db.migrations import Unit, pending, remove, schema_change, upgrade
from comptoir.db.outages import outage_of
from comptoir.edge import perform, trying_again
from comptoir.errors import ComptoirError, NotFound, PluginError, RuleViolation
from comptoir.i18n import Text, _, ngettext
from comptoir.records.history import HistoryEntry
from comptoir.registry.discover import dependants, with_requirements
from comptoir.registry.export import export_module
from comptoir.registry.fingerprint import Fingerprint, fingerprint
from comptoir.registry.models import DemoRecord, Generation, ModuleRow, QuarantineRow, State
from comptoir.registry.plugin import readable
from comptoir.registry.registry import Registry, build_registry

if TYPE_CHECKING:
    from comptoir.deployment import Deployment

T = TypeVar("T")
log = logging.getLogger("comptoir.lifecycle")

CORE_FOLDER = Path(__file__).parent.parent / "migrations"
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


# -- the first start ------------------------------------------------------------------------------------------------------


def core_unit() -> Unit:
    """The schema of the core itself."""
    return Unit("comptoir", CORE_FOLDER, frozenset(name for name in Base.metadata.tables if name.startswith("core_")))


def unit_of(registry: Registry, name: str) -> Unit:
    """The schema of an enabled plugin."""
    plugin = registry.plugins[name]
    return Unit(name, plugin.folder / "migrations", frozenset(plugin.tables))


def initialise(deployment: Deployment) -> None:
    """Create the core's and base's tables, roles and first generation in an empty database; harmless when repeated."""
    registry = build_registry(deployment.available(), [], generation=1)

    def create(connection: Connection) -> None:
        upgrade(connection, core_unit())
        upgrade(connection, unit_of(registry, "base"))

    def begin(ctx: Context) -> None:
        session = ctx.system_session
        if session.get(Generation, 1) is None:
            session.add(Generation(id=1, number=1))
        if session.get(ModuleRow, "base") is None:
            _record_state(ctx, "base", State.ENABLED)
            raise_access_stamp(session)
            _seed(ctx, "base")
            copy_templates(session, [t for _plugin, t in registry.contributions("contribute_roles")])

    _change_schema(deployment, registry, system_actor("comptoir init"), begin, before=create)
    deployment.refresh(force=True)


def upgrade_all(deployment: Deployment, modules: Collection[str] | None = None, *, dry_run: bool = False) -> list[str]:
    """Run the pending migrations of the core and of every enabled or paused module, or of ``modules`` alone; returns the revisions."""
    with deployment.engine.connect() as connection:
        session = Session(connection)
        names = list(session.scalars(select(ModuleRow.name)))
        registry = build_registry(deployment.available(), names)
        units = [unit_of(registry, name) for name in registry.plugins if modules is None or name in modules]
        if modules is None:
            units.insert(0, core_unit())
        steps = [revision for unit in units for revision in pending(connection, unit)]
    if dry_run or not steps:
        return steps

    def migrate() -> None:
        with schema_change(deployment.engine) as connection:
            for unit in units:
                upgrade(connection, unit)
            session = Session(connection)
            for name, plugin in registry.plugins.items():
                version = plugin.available.version
                session.execute(update(ModuleRow).where(ModuleRow.name == name).values(version=version))
            _raise_generation(session)
            session.flush()

    trying_again(migrate)
    deployment.refresh()
    return steps


# -- plans ----------------------------------------------------------------------------------------------------------------


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
        before = build_registry(available, [n for n, s in current.items() if s is State.ENABLED])
        after = build_registry(available, [n for n, s in after_states.items() if s is State.ENABLED])
        with_module = build_registry(available, [*current, *modules])
        if action in ("enable", "resume"):
            _refuse_broken(after, modules)
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
                str(label): sum(1 for _x in large.contributions(hook)) - sum(1 for _x in small.contributions(hook))
                for label, hook in (
                    (_("menu entries"), "contribute_menu"),
                    (_("tabs"), "contribute_tabs"),
                    (_("panels"), "contribute_panels"),
                    (_("tiles"), "contribute_tiles"),
                    (_("reports"), "contribute_reports"),
                )
            },
            files=(str(_export_path(deployment, modules[0])),) if action == "uninstall" and modules else (),
        )


def _roles(
    session: Session, action: str, modules: Sequence[str], after: Registry, current: Mapping[str, State]
) -> tuple[str, ...]:
    if action == "enable":
        fresh = [name for name in modules if name not in current]
        return tuple(str(t.label) for p, t in after.contributions("contribute_roles") if p.name in fresh)
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


# -- deeds ----------------------------------------------------------------------------------------------------------------


def enable_modules(
    deployment: Deployment,
    names: Sequence[str],
    *,
    actor: Actor | None = None,
    demo: bool = False,
    progress: Callable[[Text], None] | None = None,
) -> Outcome:
    """Enable modules and what they need: migrate, copy role templates, seed, raise the generation; all or nothing."""
    made = plan(deployment, "enable", names)
    if made.modules:
        current = _current(deployment)
        enabled = [n for n, s in current.items() if s is State.ENABLED]
        registry = build_registry(deployment.available(), [*enabled, *made.modules])
        for name in made.modules:
            _migrate_and_seed(deployment, registry, name, actor, current.get(name), progress)
    if demo:
        from comptoir.registry.demo import load_demo

        load_demo(deployment, actor=actor)
    deployment.refresh()
    return Outcome(made)


def _migrate_and_seed(
    deployment: Deployment,
    registry: Registry,
    name: str,
    actor: Actor | None,
    was: State | None,
    progress: Callable[[Text], None] | None,
) -> None:
    if progress is not None:
        progress(_("Enabling {name}", name=name))

    def enable(ctx: Context) -> None:
        _record_state(ctx, name, State.ENABLED)
        if was is None:
            copy_templates(
                ctx.system_session,
                [t for p, t in registry.contributions("contribute_roles") if p.name == name],
            )
            _seed(ctx, name)
        raise_access_stamp(ctx.system_session)
        registry.hooks.on_module_enabled(ctx=ctx, name=name)
        _raise_generation(ctx.system_session)

    try:
        _change_schema(
            deployment, registry, actor, enable, before=lambda connection: upgrade(connection, unit_of(registry, name))
        )
    except ComptoirError:
        raise
    except Exception as error:
        if (outage := outage_of(error)) is not None:  # not the module's fault
            raise outage from error
        quarantine(deployment, name, "migration", readable(error))
        raise PluginError(
            name, _("It cannot be enabled: {reason}. Nothing was changed.", reason=readable(error))
        ) from error


def pause_modules(
    deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None, cascade: bool = False
) -> Outcome:
    """Silence modules and keep their data."""
    made = plan(deployment, "pause", names, cascade=cascade)

    def silence(outer: Context) -> None:
        ctx = outer.as_system(f"pause {', '.join(made.modules)}")
        for name in made.modules:
            ctx.hooks.on_module_paused(ctx=ctx, name=name)
            _record_state(ctx, name, State.PAUSED, by=outer.actor)
        _raise_generation(ctx.system_session)

    perform(deployment, actor or system_actor("comptoir"), silence)
    deployment.refresh()
    return Outcome(made)


def resume_modules(deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None) -> Outcome:
    """Bring paused modules back with everything they had; runs migrations that were released meanwhile."""
    made = plan(deployment, "resume", names)
    enabled = [n for n, s in _current(deployment).items() if s is State.ENABLED]
    registry = build_registry(deployment.available(), [*enabled, *made.modules])

    def migrate(connection: Connection) -> None:
        for name in made.modules:
            upgrade(connection, unit_of(registry, name))

    def wake(ctx: Context) -> None:
        for name in made.modules:
            _record_state(ctx, name, State.ENABLED)
            registry.hooks.on_module_resumed(ctx=ctx, name=name)
        _raise_generation(ctx.system_session)

    _change_schema(deployment, registry, actor, wake, before=migrate)
    deployment.refresh()
    return Outcome(made)


def uninstall_modules(deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None) -> Outcome:
    """Export a module's data, drop its tables and everything the core keeps about them; compares the rest before and after."""
    made = plan(deployment, "uninstall", names)
    outcome = Outcome(made)
    for name in made.modules:
        outcome = _uninstall(deployment, made, name, actor)
    deployment.refresh()
    return outcome


def _uninstall(deployment: Deployment, made: Plan, name: str, actor: Actor | None) -> Outcome:
    current = _current(deployment)
    registry = build_registry(deployment.available(), list(current))
    if name not in registry.plugins:
        raise PluginError(
            name,
            _("Its code is needed to take its tables away: {reason}", reason=registry.quarantined[name].reason),
        )
    types = [d.name for d in registry.record_types.values() if d.module == name]
    before = fingerprint(deployment, excluding=name, registry=registry)
    # two steps on purpose: every worker stops using the tables before they go
    if current[name] is State.ENABLED:
        pause_modules(deployment, [name], actor=actor)

    def take_away(ctx: Context) -> Path:
        session = ctx.system_session
        connection = session.connection()
        exported = export_module(connection, registry, name, _export_path(deployment, name), deployment.clock())
        for outcome in ctx.each_hook("check_module_removal", ctx=ctx, name=name):
            outcome()
        _forget(session, registry, name, types)
        _raise_generation(session)
        raise_access_stamp(session)
        ctx.write_outbox()  # while the tables of what is told are there
        session.flush()
        remove(connection, unit_of(registry, name))
        return exported

    exported = _change_schema(deployment, registry, actor, take_away)
    after = fingerprint(deployment, excluding=name, registry=registry)
    return Outcome(made, export=exported, untouched=before == after)


def _forget(session: Session, registry: Registry, name: str, types: Sequence[str]) -> None:
    """Remove what the core keeps about a module's records: history, rights, demo marks, links from other records."""
    session.execute(delete(HistoryEntry).where(HistoryEntry.record_type.in_(types)))
    session.execute(delete(DemoRecord).where(DemoRecord.record_type.in_(types)))
    session.execute(delete(RolePermission).where(RolePermission.permission.startswith(f"{name}.", autoescape=True)))
    own_roles = select(Role.id).where(Role.template.startswith(f"{name}.", autoescape=True))
    for link in (RolePermission, UserRole):  # foreign keys rest during a schema change on SQLite: nothing cascades
        session.execute(delete(link).where(link.role_id.in_(own_roles)))
    session.execute(delete(Role).where(Role.id.in_(own_roles)))
    session.execute(delete(ModuleRow).where(ModuleRow.name == name))
    session.execute(delete(QuarantineRow).where(QuarantineRow.module == name))
    for model in registry.models:
        columns: Any = model.__table__.c
        if "about_type" in columns and model.__tablename__ not in registry.plugins[name].tables:
            session.execute(update(model).where(columns.about_type.in_(types)).values(about_type=None, about_id=None))


def quarantine(deployment: Deployment, name: str, phase: str, reason: str) -> None:
    """Remember why a module does not run, for the modules page and ``comptoir check``."""
    with deployment.engine.connect().execution_options(comptoir_write=True) as connection, connection.begin():
        session = Session(connection)
        row = session.get(QuarantineRow, name) or QuarantineRow(module=name)
        row.phase, row.reason, row.at = phase, reason, deployment.clock()
        session.add(row)
        session.flush()


# -- shared steps -----------------------------------------------------------------------------------------------------------


class _JoinedUnit:
    """The system half of a unit of work, on a connection that somebody else commits."""

    def __init__(self, connection: Connection) -> None:
        self._session = Session(connection, join_transaction_mode="rollback_only", expire_on_commit=False)

    @property
    def system(self) -> Session:
        """The unrestricted session."""
        return self._session

    @property
    def user(self) -> Session:
        """There is no user in a schema change: the same session."""
        return self._session

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the change that is undone alone when it raises."""
        with self._session.begin_nested():
            yield

    reading = savepoint


def _change_schema(
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


def _current(deployment: Deployment) -> dict[str, State]:
    with Session(deployment.engine) as session:
        return states(session)


def _record_state(ctx: Context, name: str, state: State, by: Actor | None = None) -> None:
    session, now = ctx.system_session, ctx.now()
    session.execute(delete(QuarantineRow).where(QuarantineRow.module == name))
    row = session.get(ModuleRow, name)
    if row is None:
        row = ModuleRow(name=name, enabled_at=now)
        session.add(row)
    plugin = ctx.registry.plugins.get(name)
    row.state, row.changed_at, row.changed_by = state, now, (by or ctx.actor).name[:255]
    row.version = plugin.available.version if plugin is not None else row.version
    session.flush()


def _seed(ctx: Context, name: str) -> None:
    for implementation in ctx.hooks.seed_module.get_hookimpls():
        if implementation.plugin_name.partition("/")[0] == name:
            implementation.function(ctx=ctx)


def _raise_generation(session: Session) -> None:
    session.execute(update(Generation).where(Generation.id == 1).values(number=Generation.number + 1))
    session.flush()


def _export_path(deployment: Deployment, name: str) -> Path:
    stamp = deployment.clock().strftime("%Y%m%dT%H%M%S")
    return deployment.settings.data_dir / "exports" / f"{name}-{stamp}.zip"


__all__ = [
    "Fingerprint",
    "Outcome",
    "Plan",
    "core_unit",
    "enable_modules",
    "initialise",
    "pause_modules",
    "plan",
    "quarantine",
    "resume_modules",
    "states",
    "uninstall_modules",
    "unit_of",
    "upgrade_all",
]
