"""Contacts with their phones, addresses and history; tasks and appointments."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.base.headings import HEADINGS
from comptoir.base.phones import as_stored
from comptoir.toolkit import (
    LANGUAGES,
    Choice,
    Face,
    Line,
    Record,
    RecordRef,
    RecordType,
    Through,
    _,
    any_record,
    belongs_to,
    choice,
    country,
    currency,
    date,
    duration,
    email,
    integer,
    lines,
    long_text,
    moment,
    money,
    phone,
    reference,
    tags,
    text,
    url,
)

KINDS = (Choice("person", _("Person")), Choice("company", _("Company"), face=Face(square=True)))
STATUSES = (
    Choice("new", _("New"), "new"),
    Choice("cold", _("Cold"), "cold"),
    Choice("warm", _("Warm"), "warm"),
    Choice("regular", _("Regular"), "regular"),
    Choice("vip", _("VIP"), "vip"),
)
SOURCES = (
    Choice("web", _("Website")),
    Choice("phone", _("Phone call")),
    Choice("mail", _("Mail")),
    Choice("referral", _("Referral")),
    Choice("event", _("Event")),
    Choice("campaign", _("Campaign")),
    Choice("partner", _("Partner")),
    Choice("import", _("Import")),
    Choice("other", _("Other")),
)
SPOKEN = (
    *(Choice(code, name) for code, name in LANGUAGES.items()),
    Choice("de", "Deutsch"),
    Choice("fr", "Français"),
    Choice("hu", "Magyar"),
    Choice("ru", "Русский"),
    Choice("tr", "Türkçe"),
    Choice("uk", "Українська"),
)
PHONE_LABELS = (
    Choice("mobile", _("Mobile")),
    Choice("work", _("Work")),
    Choice("home", _("Home")),
    Choice("fax", _("Fax")),
    Choice("other", _("Other")),
)
EMAIL_LABELS = (
    Choice("work", _("Work")),
    Choice("private", _("Private")),
    Choice("invoices", _("Invoices")),
    Choice("other", _("Other")),
)
ADDRESS_LABELS = (
    Choice("main", _("Main")),
    Choice("delivery", _("Delivery")),
    Choice("invoices", _("Invoices")),
    Choice("home", _("Home")),
    Choice("other", _("Other")),
)
INTERACTION_KINDS = (
    Choice("call", _("Call"), face=Face("phone", "ok")),
    Choice("mail", _("Mail"), face=Face("mail", "accent")),
    Choice("meeting", _("Meeting"), face=Face("users", "plum")),
    Choice("chat", _("Chat"), face=Face("msg")),
    Choice("note", _("Note"), face=Face("note", "brass")),
    Choice("letter", _("Letter"), face=Face("doc")),
)
DIRECTIONS = (
    Choice("in", _("From them"), face=Face(turns=(("phone", "phonein"),))),
    Choice("out", _("From us"), face=Face(turns=(("phone", "phoneout"),))),
    Choice("none", _("None")),
)
PRIORITIES = (Choice("high", _("High"), "bad"), Choice("normal", _("Normal"), "off"), Choice("low", _("Low"), "off"))


class ContactPhone(Line):
    """A telephone number of a contact, in E.164 where it can be read as one."""

    __tablename__ = "base_contact_phone"
    __parent__ = "contact_id"

    contact_id: Mapped[int] = belongs_to("base_contact")
    label: Mapped[str] = choice(_("Label"), PHONE_LABELS, default="work", required=True)
    number: Mapped[str] = phone(
        _("Number"), required=True, index=True, search=True, normalise=as_stored, role="dial"
    )  # fmt: skip
    extension: Mapped[str | None] = text(_("Extension"), length=20)
    digits: Mapped[str | None] = text(_("Digits"), length=80, server=True, search=True, personal=True)
    """The bare digits as dialled from abroad and at home, so that either way of typing finds the contact."""


class ContactEmail(Line):
    """An e-mail address of a contact."""

    __tablename__ = "base_contact_email"
    __parent__ = "contact_id"

    contact_id: Mapped[int] = belongs_to("base_contact")
    label: Mapped[str] = choice(_("Label"), EMAIL_LABELS, default="work", required=True)
    address: Mapped[str] = email(_("E-mail"), required=True, search=True, role="mail")
    address_key: Mapped[str | None] = mapped_column(String(254), index=True)
    """The folded address, by which contacts are found."""


class ContactAddress(Line):
    """A postal address of a contact; the first one is the main one."""

    __tablename__ = "base_contact_address"
    __parent__ = "contact_id"

    contact_id: Mapped[int] = belongs_to("base_contact")
    label: Mapped[str] = choice(_("Label"), ADDRESS_LABELS, default="main", required=True)
    street: Mapped[str | None] = text(_("Street"), personal=True)
    postal_code: Mapped[str | None] = text(_("Postal code"), length=20, personal=True)
    city: Mapped[str | None] = text(_("City"), personal=True)
    region: Mapped[str | None] = text(_("Region"))
    country: Mapped[str | None] = country(_("Country"))


class Contact(Record):
    """A person or a company, possibly part of another company."""

    __tablename__ = "base_contact"
    __record__ = RecordType(_("Contact"), _("Contacts"), path="contacts", icon="users", headings=HEADINGS)

    name: Mapped[str] = text(
        _("Name"), required=True, default="", title=True, search=True, index=True, personal=True, role="face",
        help=_("Empty, it is the number or the address below."),
    )  # fmt: skip
    name_key: Mapped[str] = mapped_column(String(255), index=True, default="")
    """The folded name, by which duplicates are found."""
    kind: Mapped[str] = choice(_("Kind"), KINDS, default="company", required=True, index=True, role="face")
    parent_id: Mapped[int | None] = reference(_("Part of"), "base_contact", ondelete="SET NULL", tree=True)
    status: Mapped[str] = choice(_("Status"), STATUSES, default="new", required=True, index=True, role="status")
    status_since: Mapped[dt.date | None] = date(_("Status since"), server=True)
    salutation: Mapped[str | None] = text(_("Salutation"), length=40, personal=True)
    job_title: Mapped[str | None] = text(_("Job title"), search=True, personal=True)
    sector: Mapped[str | None] = text(_("Sector"), length=80, index=True)
    source: Mapped[str | None] = choice(_("Source"), SOURCES)
    language: Mapped[str | None] = choice(_("Language"), SPOKEN)
    tax_number: Mapped[str | None] = text(_("Tax number"), length=40, search=True, index=True)
    website: Mapped[str | None] = url(_("Website"))
    year_established: Mapped[int | None] = integer(_("Founded"), minimum=1000, maximum=2200, grouped=False)
    employees: Mapped[int | None] = integer(_("Employees"), minimum=0)
    annual_revenue: Mapped[Decimal | None] = money(_("Annual revenue"))
    currency: Mapped[str | None] = currency(_("Currency"))
    city: Mapped[str | None] = text(_("City"), index=True, search=True, role=("place", "subtitle"))
    country: Mapped[str | None] = country(_("Country"), index=True, role="place")
    tags: Mapped[list[str] | None] = tags(_("Tags"), role="tags", help=_("Words between commas."))
    notes: Mapped[str | None] = long_text(_("Notes"), personal=True)
    phones: Mapped[list[ContactPhone]] = lines(_("Phones"), "ContactPhone")
    emails: Mapped[list[ContactEmail]] = lines(_("E-mails"), "ContactEmail")
    addresses: Mapped[list[ContactAddress]] = lines(_("Addresses"), "ContactAddress")


class Interaction(Record):
    """A call, mail, meeting, chat, letter or note in a contact's history; seen by whoever sees the contact, or without one what it is about."""

    __tablename__ = "base_interaction"
    __table_args__ = (Index("ix_base_interaction_contact_happened", "contact_id", "happened_at"),)
    __record__ = RecordType(
        _("Interaction"),
        _("Interactions"),
        path="interactions",
        icon="note",
        visible=Through("contact_id", otherwise="about"),
        timeline=False,
    )

    subject: Mapped[str | None] = text(_("Subject"), title=True, search=True, personal=True)
    kind: Mapped[str] = choice(_("Kind"), INTERACTION_KINDS, default="note", required=True, role="face")
    direction: Mapped[str] = choice(_("Direction"), DIRECTIONS, default="none", required=True, role="face")
    contact_id: Mapped[int | None] = reference(
        _("Contact"), "base_contact", ondelete="CASCADE", index=False, role="about"
    )
    happened_at: Mapped[dt.datetime] = moment(_("When"), index=True, required=True, role="happened")
    minutes: Mapped[int | None] = duration(_("Duration"), role="body")
    body: Mapped[str | None] = long_text(_("Text"), personal=True, role="body")
    about: Mapped[RecordRef | None] = any_record(_("About"), role="about")
    """The record that it is about besides the contact, such as a deal, or instead, such as a lead."""


