"""The rules of contacts, their history, tasks and appointments, and of the tree of teams."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import func, or_, select

from comptoir.access import throttle
from comptoir.access.roles import find_role, grant_role
from comptoir.access.sessions import purge_sessions
from comptoir.access.teams import rebuild_closure, set_main_team
from comptoir.access.users import check_leaving, follow_edits
from comptoir.base.models import (
    Appointment,
    Contact,
    ContactEmail,
    ContactPhone,
    Interaction,
    Task,
)
from comptoir.base.phones import DialledNumber, read_number, region_of
from comptoir.toolkit import (
    Change,
    Context,
    Record,
    RecordRef,
    RuleViolation,
    RuleViolations,
    Team,
    Text,
    User,
    _,
    changes_of,
    fold,
    of_type,
    save,
)


def check_changes(ctx: Context, changes: Sequence[Change]) -> None:
    """Refuse what breaks a rule of this module, everything at once."""
    violations = [
        *contact_violations(ctx, changes),
        *appointment_violations(changes),
        *user_violations(ctx, changes),
        *team_violations(ctx, changes),
    ]
    if violations:
        raise RuleViolations(violations)


# -- contacts ---------------------------------------------------------------------------------------------------------


def read_phone(ctx: Context, typed: str) -> DialledNumber:
    """A number as typed where the deployment is; with a leading plus it may be from anywhere."""
    return read_number(typed, region_of(ctx.settings.timezone.key))


def find_by_phone(ctx: Context, number: str) -> Sequence[Contact]:
    """The contacts with exactly this number, the oldest first."""
    having = select(ContactPhone.contact_id).where(ContactPhone.number == read_phone(ctx, number).number)
    return _found(ctx, Contact.id.in_(having))


def find_by_email(ctx: Context, address: str) -> Sequence[Contact]:
    """The contacts with this address, whatever its case, the oldest first."""
    having = select(ContactEmail.contact_id).where(ContactEmail.address_key == fold(address))
    return _found(ctx, Contact.id.in_(having))


def duplicates_of(ctx: Context, contact: Contact) -> Sequence[Contact]:
    """Other contacts with the same name but for case and accents, or sharing a number or address; at most ten."""
    numbers = [line.number for line in contact.phones]
    addresses = [line.address_key for line in contact.emails]
    alike = [Contact.name_key == fold(contact.name)]
    if numbers:
        alike.append(Contact.id.in_(select(ContactPhone.contact_id).where(ContactPhone.number.in_(numbers))))
    if addresses:
        alike.append(Contact.id.in_(select(ContactEmail.contact_id).where(ContactEmail.address_key.in_(addresses))))
    found = _found(ctx, or_(*alike), limit=11)
    return [other for other in found if other is not contact][:10]


def children_of(ctx: Context, contact: Contact) -> Sequence[Contact]:
    """The people and branches of a company, by name."""
    query = select(Contact).where(Contact.parent_id == contact.id, Contact.archived_at.is_(None)).order_by(Contact.name)
    return ctx.session.scalars(query).all()


def set_status(ctx: Context, contacts: Iterable[Contact], status: str) -> None:
    """Give contacts a status; its history is that of the records."""
    batch = list(contacts)
    for contact in batch:
        contact.status = status
    save(ctx, batch)


def _found(ctx: Context, *conditions: Any, limit: int = 50) -> Sequence[Contact]:
    query = select(Contact).where(*conditions, Contact.archived_at.is_(None)).order_by(Contact.id).limit(limit)
    return ctx.session.scalars(query).all()


def prepare_contacts(ctx: Context, changes: Sequence[Change]) -> None:
    """Numbers in E.164, folded keys, the day of the status, city and country of the first address; nobody is nameless."""
    for contact, change in changes_of(changes, Contact):
        if change.is_new or change.touches("name"):
            contact.name = _trimmed(contact.name) or _reached_at(contact)
            contact.name_key = _key(contact.name, 255)
        if change.is_new or change.touches("status"):
            contact.status_since = ctx.today()
        if change.touches("annual_revenue") and contact.annual_revenue is not None and not contact.currency:
            contact.currency = ctx.settings.currency
        if change.touches("phones"):
            for phone in contact.phones:
                _normalise_phone(ctx, phone)
        if change.touches("emails"):
            for email in contact.emails:
                email.address = _trimmed(email.address)
                email.address_key = _key(email.address, 254)
        if change.touches("addresses") and contact.addresses:
            main = contact.addresses[0]
            contact.city = main.city or contact.city
            contact.country = main.country or contact.country


def _reached_at(contact: Contact) -> str:
    """What to call somebody of whom one only knows a number or an address."""
    known = [*(phone.number for phone in contact.phones), *(email.address for email in contact.emails)]
    return next((text for value in known if isinstance(value, str) and (text := " ".join(value.split()))), "")


def _trimmed(value: Any) -> Any:
    """A text without superfluous blanks; anything else as it is, for the checks to refuse."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _key(value: object, length: int) -> str:
    return fold(value)[:length] if isinstance(value, str) else ""


