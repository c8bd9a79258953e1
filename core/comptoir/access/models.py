"""Users, teams, roles, sessions and tokens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.base import Base
from comptoir.db.fields import Choice, Field, Id, boolean, choice, email, reference, text, time_zone
from comptoir.db.record import Public, Record, RecordType
from comptoir.db.types import Json, UtcDateTime
from comptoir.i18n import LANGUAGES, _
from comptoir.kinds import Reference


class Team(Record):
    """A group of users, possibly below another: a region holds teams, a team holds people."""

    __tablename__ = "core_team"
    __record__ = RecordType(_("Team"), _("Teams"), path="teams", icon="users", visible=Public(), timeline=False)

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True, unique=True)
    parent_id: Mapped[int | None] = reference(_("Part of"), "core_team", ondelete="SET NULL", tree=True)
    # a team's leader: without a foreign key, because user and team would point at each other
    owner_id: Mapped[int | None] = mapped_column(
        Id, index=True, info={"field": Field(Reference(), _("Leader"), target="core_user")}
    )


class User(Record):
    """Somebody who works here; with an e-mail address and a password they can sign in."""

    __tablename__ = "core_user"
    __record__ = RecordType(_("User"), _("Users"), path="users", icon="user", visible=Public(), timeline=False)

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True, index=True, role="face")
    email: Mapped[str | None] = email(_("E-mail"), search=True, role=("mail", "subtitle"))
    email_key: Mapped[str | None] = mapped_column(String(254), unique=True)
    """The folded address, by which people sign in."""
    language: Mapped[str] = choice(
        _("Language"), tuple(Choice(code, name) for code, name in LANGUAGES.items()), default="en", required=True
    )
    timezone: Mapped[str | None] = time_zone(_("Time zone"))
    active: Mapped[bool] = boolean(_("Active"), default=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    credential_version: Mapped[int] = mapped_column(Integer, default=1)
    """Raised with every change of password; older sessions end."""
    preferences: Mapped[str] = mapped_column(Text, default="{}")


class TeamMember(Base):
    """A user belongs to a team."""

    __tablename__ = "core_team_member"

    team_id: Mapped[int] = mapped_column(Id, ForeignKey("core_team.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("core_user.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class TeamClosure(Base):
    """Every team and each team at or below it, kept in step with `Team.parent_id` for the access rules."""

    __tablename__ = "core_team_closure"

    ancestor_id: Mapped[int] = mapped_column(Id, ForeignKey("core_team.id", ondelete="CASCADE"), primary_key=True)
    descendant_id: Mapped[int] = mapped_column(
        Id, ForeignKey("core_team.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Role(Base):
    """A named set of permissions; a plugin's template is copied once and then belongs to the administrators."""

    __tablename__ = "core_role"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    template: Mapped[str | None] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")


class RolePermission(Base):
    """A role holds a permission within a scope: ``own``, ``team`` or ``all``."""

    __tablename__ = "core_role_permission"

    role_id: Mapped[int] = mapped_column(Id, ForeignKey("core_role.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(String(120), primary_key=True)
    scope: Mapped[str] = mapped_column(String(8))


class UserRole(Base):
    """A user holds a role."""

    __tablename__ = "core_user_role"

    user_id: Mapped[int] = mapped_column(Id, ForeignKey("core_user.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[int] = mapped_column(
        Id, ForeignKey("core_role.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class SignInSession(Base):
    """A browser that is signed in; deleting the row ends it at once."""

    __tablename__ = "core_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("core_user.id", ondelete="CASCADE"), index=True)
    credential_version: Mapped[int] = mapped_column(Integer)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    last_seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(255), default="")
    confirmed_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime())
    """When the password was last typed; switching modules asks for it again after a while."""


class ApiToken(Base):
    """A bearer token for the API, stored hashed; its scopes cut down the user's permissions."""

    __tablename__ = "core_token"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("core_user.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100), default="")
    prefix: Mapped[str] = mapped_column(String(12))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(Text, default="")
    """Blank-separated permission prefixes such as ``sales`` or ``base.contact.read``; empty means all of the user's."""
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime())
    last_used_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime())
    revoked: Mapped[bool] = mapped_column(Boolean, default=False)


class SignInAttempt(Base):
    """Refused sign-ins of late by account and by address; shared by all workers, kept across restarts."""

    __tablename__ = "core_sign_in_attempt"
    __table_args__ = (UniqueConstraint("subject"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject: Mapped[str] = mapped_column(String(320))
    failures: Mapped[int] = mapped_column(Integer, default=0)
    first_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    locked_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime())


class AccessStamp(Base):
    """A counter that rises whenever roles, permissions or memberships change; workers drop cached rights when it moves."""

    __tablename__ = "core_access_stamp"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    stamp: Mapped[int] = mapped_column(Integer, default=1)


class SecurityEvent(Base):
    """One line of the security log; triggers of the database refuse to change or delete it."""

    __tablename__ = "core_security_event"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    """One of `comptoir.access.security_log.KINDS`."""
    user_id: Mapped[int | None] = mapped_column(Id)
    """Who acted; None for the system and for people who are not signed in.  No foreign key: events outlive users."""
    actor: Mapped[str] = mapped_column(String(255))
    person_id: Mapped[int | None] = mapped_column(Id)
    """The user whom it concerns, if any."""
    about: Mapped[str] = mapped_column(String(320))
    address: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(Json())
    search_key: Mapped[str] = mapped_column(Text)


class LastSeen(Base):
    """When a user last did something; beside the user's record, which being here does not change."""

    __tablename__ = "core_last_seen"

    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("core_user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime())


class KnownDevice(Base):
    """A browser in which a user has signed in before: strangers' guesses do not lock it out."""

    __tablename__ = "core_known_device"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("core_user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    used_at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
