"""The life of a module in a deployment: enabled, paused, resumed; each in one transaction, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.orm import Session

from comptoir.access.permissions import Actor, raise_access_stamp, system_actor
from comptoir.access.roles import copy_templates
from comptoir.access.security_log import MODULE_CHANGED, record_event
from comptoir.context import Context, unrestricted
from comptoir.contributions import RoleTemplate
from comptoir.db.migrations import pending, schema_change, upgrade
from comptoir.db.outages import outage_of
from comptoir.deployment import Deployment
from comptoir.edge import perform, trying_again
from comptoir.errors import ComptoirError, PluginError, RuleViolation
from comptoir.i18n import Text, _
from comptoir.modules.demo import load_demo
from comptoir.modules.export import Export, check_export, exports_of, read_export
from comptoir.modules.plan import Outcome, Plan, current_states, plan
from comptoir.modules.restore import Restored, restore_module
from comptoir.modules.schema import change_schema, raise_generation, unit_of
from comptoir.registry.models import DemoRecord, Generation, ModuleRow, QuarantineRow, State
from comptoir.registry.plugin import readable
from comptoir.registry.registry import Registry, build_registry
from comptoir.registry.schema import core_unit, table_fault


def initialise(deployment: Deployment) -> None:
    """Create the core's and base's tables, roles and first generation in an empty database; harmless when repeated."""
    registry = build_registry(deployment.available(), [], generation=1)

    def create(connection: Connection) -> None:
        upgrade(connection, core_unit())
        upgrade(connection, unit_of(registry, "base"))

    def begin(ctx: Context) -> None:
        session = unrestricted(ctx, "modules")
        if session.get(Generation, 1) is None:
            session.add(Generation(id=1, number=1))
        if session.get(ModuleRow, "base") is None:
            _record_state(ctx, "base", State.ENABLED)
            raise_access_stamp(session)
            _seed(ctx, "base")
            copy_templates(session, [t for _plugin, t in registry.contributions(RoleTemplate)])

    change_schema(deployment, registry, system_actor("comptoir init"), begin, before=create)
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
            raise_generation(session)
            session.flush()

    trying_again(migrate)
    deployment.refresh()
    return steps


def enable_modules(
    deployment: Deployment,
    names: Sequence[str],
    *,
    actor: Actor | None = None,
    demo: bool = False,
    restore: Collection[Path] = (),
    progress: Callable[[Text], None] | None = None,
) -> Outcome:
    """Enable modules and what they need: migrate, copy role templates, seed, raise the generation; all or nothing.

    A module of which ``restore`` holds the export of an uninstall gets its data and roles back instead of new ones.
    """
    made = plan(deployment, "enable", names)
    current, registry = current_states(deployment), _with_enabled(deployment, made)
    exports = exports_for(deployment, made, restore)
    restored = []
    for name in made.modules:
        back = _migrate_and_seed(deployment, registry, name, actor, current.get(name), exports.get(name), progress)
        restored += [back] if back is not None else []
    if demo:
        load_demo(deployment, actor=actor)
    deployment.refresh()
    return Outcome(made, restored=tuple(restored))


def exports_for(deployment: Deployment, made: Plan, paths: Iterable[Path]) -> Mapping[str, Export]:
    """The exports of these files by module, read to their end; raises `RuleViolation` for one that the plan cannot bring back."""
    found: dict[str, Export] = {}
    for path in paths:
        export = read_export(path)
        name = export.module
        if name in current_states(deployment):
            raise RuleViolation(
                "core.has_data", _("{name} has its data. Uninstall it first to bring others back.", name=name)
            )
        if name not in made.modules or name in found:
            raise RuleViolation("core.other_module", _("{path} holds the data of {name}.", path=path, name=name))
        if (reason := refusal_of(deployment, made, export)) is not None:
            raise RuleViolation("core.other_revision", reason)
        check_export(export)
        found[name] = export
    return found


def exports_left(deployment: Deployment, made: Plan) -> dict[str, Export]:
    """The newest export of each module that a plan begins anew."""
    current = current_states(deployment)
    fresh = (name for name in made.modules if name not in current)
    found = {name: exports_of(deployment.settings.data_dir, name) for name in fresh}
    return {name: exports[0] for name, exports in found.items() if exports}


def refusal_of(deployment: Deployment, made: Plan, export: Export) -> Text | None:
    """Why the rows of an export cannot go into the tables that the plan makes."""
    head = unit_of(_with_enabled(deployment, made), export.module).head()
    if export.revision == head:
        return None
    return _(
        "{file} is of version {version} with the tables of {revision}; this version makes those of {head}. "
        "Install the older one, bring the data back and upgrade.",
        file=export.path.name,
        version=export.version,
        revision=export.revision or "–",
        head=head or "–",
    )


def _with_enabled(deployment: Deployment, made: Plan) -> Registry:
    """What the deployment knows when the plan is carried out."""
    enabled = [n for n, s in current_states(deployment).items() if s is State.ENABLED]
    return build_registry(deployment.available(), [*enabled, *made.modules])


def _migrate_and_seed(
    deployment: Deployment,
    registry: Registry,
    name: str,
    actor: Actor | None,
    was: State | None,
    export: Export | None,
    progress: Callable[[Text], None] | None,
) -> Restored | None:
    if progress is not None:
        progress(_("Enabling {name}", name=name))

    def migrate(connection: Connection) -> None:
        upgrade(connection, unit_of(registry, name))
        if (fault := table_fault(connection, registry.plugins[name])) is not None:
            raise PluginError(name, fault)

    def enable(ctx: Context) -> Restored | None:
        session = unrestricted(ctx, "modules")
        _record_state(ctx, name, State.ENABLED)
        restored = None
        if export is not None:
            restored = restore_module(ctx, _with_paused(deployment, registry), export)
            session.get_one(ModuleRow, name).has_demo = DemoRecord.__tablename__ in restored.rows
        elif was is None:
            copy_templates(session, [t for p, t in registry.contributions(RoleTemplate) if p.name == name])
            _seed(ctx, name)
        raise_access_stamp(session)
        raise_generation(session)
        return restored

    try:
        return change_schema(deployment, registry, actor, enable, before=migrate)
    except ComptoirError:
        raise
    except Exception as error:
        if (outage := outage_of(error)) is not None:  # not the module's fault
            raise outage from error
        quarantine(deployment, name, "migration", readable(error))
        raise PluginError(
            name, _("It cannot be enabled: {reason}. Nothing was changed.", reason=readable(error))
        ) from error


def _with_paused(deployment: Deployment, registry: Registry) -> Registry:
    """The registry with the modules that are paused: their records can be pointed at."""
    return build_registry(deployment.available(), {*registry.plugins, *current_states(deployment)} - {"base"})


def pause_modules(
    deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None, cascade: bool = False
) -> Outcome:
    """Silence modules and keep their data."""
    made = plan(deployment, "pause", names, cascade=cascade)

    def silence(outer: Context) -> None:
        ctx = outer.as_system(f"pause {', '.join(made.modules)}")
        for name in made.modules:
            _record_state(ctx, name, State.PAUSED, by=outer.actor)
        raise_generation(ctx.session)

    perform(deployment, actor or system_actor("comptoir"), silence)
    deployment.refresh()
    return Outcome(made)


def resume_modules(deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None) -> Outcome:
    """Bring paused modules back with everything they had; runs migrations that were released meanwhile."""
    made = plan(deployment, "resume", names)
    registry = _with_enabled(deployment, made)

    def migrate(connection: Connection) -> None:
        for name in made.modules:
            upgrade(connection, unit_of(registry, name))

    def wake(ctx: Context) -> None:
        for name in made.modules:
            _record_state(ctx, name, State.ENABLED)
            registry.hooks.on_module_resumed(ctx=ctx, name=name)
        raise_generation(ctx.session)

    change_schema(deployment, registry, actor, wake, before=migrate)
    deployment.refresh()
    return Outcome(made)


def quarantine(deployment: Deployment, name: str, phase: str, reason: str) -> None:
    """Remember why a module does not run, for the modules page and ``comptoir check``."""
    with deployment.engine.connect().execution_options(comptoir_write=True) as connection, connection.begin():
        session = Session(connection)
        row = session.get(QuarantineRow, name) or QuarantineRow(module=name)
        row.phase, row.reason, row.at = phase, reason, deployment.clock()
        session.add(row)
        session.flush()


def _record_state(ctx: Context, name: str, state: State, by: Actor | None = None) -> None:
    session, now = unrestricted(ctx, "modules"), ctx.now()
    session.execute(delete(QuarantineRow).where(QuarantineRow.module == name))
    row = session.get(ModuleRow, name)
    if row is None:
        row = ModuleRow(name=name, enabled_at=now)
        session.add(row)
    plugin = ctx.registry.plugins.get(name)
    row.state, row.changed_at, row.changed_by = state, now, (by or ctx.actor).name[:255]
    row.version = plugin.available.version if plugin is not None else row.version
    session.flush()
    record_event(session, MODULE_CHANGED, about=name, state=str(state), version=row.version)


def _seed(ctx: Context, name: str) -> None:
    for implementation in ctx.hooks.seed_module.get_hookimpls():
        if implementation.plugin_name.partition("/")[0] == name:
            implementation.function(ctx=ctx)
