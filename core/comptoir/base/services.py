"""The rules of contacts, their history, tasks and appointments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import func, select, union

from comptoir.base.models import (
    Appointment,
    Contact,
    ContactEmail,
    ContactPhone,
    Interaction,
    Task,
)
from comptoir.base.phones import DialledNumber, read_number
from comptoir.toolkit import (
    Change,
    Context,
    RecordRef,
    RuleViolation,
    _,
    changes_of,
    country_code,
    fold,
    of_type,
    save,
)

# -- contacts ---------------------------------------------------------------------------------------------------------


def read_phone(ctx: Context, typed: str) -> DialledNumber:
    """A number as typed in the country of the deployment; with a leading plus it may be from anywhere."""
    return read_number(typed, ctx.settings.country)


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
    # three look-ups, each by its own index: joined by OR they would read every contact
    alike = [select(Contact.id).where(Contact.name_key == fold(contact.name))]
    if numbers:
        alike.append(select(ContactPhone.contact_id).where(ContactPhone.number.in_(numbers)))
    if addresses:
        alike.append(select(ContactEmail.contact_id).where(ContactEmail.address_key.in_(addresses)))
    found = _found(ctx, Contact.id.in_(union(*alike)), limit=11)
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
        if change.touches("emails"):
            for email in contact.emails:
                email.address = _trimmed(email.address)
                email.address_key = _key(email.address, 254)
        for place in (contact, *(contact.addresses if change.touches("addresses") else ())):
            if change.touches("country", "addresses") and isinstance(place.country, str):
                place.country = country_code(place.country) or place.country
        if change.touches("addresses") and contact.addresses:
            main = contact.addresses[0]
            contact.city = main.city or contact.city
            contact.country = main.country or contact.country
        if change.touches("phones", "country", "addresses"):
            country = dialling_country(ctx, contact)
            for phone in contact.phones:
                _normalise_phone(phone, country)


def _reached_at(contact: Contact) -> str:
    """What to call somebody of whom one only knows a number or an address."""
    known = [*(phone.number for phone in contact.phones), *(email.address for email in contact.emails)]
    return next((text for value in known if isinstance(value, str) and (text := " ".join(value.split()))), "")


def _trimmed(value: Any) -> Any:
    """A text without superfluous blanks; anything else as it is, for the checks to refuse."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _key(value: object, length: int) -> str:
    return fold(value)[:length] if isinstance(value, str) else ""


def dialling_country(ctx: Context, contact: Contact) -> str | None:
    """The country whose numbers a contact writes without prefix: its own, else the deployment's; None where it is unknown.

    A country that nobody can read is not the deployment's: its numbers wait until somebody corrects it.
    """
    if isinstance(contact.country, str) and contact.country.strip():
        return country_code(contact.country)
    named = [line.country for line in contact.addresses if isinstance(line.country, str) and line.country.strip()]
    return country_code(named[0]) if named else ctx.settings.country


def _normalise_phone(phone: ContactPhone, country: str | None) -> None:
    typed: object = phone.number
    if not isinstance(typed, str) or not typed.strip():
        return
    dialled = read_number(typed, country)
    phone.number = dialled.number
    phone.digits = dialled.digits
    phone.extension = dialled.extension or phone.extension


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
        about=about,
    )
    save(ctx, [interaction])
    return interaction


def prepare_interactions(ctx: Context, changes: Sequence[Change]) -> None:
    """An interaction happens now unless it says when; a note without subject is called by its first line.

    What is about a contact alone belongs to it.
    """
    for interaction in of_type(changes, Interaction):
        about: object = interaction.about
        if interaction.contact_id is None and isinstance(about, RecordRef) and about.record_type == "base.contact":
            interaction.contact_id, interaction.about = about.record_id, None
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


def appointment_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
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
