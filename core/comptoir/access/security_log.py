"""The security log: who came in, was refused, changed rights, took data out or acted as the system; nothing in it changes.

An event is written in the transaction of its cause, so that neither exists without the other.  The database itself
refuses to change or delete one, by triggers that the migration sets.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

from comptoir.access.models import SecurityEvent, User
from comptoir.db.engine import WRITE
from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import Text, _

SIGNED_IN = "signed_in"
SIGN_IN_REFUSED = "sign_in_refused"
SIGNED_OUT = "signed_out"
SESSIONS_ENDED = "sessions_ended"
PASSWORD_CHANGED = "password_changed"
PASSWORD_REFUSED = "password_refused"
USER_ADDED = "user_added"
USER_CHANGED = "user_changed"
USER_DISABLED = "user_disabled"
USER_ENABLED = "user_enabled"
USER_DELETED = "user_deleted"
TEAM_JOINED = "team_joined"
TEAM_LEFT = "team_left"
ROLE_CREATED = "role_created"
ROLE_CHANGED = "role_changed"
ROLE_DELETED = "role_deleted"
ROLE_GRANTED = "role_granted"
ROLE_REVOKED = "role_revoked"
PERMISSION_CHANGED = "permission_changed"
TOKEN_CREATED = "token_created"
TOKEN_REVOKED = "token_revoked"
TOKEN_REFUSED = "token_refused"
MODULE_CHANGED = "module_changed"
DATA_EXPORTED = "data_exported"
ACTED_AS_SYSTEM = "acted_as_system"

KINDS: Mapping[str, Text] = {
    SIGNED_IN: _("Signed in"),
    SIGN_IN_REFUSED: _("Sign-in refused"),
    SIGNED_OUT: _("Signed out"),
    SESSIONS_ENDED: _("Sessions ended"),
    PASSWORD_CHANGED: _("Password changed"),
    PASSWORD_REFUSED: _("Password refused"),
    USER_ADDED: _("User added"),
    USER_CHANGED: _("User changed"),
    USER_DISABLED: _("User disabled"),
    USER_ENABLED: _("User enabled"),
    USER_DELETED: _("User deleted"),
    TEAM_JOINED: _("Team joined"),
    TEAM_LEFT: _("Team left"),
    ROLE_CREATED: _("Role created"),
    ROLE_CHANGED: _("Role changed"),
    ROLE_DELETED: _("Role deleted"),
    ROLE_GRANTED: _("Role granted"),
    ROLE_REVOKED: _("Role taken away"),
    PERMISSION_CHANGED: _("Permission changed"),
    TOKEN_CREATED: _("Token created"),
    TOKEN_REVOKED: _("Token revoked"),
    TOKEN_REFUSED: _("Token refused"),
    MODULE_CHANGED: _("Module changed"),
    DATA_EXPORTED: _("Data exported"),
    ACTED_AS_SYSTEM: _("Acted as the system"),
}
"""Every kind of event, in words."""

WORDS: Mapping[str, Text] = {
    "after": _("after"),
    "before": _("before"),
    "browser": _("browser"),
    "expires_at": _("expires"),
    "export": _("export"),
    "fields": _("fields"),
    "filtered": _("filtered"),
    "format": _("format"),
    "holders": _("holders"),
    "locked_until": _("locked until"),
    "name": _("name"),
    "permission": _("permission"),
    "permissions": _("permissions"),
    "records": _("records"),
    "role": _("role"),
    "scopes": _("only for"),
    "sessions": _("sessions"),
    "signs_in": _("signs in"),
    "state": _("state"),
    "team": _("team"),
    "token": _("token"),
    "tokens_revoked": _("tokens ended"),
    "version": _("version"),
}
"""What the details of events are called."""

LONGEST = 320


# -- writing ----------------------------------------------------------------------------------------------------------------


def record_event(
    session: Session,
    kind: str,
    *,
    person: User | None = None,
    about: str = "",
    by: User | None = None,
    address: str | None = None,
    **details: Any,
) -> None:
    """Write one event.  ``person`` is the user whom it concerns, ``about`` names any other thing.

    Who acts, from where and when the session knows from the edge that opened it; ``by`` and ``address`` say it where
    nobody is signed in yet.  A transaction that only reads does not begin to write for this: the event has its own.
    """
    actor, clock = session.info.get("actor"), session.info.get("clock")
    name = by.name if by is not None else actor.name if actor is not None else ""
    about = (about or (_label(person) if person is not None else ""))[:LONGEST]
    source = (session.info.get("address", "") if address is None else address)[:64]
    row = {
        "at": clock() if clock is not None else dt.datetime.now(dt.UTC),
        "kind": kind,
        "user_id": by.id if by is not None else actor.id if actor is not None else None,
        "actor": name[:255],
        "person_id": person.id if person is not None else None,
        "about": about,
        "address": source,
        "details": {key: value for key, value in details.items() if value not in (None, "", [], {})},
        "search_key": fold(f"{name} {about} {person.name if person is not None else ''} {source}"),
    }
    connection = session.connection()
    if connection.get_execution_options().get(WRITE):
        connection.execute(insert(SecurityEvent.__table__), [row])  # type: ignore[arg-type]
        return
    with connection.engine.connect().execution_options(**{WRITE: True}) as own, own.begin():
        own.execute(insert(SecurityEvent.__table__), [row])  # type: ignore[arg-type]


def _label(person: User) -> str:
    return person.email or person.name


# -- reading ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to look at: words of a person or thing, a kind, and a period whose end is outside."""

    text: str = ""
    kind: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @classmethod
    def of(cls, given: Mapping[str, str], timezone: dt.tzinfo) -> EventFilter:
        """The filter of ``person``, ``kind`` and the days ``from`` and ``to``; what cannot be read is a `RuleViolation`."""
        kind = given.get("kind", "")
        if kind and kind not in KINDS:
            raise RuleViolation(
                "core.unknown_kind",
                _("There is no kind {name}. Known: {known}.", name=kind[:60], known=", ".join(KINDS)),
                field="kind",
            )
        first, last = _day(given, "from"), _day(given, "to")
        return cls(
            given.get("person", "")[:200],
            kind,
            _midnight(first, timezone) if first is not None else None,
            _midnight(last + dt.timedelta(days=1), timezone) if last is not None else None,
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL; every word must occur."""
        found: list[ColumnElement[bool]] = [
            SecurityEvent.search_key.contains(word, autoescape=True) for word in fold(self.text).split()
        ]
        if self.kind:
            found.append(SecurityEvent.kind == self.kind)
        if self.since is not None:
            found.append(SecurityEvent.at >= self.since)
        if self.until is not None:
            found.append(SecurityEvent.at < self.until)
        return found


def _day(given: Mapping[str, str], field: str) -> dt.date | None:
    text = given.get(field, "").strip()
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = dt.date.max
    if not 1900 <= day.year < 3000:
        raise RuleViolation("core.unreadable_value", _("Give a day such as 2026-11-22."), field=field)
    return day


def _midnight(day: dt.date, timezone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), timezone).astimezone(dt.UTC)


def described(details: Mapping[str, Any]) -> str:
    """The details of an event in words: ``permission: sales.deal.read, before: own, after: all``."""
    return ", ".join(f"{WORDS.get(name, name)}: {_in_words(value)}" for name, value in details.items())


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, Mapping):
        return " ".join(f"{name}={inner}" for name, inner in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def list_events(
    session: Session, wanted: EventFilter, *, size: int = 50, before_id: int | None = None
) -> Sequence[SecurityEvent]:
    """The events, the newest first, from the one before ``before_id`` on."""
    statement = select(SecurityEvent).where(*wanted.conditions()).order_by(SecurityEvent.id.desc()).limit(size)
    if before_id is not None:
        statement = statement.where(SecurityEvent.id < before_id)
    return session.scalars(statement).all()


def count_events(session: Session, wanted: EventFilter) -> int:
    """How many events there are."""
    return session.scalar(select(func.count()).select_from(SecurityEvent).where(*wanted.conditions())) or 0
