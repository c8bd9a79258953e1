"""The base module: contacts, interactions, tasks and appointments."""

from __future__ import annotations

from comptoir.base import models, screens, services
from comptoir.base.models import Appointment, Contact, Interaction, Task
from comptoir.toolkit import Base, Context, Contribution, Manifest, RoleTemplate, Rules, _, hookimpl

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


ROLES = (
    RoleTemplate("base.administrator", _("Administrator"), {"core.admin": "all"}, _("Everything, everywhere.")),
    RoleTemplate(
        "base.employee",
        _("Employee"),
        EMPLOYEE,
        _("Sees all contacts, edits those of their team, keeps their own tasks."),
    ),
)

RULES = (
    Rules(Contact, prepare=services.prepare_contacts),
    Rules(Interaction, prepare=services.prepare_interactions, saved=services.announce_interactions),
    Rules(Task, prepare=services.prepare_tasks),
    Rules(Appointment, prepare=services.prepare_appointments, check=services.appointment_violations),
)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    return [*models.ALL, *ROLES, *screens.ALL, *RULES]


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir.base import demo  # needed once, and large

    demo.create_contacts(ctx)