def _normalise_phone(ctx: Context, phone: ContactPhone) -> None:
    typed: object = phone.number
    if not isinstance(typed, str) or not typed.strip():
        return
    dialled = read_phone(ctx, typed)
    phone.number = dialled.number
    phone.digits = dialled.digits
    phone.extension = dialled.extension or phone.extension


def contact_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """A contact is no part of itself, not even through others; currencies have three letters."""
    yield from _cycles(
        ctx, Contact, changes, "base.contact_cycle", _("A contact cannot be part of itself, nor of one of its parts.")
    )
    for contact, change in changes_of(changes, Contact):
        if change.touches("currency") and contact.currency and not is_currency(contact.currency):
            yield RuleViolation(
                "base.not_a_currency", _("Give a currency of three letters such as EUR."), field="currency"
            )


def is_currency(code: str) -> bool:
    """Whether a text has the form of an ISO 4217 code."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def _cycles(
    ctx: Context, model: type[Contact] | type[Team], changes: Sequence[Change], code: str, message: Text
) -> Iterator[RuleViolation]:
    """The records of the batch that would lie below themselves; reads one level of the tree per query."""
    moved = [r for r, c in changes_of(changes, model) if not c.is_new and c.touches("parent_id")]
    parents: dict[int, int | None] = {record.id: record.parent_id for record in moved}
    while level := {parent for parent in parents.values() if parent is not None} - parents.keys():
        rows = ctx.system_session.execute(select(model.id, model.parent_id).where(model.id.in_(level)))
        known = dict(rows.all())
        parents.update({parent: known.get(parent) for parent in level})
    for record in moved:
        if _lies_below_itself(record.id, parents):
            yield RuleViolation(code, message, field="parent_id")


def _lies_below_itself(start: int, parents: Mapping[int, int | None]) -> bool:
    seen: set[int] = set()
    here: int | None = start
    while here is not None and here not in seen:
        seen.add(here)
        here = parents.get(here)
    return here == start


# -- interactions -----------------------------------------------------------------------------------------------------


def log_interaction(
    ctx: Context,
    contact: Contact,
    *,
    kind: str,
    subject: str | None = None,
    body: str | None = None,
    direction: str = "none",
    happened_at: dt.datetime | None = None,
    minutes: int | None = None,
    about: RecordRef | None = None,
) -> Interaction:
    """Add a call, mail, meeting, chat, letter or note to a contact's history."""
    interaction = Interaction(
        contact_id=contact.id,
        kind=kind,
        subject=subject,
        body=body,
        direction=direction,
        happened_at=happened_at,
        minutes=minutes,
        about_type=about.record_type if about is not None else None,
        about_id=about.record_id if about is not None else None,
    )
    save(ctx, [interaction])
    return interaction


def prepare_interactions(ctx: Context, changes: Sequence[Change]) -> None:
    """An interaction happens now unless it says when; a note without subject is called by its first line."""
    for interaction in of_type(changes, Interaction):
        happened_at: object = interaction.happened_at
        if happened_at is None:
            interaction.happened_at = ctx.now()
        if not interaction.subject and isinstance(interaction.body, str):
            first_line = next(iter(interaction.body.strip().splitlines()), "")
            interaction.subject = first_line[:80] or None