class Task(Record):
    """Something to do by a day; done once ``done_at`` is set."""

    __tablename__ = "base_task"
    __record__ = RecordType(_("Task"), _("Tasks"), path="tasks", icon="task", timeline=False)

    title: Mapped[str] = text(_("Title"), required=True, title=True, search=True)
    due_on: Mapped[dt.date | None] = date(_("Due"), index=True, role="due")
    due_at: Mapped[dt.datetime | None] = moment(
        _("Due at"), help=_("Only where the hour matters. The day then follows from it.")
    )
    done_at: Mapped[dt.datetime | None] = moment(_("Done"), role="done")
    priority: Mapped[str] = choice(_("Priority"), PRIORITIES, default="normal", required=True)
    contact_id: Mapped[int | None] = reference(_("Contact"), "base_contact", ondelete="SET NULL", role="about")
    about: Mapped[RecordRef | None] = any_record(_("About"), role="about")
    notes: Mapped[str | None] = long_text(_("Notes"))


class Appointment(Record):
    """A meeting or visit with a beginning and an end."""

    __tablename__ = "base_appointment"
    __record__ = RecordType(_("Appointment"), _("Appointments"), path="appointments", icon="calendar", timeline=False)

    title: Mapped[str] = text(_("Title"), required=True, title=True, search=True)
    starts_at: Mapped[dt.datetime] = moment(_("Starts"), required=True, index=True, role="due")
    ends_at: Mapped[dt.datetime] = moment(_("Ends"), required=True, role="done")
    place: Mapped[str | None] = text(_("Place"))
    contact_id: Mapped[int | None] = reference(_("Contact"), "base_contact", ondelete="SET NULL", role="about")
    about: Mapped[RecordRef | None] = any_record(_("About"), role="about")
    notes: Mapped[str | None] = long_text(_("Notes"))


ALL = (Contact, ContactPhone, ContactEmail, ContactAddress, Interaction, Task, Appointment)
