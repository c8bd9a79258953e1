"""A module taken away: exported, its tables dropped, and proved that nothing else changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from comptoir.access.models import Role, RolePermission, UserRole
from comptoir.access.permissions import Actor, raise_access_stamp
from comptoir.access.security_log import MODULE_CHANGED, record_event
from comptoir.context import Context, unrestricted
from comptoir.db.gate import opened
from comptoir.db.migrations import remove
from comptoir.db.search import SearchEntry
from comptoir.db.summary import SummaryRow
from comptoir.deployment import Deployment
from comptoir.errors import PluginError
from comptoir.i18n import _
from comptoir.modules.export import export_module, links_to
from comptoir.modules.fingerprint import fingerprint
from comptoir.modules.life_cycle import pause_modules
from comptoir.modules.plan import Outcome, Plan, current_states, export_path, plan
from comptoir.modules.schema import change_schema, raise_generation, unit_of
from comptoir.records.history import HistoryEntry
from comptoir.registry.models import DemoRecord, ModuleRow, QuarantineRow, State
from comptoir.registry.registry import Registry, build_registry


def uninstall_modules(deployment: Deployment, names: Sequence[str], *, actor: Actor | None = None) -> Outcome:
    """Export a module's data, drop its tables and everything the core keeps about them; compares the rest before and after."""
    made = plan(deployment, "uninstall", names)
    outcome = Outcome(made)
    for name in made.modules:
        outcome = _uninstall(deployment, made, name, actor)
    deployment.refresh()
    return outcome


def _uninstall(deployment: Deployment, made: Plan, name: str, actor: Actor | None) -> Outcome:
    current = current_states(deployment)
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
        session = unrestricted(ctx, "modules")
        connection = session.connection()
        exported = export_module(connection, registry, name, export_path(deployment, name), deployment.clock())
        record_event(session, MODULE_CHANGED, about=name, state="uninstalled", export=exported.name)
        _forget(session, registry, name, types)
        raise_generation(session)
        raise_access_stamp(session)
        ctx.write_outbox()  # while the tables of what is told are there
        session.flush()
        remove(connection, unit_of(registry, name))
        return exported

    exported = change_schema(deployment, registry, actor, take_away)
    after = fingerprint(deployment, excluding=name, registry=registry)
    return Outcome(made, export=exported, untouched=before == after)


def _forget(session: Session, registry: Registry, name: str, types: Sequence[str]) -> None:
    """Remove what the core keeps about a module's records: history, search, rights, demo marks, links from other records."""
    session.execute(delete(HistoryEntry).where(HistoryEntry.record_type.in_(types)))
    session.execute(delete(SearchEntry).where(SearchEntry.record_type.in_(types)))
    session.execute(delete(SummaryRow).where(SummaryRow.record_type.in_(types)))
    session.execute(delete(DemoRecord).where(DemoRecord.record_type.in_(types)))
    session.execute(delete(RolePermission).where(RolePermission.permission.startswith(f"{name}.", autoescape=True)))
    own_roles = select(Role.id).where(Role.template.startswith(f"{name}.", autoescape=True))
    for link in (RolePermission, UserRole):  # foreign keys rest during a schema change on SQLite: nothing cascades
        session.execute(delete(link).where(link.role_id.in_(own_roles)))
    session.execute(delete(Role).where(Role.id.in_(own_roles)))
    session.execute(delete(ModuleRow).where(ModuleRow.name == name))
    session.execute(delete(QuarantineRow).where(QuarantineRow.module == name))
    for table, column, leads_there in links_to(registry, name):
        with opened("links to a module that goes"):
            session.execute(update(table).where(leads_there).values({column: None}))