def announce_interactions(ctx: Context, changes: Sequence[Change]) -> None:
    """Tell the plugins of each new interaction."""
    for interaction, change in changes_of(changes, Interaction):
        if change.is_new:
            ctx.hooks.on_interaction(ctx=ctx, interaction=interaction)


def meetings_count(ctx: Context, contact: Contact) -> int:
    """How often one met the contact so far."""
    query = select(func.count()).where(
        Interaction.contact_id == contact.id, Interaction.kind == "meeting", Interaction.happened_at <= ctx.now()
    )
    return ctx.session.scalar(query) or 0


def last_interaction(ctx: Context, contact: Contact) -> Interaction | None:
    """The latest entry of the contact's history."""
    query = (
        select(Interaction)
        .where(Interaction.contact_id == contact.id, Interaction.happened_at <= ctx.now())
        .order_by(Interaction.happened_at.desc(), Interaction.id.desc())
        .limit(1)
    )
    return ctx.session.scalar(query)


# -- tasks and appointments -------------------------------------------------------------------------------------------


def prepare_tasks(ctx: Context, changes: Sequence[Change]) -> None:
    """A task that is due at a moment is due on its day."""
    for task, change in changes_of(changes, Task):
        due_at = _moment(task.due_at)
        if change.touches("due_at") and due_at is not None:
            task.due_on = due_at.astimezone(ctx.timezone).date()
        elif task.due_at is not None and change.touches("due_on"):
            task.due_at = None


def complete_task(ctx: Context, task: Task) -> Task:
    """Mark a task as done; a done one stays as it is."""
    if task.done_at is None:
        task.done_at = ctx.now()
        save(ctx, [task])
    return task


def reopen_task(ctx: Context, task: Task) -> Task:
    """Take a task up again."""
    task.done_at = None
    save(ctx, [task])
    return task


def due_today(ctx: Context, *, limit: int = 20) -> Sequence[Task]:
    """The reader's open tasks that are due today or late, the latest first; the system sees everyone's."""
    query = select(Task).where(Task.done_at.is_(None), Task.archived_at.is_(None), Task.due_on <= ctx.today())
    if not ctx.actor.is_system:
        query = query.where(Task.owner_id == ctx.actor.id)
    return ctx.session.scalars(query.order_by(Task.due_on, Task.due_at, Task.id).limit(limit)).all()


def next_activity(ctx: Context, contact: Contact) -> Task | Appointment | None:
    """What is planned next with a contact: an open task or a coming appointment, whichever is earlier."""
    task: Task | None = None
    appointment: Appointment | None = None
    if ctx.may("base.task.read"):
        task = ctx.session.scalar(
            select(Task)
            .where(Task.contact_id == contact.id, Task.done_at.is_(None), Task.due_on.is_not(None))
            .where(Task.archived_at.is_(None))
            .order_by(Task.due_on, Task.id)
            .limit(1)
        )
    if ctx.may("base.appointment.read"):
        appointment = ctx.session.scalar(
            select(Appointment)
            .where(Appointment.contact_id == contact.id, Appointment.ends_at >= ctx.now())
            .where(Appointment.archived_at.is_(None))
            .order_by(Appointment.starts_at, Appointment.id)
            .limit(1)
        )
    if task is None or task.due_on is None or appointment is None:
        return task or appointment
    return task if task.due_on <= appointment.starts_at.astimezone(ctx.timezone).date() else appointment


def next_activity_on(ctx: Context, contact: Contact) -> dt.date | dt.datetime | None:
    """The day or moment of what is planned next with a contact."""
    planned = next_activity(ctx, contact)
    return planned.starts_at if isinstance(planned, Appointment) else planned.due_on if planned is not None else None


def names_of(ctx: Context, tasks: Sequence[Task]) -> Mapping[int, str]:
    """The names of the contacts that tasks are about, as far as the reader may see them."""
    ids = {task.contact_id for task in tasks if task.contact_id is not None}
    if not ids or not ctx.may("base.contact.read"):
        return {}
    return dict(ctx.session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(ids))).all())


