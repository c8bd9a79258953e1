"""How contacts, their history, tasks, users and teams are listed, shown and edited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from comptoir.base import services
from comptoir.base.models import Appointment, Contact, Interaction, Task
from comptoir.toolkit import (
    Action,
    Composer,
    Context,
    Fact,
    Form,
    List,
    MenuItem,
    Saved,
    Screens,
    Section,
    Tab,
    Team,
    Tile,
    User,
    When,
    _,
)

SCREENS = (
    Screens(
        Contact,
        List(
            Contact.name,
            Contact.kind,
            Contact.status,
            Contact.parent_id,
            Contact.city,
            Contact.country,
            Contact.owner_id,
            sort=("name",),
            saved=(
                Saved("companies", _("Companies"), {"filter[kind]": "company"}),
                Saved("people", _("People"), {"filter[kind]": "person"}),
                Saved("mine", _("My contacts"), {"filter[owner]": "{me}"}),
                Saved("vip", _("VIP"), {"filter[status]": "vip"}),
                Saved("new", _("New this month"), {"filter[created_at][within]": "this_month"}),
            ),
            facets=(Contact.status, Contact.kind, Contact.sector, Contact.country, Contact.source, Contact.owner_id),
            more=(
                Contact.tags,
                Contact.job_title,
                Contact.sector,
                Contact.source,
                Contact.language,
                Contact.tax_number,
                Contact.employees,
                Contact.annual_revenue,
                Contact.status_since,
                Contact.team_id,
                Contact.created_at,
                Contact.updated_at,
            ),
        ),
        Form(
            Section(
                _("Contact"),
                Contact.name,
                Contact.kind,
                Contact.status,
                Contact.parent_id,
                Contact.tags,
                Contact.salutation,
                Contact.job_title,
                Contact.owner_id,
            ),
            Section(_("How to reach them"), Contact.phones, Contact.emails, Contact.website, Contact.language),
            Section(_("Addresses"), Contact.addresses, Contact.city, Contact.country),
            Section(
                _("About them"),
                Contact.sector,
                Contact.source,
                Contact.tax_number,
                Contact.year_established,
                Contact.employees,
                Contact.annual_revenue,
                Contact.currency,
                Contact.notes,
            ),
            conditions=(
                When(Contact.kind, ("person",), Contact.salutation, Contact.job_title),
                When(Contact.kind, ("company",), Contact.year_established, Contact.employees, Contact.annual_revenue),
            ),
        ),
        facts=(Contact.status_since,),
    ),
    Screens(
        Interaction,
        List(
            Interaction.happened_at,
            Interaction.kind,
            Interaction.subject,
            Interaction.contact_id,
            Interaction.direction,
            Interaction.owner_id,
            sort=("-happened_at",),
            saved=(
                Saved("mine", _("Mine"), {"filter[owner]": "{me}"}),
                Saved("week", _("This week"), {"filter[happened_at][within]": "this_week"}),
            ),
            facets=(Interaction.kind, Interaction.direction, Interaction.owner_id),
            more=(Interaction.minutes, Interaction.about, Interaction.body),
        ),
        Form(
            Section(
                _("Interaction"),
                Interaction.contact_id,
                Interaction.kind,
                Interaction.direction,
                Interaction.happened_at,
                Interaction.minutes,
                Interaction.about,
                Interaction.subject,
                Interaction.body,
            )
        ),
    ),
    Screens(
        Task,
        List(
            Task.title,
            Task.due_on,
            Task.priority,
            Task.contact_id,
            Task.owner_id,
            Task.done_at,
            sort=("due_on",),
            saved=(
                Saved("open", _("My open tasks"), {"filter[owner]": "{me}", "filter[done_at][is_null]": "true"}),
                Saved(
                    "today",
                    _("Due by today"),
                    {"filter[owner]": "{me}", "filter[done_at][is_null]": "true", "filter[due_on][lte]": "today"},
                ),
                Saved("all_open", _("All open"), {"filter[done_at][is_null]": "true"}),
                Saved("done", _("Done"), {"filter[done_at][is_null]": "false"}),
            ),
            facets=(Task.priority, Task.owner_id),
            more=(Task.due_at, Task.about, Task.notes),
        ),
        Form(
            Section(
                _("Task"),
                Task.title,
                Task.due_on,
                Task.due_at,
                Task.priority,
                Task.contact_id,
                Task.about,
                Task.owner_id,
                Task.notes,
                Task.done_at,
            ),
            later=(Task.done_at,),
        ),
        facts=(Task.due_on, Task.priority, Task.done_at),
    ),
    Screens(
        Appointment,
        List(
            Appointment.title,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.place,
            Appointment.contact_id,
            Appointment.owner_id,
            sort=("starts_at",),
            saved=(
                Saved("coming", _("Coming"), {"filter[starts_at][gte]": "today"}),
                Saved("mine", _("Mine"), {"filter[owner]": "{me}"}),
            ),
            facets=(Appointment.owner_id,),
        ),
        Form(
            Section(
                _("Appointment"),
                Appointment.title,
                Appointment.starts_at,
                Appointment.ends_at,
                Appointment.place,
                Appointment.contact_id,
                Appointment.about,
                Appointment.owner_id,
                Appointment.notes,
            )
        ),
        facts=(Appointment.starts_at, Appointment.ends_at),
    ),
    Screens(
        User,
        List(
            User.name,
            User.email,
            User.team_id,
            User.active,
            sort=("name",),
            facets=(User.active, User.team_id),
        ),
        Form(
            Section(_("User"), User.name, User.email, User.team_id, User.active),
            Section(_("Language and time"), User.language, User.timezone),
        ),
    ),
    Screens(
        Team,
        List(Team.name, Team.parent_id, Team.owner_id, sort=("name",)),
        Form(Section(_("Team"), Team.name, Team.parent_id, Team.owner_id)),
    ),
)

MENU = (
    MenuItem("base.tasks", _("Tasks"), "/base/tasks", "base.task.read", icon="task", group="today", order=10),
    MenuItem(
        "base.appointments",
        _("Appointments"),
        "/base/appointments",
        "base.appointment.read",
        icon="calendar",
        group="today",
        order=20,
    ),
    MenuItem(
        "base.contacts", _("Contacts"), "/base/contacts", "base.contact.read", icon="users", group="records", order=10
    ),
    MenuItem(
        "base.companies",
        _("Companies"),
        "/base/contacts?filter[kind]=company",
        "base.contact.read",
        icon="company",
        group="records",
        order=20,
    ),
    MenuItem(
        "base.interactions",
        _("History"),
        "/base/interactions",
        "base.interaction.read",
        icon="history",
        group="records",
        order=90,
    ),
)

FACTS = (
    Fact("base.meetings", Contact, _("Meetings"), services.meetings_count, "base.interaction.read", order=20),
    Fact(
        "base.last",
        Contact,
        _("Last contact"),
        lambda ctx, contact: _moment_of(services.last_interaction(ctx, contact)),
        "base.interaction.read",
        order=30,
    ),
    Fact(
        "base.duplicates",
        Contact,
        _("Possible duplicates"),
        lambda ctx, contact: len(services.duplicates_of(ctx, contact)) or None,
        "base.contact.read",
        tone="warn",
        order=200,
    ),
)

TABS = (
    Tab(
        "base.people",
        Contact,
        _("People"),
        Contact,
        Contact.parent_id,
        (Contact.name, Contact.job_title, Contact.status, Contact.city),
        "base.contact.read",
        order=10,
        given={"kind": "person"},
    ),
    Tab(
        "base.tasks",
        Contact,
        _("Tasks"),
        Task,
        Task.contact_id,
        (Task.title, Task.due_on, Task.priority, Task.owner_id, Task.done_at),
        "base.task.read",
        order=80,
    ),
    Tab(
        "base.appointments",
        Contact,
        _("Appointments"),
        Appointment,
        Appointment.contact_id,
        (Appointment.title, Appointment.starts_at, Appointment.place, Appointment.owner_id),
        "base.appointment.read",
        order=85,
    ),
)


def _to(direction: str, kind: str) -> Callable[[Context, Any], Mapping[str, Any]]:
    """An interaction of this kind that happens now."""
    return lambda ctx, record: {"kind": kind, "direction": direction, "happened_at": ctx.now()}


def _tomorrow(ctx: Context, record: Any) -> Mapping[str, Any]:
    return {"due_on": ctx.today() + dt.timedelta(days=1)}


def _call_back(ctx: Context, record: Any) -> Mapping[str, Any]:
    """Nothing needs to be typed: a call-back is due tomorrow and says so."""
    return {"title": str(_("Call back")), "due_on": ctx.today() + dt.timedelta(days=1), "priority": "high"}


COMPOSERS = (
    Composer(
        "base.note",
        _("Note"),
        Interaction,
        Interaction.body,
        given=_to("none", "note"),
        hint=_("What should the next person know?"),
        deed=_("Save note"),
        icon="note",
        order=10,
    ),
    Composer(
        "base.call",
        _("Call"),
        Interaction,
        Interaction.body,
        (Interaction.direction, Interaction.minutes),
        given=_to("out", "call"),
        hint=_("What was said?"),
        deed=_("Save call"),
        icon="phone",
        order=20,
    ),
    Composer(
        "base.call_back",
        _("Call back"),
        Task,
        Task.title,
        (Task.due_on,),
        given=_call_back,
        hint=_("About what? Empty is fine."),
        deed=_("Save call-back"),
        icon="phoneout",
        order=30,
    ),
    Composer(
        "base.task",
        _("Task"),
        Task,
        Task.title,
        (Task.due_on, Task.priority),
        given=_tomorrow,
        hint=_("What is to be done?"),
        deed=_("Save task"),
        icon="task",
        order=40,
    ),
    Composer(
        "base.mail",
        _("Mail"),
        Interaction,
        Interaction.body,
        (Interaction.direction,),
        given=_to("out", "mail"),
        hint=_("What was written?"),
        deed=_("Save mail"),
        icon="mail",
        order=50,
    ),
    Composer(
        "base.meeting",
        _("Meeting"),
        Interaction,
        Interaction.body,
        (Interaction.minutes,),
        given=_to("none", "meeting"),
        hint=_("What came of it?"),
        deed=_("Save meeting"),
        icon="users",
        order=60,
    ),
)

ACTIONS = (
    Action(
        "complete",
        Task,
        _("Done"),
        lambda ctx, task, values: services.complete_task(ctx, task),
        "base.task.write",
        icon="check",
        shown=lambda ctx, task: task.done_at is None,
    ),
    Action(
        "reopen",
        Task,
        _("Take up again"),
        lambda ctx, task, values: services.reopen_task(ctx, task),
        "base.task.write",
        icon="undo",
        shown=lambda ctx, task: task.done_at is not None,
    ),
)


def due_today(ctx: Context, options: Mapping[str, str]) -> Mapping[str, Any]:
    """The reader's tasks that are due, with whom they are about."""
    tasks = services.due_today(ctx, limit=8)
    return {"tasks": tasks, "contacts": services.names_of(ctx, tasks), "today": ctx.today()}


TILES = (Tile("base.due_today", _("Due today"), "base.task.read", "base/due_today.html", due_today, width=5, order=40),)


def _moment_of(interaction: Interaction | None) -> Any:
    return interaction.happened_at if interaction is not None else None


ALL = (*SCREENS, *MENU, *FACTS, *TABS, *COMPOSERS, *ACTIONS, *TILES)
