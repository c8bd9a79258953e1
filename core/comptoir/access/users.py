"""Users: who may enter, within the seats that are paid for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from comptoir.access.models import Role, SignInSession, Team, User
from comptoir.access.passwords import check_password, hash_password
from comptoir.access.permissions import raise_access_stamp
from comptoir.access.roles import can_sign_in, changing_rights, grant_role, keep_administrator
from comptoir.access.security_log import (
    PASSWORD_CHANGED,
    USER_ADDED,
    USER_CHANGED,
    USER_DELETED,
    USER_DISABLED,
    USER_ENABLED,
    record_event,
)
from comptoir.access.sessions import end_all_sessions, forget_devices
from comptoir.access.teams import set_main_team
from comptoir.access.tokens import revoke_tokens
from comptoir.db.gate import RecordSession
from comptoir.db.types import fold
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import LANGUAGES, _, ngettext

ACCOUNTS = "accounts"
"""Why users pass the gate without the writer: their secrets, seats and sessions change with them."""

_ADDRESS = re.compile(r"[^@\s<>\"'\x00-\x1f]{1,64}@[^@\s<>\"'\x00-\x1f]{1,185}\.[^@\s.<>\"'\x00-\x1f]{2,63}")


def email_key(email: str | None) -> str | None:
    """The folded address by which a user signs in; unique among users."""
    return fold(email)[:254] or None if email else None


def add_user(
    session: RecordSession,
    *,
    name: str,
    email: str | None,
    now: dt.datetime,
    password: str | None = None,
    roles: Iterable[Role] = (),
    team: Team | None = None,
    language: str = "en",
    timezone: str | None = None,
    seats: int | None = None,
    created_by: int | None = None,
) -> User:
    """A new user; with a password they can sign in and take one of the ``seats`` (None: as many as there are)."""
    name, email = checked_name(name), (email or "").strip() or None
    if language not in LANGUAGES:
        raise RuleViolation(
            "core.unknown_language", _("Choose a language: {known}.", known=", ".join(LANGUAGES)), field="language"
        )
    if password is not None:
        if email is None:
            raise RuleViolation("core.required", _("Whoever signs in needs an e-mail address."), field="email")
        check_password(password, name=name, email=email)
    raise_access_stamp(session)
    check_email(session, email)
    user = User(
        name=name,
        email=email,
        email_key=email_key(email),
        language=language,
        timezone=timezone,
        active=True,
        team_id=team.id if team is not None else None,
        password_hash=hash_password(password) if password is not None else None,
        credential_version=1,
        preferences="{}",
        created_at=now,
        created_by=created_by,
        updated_at=now,
        updated_by=created_by,
        custom={},
        search_key=fold(f"{name} {email or ''}"),
    )
    with session.begin_nested():
        session.write([user], ACCOUNTS)
        check_seats(session, seats)
    record_event(session, USER_ADDED, person=user, signs_in=password is not None)
    set_main_team(session, user)
    for role in roles:
        grant_role(session, user, role)
    return user


def check_email(session: Session, email: str | None, *, but: User | None = None) -> None:
    """Raise `RuleViolation` for an address that is none, or that another user has."""
    if email is None:
        return
    if len(email) > 254 or _ADDRESS.fullmatch(email) is None:
        raise RuleViolation(
            "core.email", _("{email} is no e-mail address. It looks like name@example.com.", email=email), field="email"
        )
    statement = select(User.name).where(User.email_key == email_key(email))
    if but is not None:
        statement = statement.where(User.id != but.id)
    if (other := session.scalar(statement)) is not None:
        raise RuleViolation(
            "core.not_unique", _("{name} has the address {email} already.", name=other, email=email), field="email"
        )


def seats_taken(session: Session) -> int:
    """How many users can sign in."""
    return session.scalar(select(func.count()).select_from(User).where(*can_sign_in())) or 0


def check_seats(session: Session, seats: int | None) -> None:
    """Raise `RuleViolation` when more users can sign in than are paid for.

    Exact under concurrency when the access stamp was raised before in the same transaction, as everything here does.
    """
    if seats is not None and seats_taken(session) > seats:
        raise RuleViolation(
            "core.no_seat_left",
            ngettext(
                "All seats are taken: {count} user can sign in. Disable a user, or ask for more seats.",
                "All seats are taken: {count} users can sign in. Disable a user, or ask for more seats.",
                seats,
            ),
        )


def find_user(session: Session, email: str) -> User:
    """The user with this e-mail address, written in any case."""
    found = session.scalar(select(User).where(User.email_key == email_key(email))) if email else None
    if found is None:
        raise NotFound(_("There is no user with the address {email}.", email=email))
    return found


def list_users(session: Session) -> Sequence[User]:
    """Every user, by name."""
    return session.scalars(select(User).order_by(User.name, User.id)).all()


def disable_user(session: RecordSession, user: User, now: dt.datetime) -> None:
    """Keep a user from entering: sessions end at once and tokens stop; what they own stays theirs."""
    with changing_rights(session):
        user.active = False
        user.updated_at = now
        session.write([user], ACCOUNTS)
        record_event(session, USER_DISABLED, person=user)
        end_all_sessions(session, user)


def enable_user(session: RecordSession, user: User, now: dt.datetime, *, seats: int | None = None) -> None:
    """Let a user enter again, with their old password; they sign in anew."""
    with changing_rights(session):
        user.active = True
        user.updated_at = now
        session.write([user], ACCOUNTS)
        record_event(session, USER_ENABLED, person=user)
        end_all_sessions(session, user)
        check_seats(session, seats)


def set_password(
    session: RecordSession,
    user: User,
    secret: str,
    now: dt.datetime,
    *,
    seats: int | None = None,
    keep: SignInSession | None = None,
    revoke: bool = True,
) -> int:
    """Change a password: every session ends except ``keep``, the one in which the user changed it themselves.

    Unless ``revoke`` is off the user's tokens end too, as whoever learned the password may have made one; returns how
    many did.  Where somebody else sets the password, the browsers that knew the old one are strangers again.
    """
    if user.email_key is None:
        raise RuleViolation("core.required", _("Whoever signs in needs an e-mail address."), field="email")
    check_password(secret, name=user.name, email=user.email)
    with changing_rights(session):
        user.password_hash = hash_password(secret)
        user.credential_version += 1
        user.updated_at = now
        session.write([user], ACCOUNTS)
        check_seats(session, seats)
        revoked = revoke_tokens(session, user) if revoke else 0
        record_event(session, PASSWORD_CHANGED, person=user, tokens_revoked=revoked)
        end_all_sessions(session, user, except_=keep)
        if keep is not None:
            keep.credential_version = user.credential_version
        else:
            forget_devices(session, user)
    return revoked


def follow_edits(session: Session, edited: Mapping[int, Collection[str]], *, seats: int | None = None) -> None:
    """After users were edited as records: seats and administrators are counted, and whoever may not enter is signed out.

    ``edited`` names the changed fields of each; the security log keeps them.
    """
    user_ids = list(edited)
    for user in session.scalars(select(User).where(User.id.in_(user_ids)).execution_options(populate_existing=True)):
        record_event(session, USER_CHANGED, person=user, fields=sorted(edited[user.id]))
    raise_access_stamp(session)
    check_seats(session, seats)
    keep_administrator(session, user_ids)
    barred = select(User.id).where(User.id.in_(user_ids), ~User.active | User.archived_at.is_not(None))
    session.execute(
        delete(SignInSession).where(SignInSession.user_id.in_(barred)), execution_options={"synchronize_session": False}
    )


def follow_additions(session: Session, user_ids: Collection[int]) -> None:
    """After users were created as records, which cannot sign in yet: the security log keeps it."""
    for user in session.scalars(select(User).where(User.id.in_(list(user_ids)))):
        record_event(session, USER_ADDED, person=user)


def check_leaving(session: Session, user_ids: Collection[int]) -> None:
    """Before users are deleted: somebody who administers must remain; the security log keeps who they were."""
    raise_access_stamp(session)
    keep_administrator(session, user_ids, leaving=True)
    for user in session.scalars(select(User).where(User.id.in_(list(user_ids)))):
        record_event(session, USER_DELETED, person=user)


def checked_name(name: str) -> str:
    """The name without blanks around it; `RuleViolation` for one that cannot be shown."""
    name = name.strip()
    if not name or len(name) > 255 or not name.isprintable():
        raise RuleViolation("core.required", _("A user has a name of at most 255 characters."), field="name")
    return name


def rename_user(user: User, name: str) -> None:
    """Change a name, and what the user is found by."""
    user.name = checked_name(name)
    user.search_key = fold(f"{user.name} {user.email or ''}")


def set_email(session: RecordSession, user: User, email: str | None, now: dt.datetime) -> None:
    """Change the address by which a user signs in."""
    email = (email or "").strip() or None
    with changing_rights(session):
        check_email(session, email, but=user)
        record_event(session, USER_CHANGED, person=user, fields=["email"], before=user.email, after=email)
        user.email = email
        user.email_key = email_key(email)
        user.updated_at = now
        user.search_key = fold(f"{user.name} {email or ''}")
        session.write([user], ACCOUNTS)