def prepare_appointments(ctx: Context, changes: Sequence[Change]) -> None:
    """An appointment without end takes an hour."""
    for appointment in of_type(changes, Appointment):
        starts_at, ends_at = _moment(appointment.starts_at), cast(object, appointment.ends_at)
        if starts_at is not None and ends_at is None:
            appointment.ends_at = starts_at + dt.timedelta(hours=1)


def appointment_violations(changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """An appointment ends after it starts."""
    for appointment, change in changes_of(changes, Appointment):
        if change.touches("starts_at", "ends_at") and _ends_early(appointment):
            yield RuleViolation(
                "base.ends_before_start", _("The end lies before the start. Choose a later end."), field="ends_at"
            )


def _ends_early(appointment: Appointment) -> bool:
    starts_at, ends_at = _moment(appointment.starts_at), _moment(appointment.ends_at)
    return starts_at is not None and ends_at is not None and ends_at <= starts_at


def _moment(value: object) -> dt.datetime | None:
    """A moment that can be compared; before the checks a record may hold nothing or anything."""
    is_told = isinstance(value, dt.datetime) and value.tzinfo is not None and dt.MINYEAR < value.year < dt.MAXYEAR
    return cast("dt.datetime", value) if is_told else None


# -- users and teams --------------------------------------------------------------------------------------------------


def prepare_users(ctx: Context, changes: Sequence[Change]) -> None:
    """People sign in by their folded address."""
    for user, change in changes_of(changes, User):
        if change.is_new or change.touches("email"):
            user.email = _trimmed(user.email) or None
            user.email_key = _key(user.email, 254) or None


def user_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Two people do not share an address, because they sign in with it."""
    keys = {user.email_key: user for user in of_type(changes, User) if user.email_key}
    if keys:
        rows = ctx.system_session.execute(select(User.id, User.email_key).where(User.email_key.in_(keys)))
        for user_id, key in rows:
            if keys[str(key)].id != user_id:
                yield RuleViolation("base.email_taken", _("Another user signs in with this address."), field="email")


def team_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """A team is no part of itself, not even through others."""
    yield from _cycles(
        ctx, Team, changes, "base.team_cycle", _("A team cannot be part of itself, nor of a team below it.")
    )


def follow_teams(ctx: Context, changes: Sequence[Change]) -> None:
    """Keep who sees what through teams in step with the tree and with each user's main team."""
    if any(change.is_new or change.touches("parent_id") for _team, change in changes_of(changes, Team)):
        rebuild_closure(ctx.system_session)
    for user, change in changes_of(changes, User):
        if not change.touches("team_id"):
            continue
        held = ctx.system_session.get(User, user.id, populate_existing=True)
        assert held is not None
        set_main_team(ctx.system_session, held, previous=change.fields["team_id"].before)


def follow_users(ctx: Context, changes: Sequence[Change]) -> None:
    """Whoever may not enter any more is signed out at once; seats are counted, and an administrator stays."""
    edited = [
        user.id
        for user, change in changes_of(changes, User)
        if not change.is_new and any(change.touches(name) for name in ("active", "archived_at", "email"))
    ]
    if edited:
        follow_edits(ctx.system_session, edited, seats=ctx.settings.seats)


def check_users_leaving(ctx: Context, records: Sequence[Record]) -> None:
    """Deleting users leaves somebody who administers."""
    leaving = [record.id for record in records if isinstance(record, User)]
    if leaving:
        check_leaving(ctx.system_session, leaving)


def forget_sign_ins(ctx: Context) -> None:
    """Delete expired sessions, and counters of refused sign-ins that no longer matter."""
    purge_sessions(ctx.system_session, ctx.now())
    throttle.purge(ctx.system_session, ctx.now())


def give_role(ctx: Context, users: Iterable[User], role: str) -> None:
    """Let users hold a role, named by its name or its template's (``sales.agent``); needs the right to edit users."""
    ctx.require("base.user.write")
    session = ctx.system_session
    held = find_role(session, role)
    for user in users:
        found = session.get(User, user.id)
        assert found is not None
        grant_role(session, found, held)
