"""The base module: contacts, interactions, tasks and appointments."""

from __future__ import annotations

from collections.abc import Sequence

from comptoir.base import models, screens, services
from comptoir.toolkit import (
    Action,
    Base,
    Change,
    Composer,
    Context,
    Fact,
    Manifest,
    MenuItem,
    RoleTemplate,
    Screens,
    Tab,
    Tile,
    _,
    hookimpl,
)

manifest = Manifest(
    _("Base"),
    _("Contacts and what happens with them: history, tasks and appointments."),
    category="base",
    icon="users",
)

EMPLOYEE = {
    "base.contact.read": "all",
    "base.contact.create": "own",
    "base.contact.write": "team",
    "base.interaction.read": "all",
    "base.interaction.create": "own",
    "base.interaction.write": "own",
    "base.task.read": "team",
    "base.task.create": "own",
    "base.task.write": "team",
    "base.task.delete": "own",
    "base.appointment.read": "team",
    "base.appointment.create": "own",
    "base.appointment.write": "team",
    "base.appointment.delete": "own",
    "base.user.read": "all",
    "base.team.read": "all",
}


@hookimpl
def contribute_models() -> list[type[Base]]:
    return list(models.ALL)


@hookimpl
def contribute_roles() -> list[RoleTemplate]:
    return [
        RoleTemplate("base.administrator", _("Administrator"), {"core.admin": "all"}, _("Everything, everywhere.")),
        RoleTemplate(
            "base.employee",
            _("Employee"),
            EMPLOYEE,
            _("Sees all contacts, edits those of their team, keeps their own tasks."),
        ),
    ]


@hookimpl
def contribute_screens() -> list[Screens]:
    return list(screens.SCREENS)


@hookimpl
def contribute_menu() -> list[MenuItem]:
    return list(screens.MENU)


@hookimpl
def contribute_facts() -> list[Fact]:
    return list(screens.FACTS)


@hookimpl
def contribute_tabs() -> list[Tab]:
    return list(screens.TABS)


@hookimpl
def contribute_composers() -> list[Composer]:
    return list(screens.COMPOSERS)


@hookimpl
def contribute_actions() -> list[Action]:
    return list(screens.ACTIONS)


@hookimpl
def contribute_tiles() -> list[Tile]:
    return list(screens.TILES)


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir.base import demo  # needed once, and large

    demo.create_contacts(ctx)


@hookimpl
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.prepare_contacts(ctx, changes)
    services.prepare_interactions(ctx, changes)
    services.prepare_tasks(ctx, changes)
    services.prepare_appointments(ctx, changes)


@hookimpl
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.check_changes(ctx, changes)


@hookimpl
def on_records_saved(ctx: Context, changes: Sequence[Change]) -> None:
    services.announce_interactions(ctx, changes)
