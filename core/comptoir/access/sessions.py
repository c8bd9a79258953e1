"""Signing in, and the server-side sessions that it opens."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from comptoir.access import throttle
from comptoir.access.models import AccessStamp, KnownDevice, LastSeen, SignInSession, User
from comptoir.access.passwords import verify_password
from comptoir.access.security_log import (
    PASSWORD_REFUSED,
    SESSIONS_ENDED,
    SIGN_IN_REFUSED,
    SIGNED_IN,
    record_event,
)
from comptoir.db.gate import opened
from comptoir.db.types import UtcDateTime, fold
from comptoir.errors import NotFound
from comptoir.i18n import Text, _, ngettext

IDLE = dt.timedelta(hours=12)
ABSOLUTE = dt.timedelta(days=30)
TOUCH = dt.timedelta(minutes=5)
CONFIRMED = dt.timedelta(minutes=10)
DEVICE_KEPT = dt.timedelta(days=180)


class SignedIn(NamedTuple):
    """A live session and the user it belongs to."""

    row: SignInSession
    user: User
    stamp: int = 0
    """The access stamp of the same moment: rights that were read under another one are out of date."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nobody was signed in: ``core.sign_in_refused``, or ``core.sign_in_locked`` with the time to wait."""

    code: str
    message: Text
    wait: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in whose attempt is already counted; what is needed to compare the secret without a transaction."""

    identifier: str
    address: str
    counted: tuple[str, ...]
    """The subjects under which it is counted, the narrowest first."""
    user_id: int | None
    password_hash: str | None
    refused_as: str = SIGN_IN_REFUSED


def hash_of(token: str) -> str:
    """What the database keeps of a token: its SHA-256, which suffices because tokens are random."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


# -- signing in -----------------------------------------------------------------------------------------------------------


def sign_in(
    session: Session, identifier: str, secret: str, now: dt.datetime, *, address: str = "", device: str = ""
) -> User | Refusal:
    """The user whose e-mail address and password these are, or a refusal that does not tell which of the two was wrong.

    The caller commits either way: a refusal has been counted.  Where the database has one writer, call `begin_sign_in`,
    `compare` and `finish_sign_in` instead, so that the slow comparison lies between two short transactions.
    """
    attempt = begin_sign_in(session, identifier, now, address=address, device=device)
    if isinstance(attempt, Refusal):
        return attempt
    right, renewed = compare(attempt, secret)
    return finish_sign_in(session, attempt, right=right, renewed=renewed)


def begin_sign_in(
    session: Session, identifier: str, now: dt.datetime, *, address: str = "", device: str = ""
) -> Attempt | Refusal:
    """Count the attempt and look up what to compare; a refusal where this source has guessed too often.

    ``device`` is the token of `remember_device`: a browser that the account knows has a budget of its own, which
    strangers cannot use up.  Accounts that do not exist are counted and locked alike.
    """
    token_hash = hash_of(device)
    found = session.execute(
        select(User.id, User.password_hash, KnownDevice.token_hash)
        .outerjoin(KnownDevice, and_(KnownDevice.user_id == User.id, KnownDevice.token_hash == token_hash))
        .where(User.email_key == fold(identifier), User.active, User.archived_at.is_(None))
    ).one_or_none()
    user_id, password_hash, known_hash = found if found is not None else (None, None, None)
    if known_hash is not None:
        budgets = {throttle.device_subject(f"{user_id}:{known_hash}"): throttle.ACCOUNT}
    else:
        # a source that is locked is not counted against the account, or it could lock out everybody alone
        budgets = {
            throttle.source_subject(identifier, address): throttle.ACCOUNT,
            throttle.account_subject(identifier): throttle.ANYWHERE,
        }
        if address:
            budgets = {throttle.address_subject(address): throttle.ADDRESS, **budgets}
    wait = _reserve(session, budgets, now)
    if wait is not None:
        return _locked(wait)
    return Attempt(identifier, address, tuple(budgets), user_id, password_hash)


def _reserve(session: Session, budgets: Mapping[str, throttle.Limit], now: dt.datetime) -> dt.timedelta | None:
    for subject, limit in budgets.items():
        if (wait := throttle.reserve(session, subject, limit, now)) is not None:
            return wait
    return None


def compare(attempt: Attempt, secret: str) -> tuple[bool, str | None]:
    """Whether the secret is right and a renewed hash; slow on purpose, and equally slow for accounts that do not exist."""
    return verify_password(secret, attempt.password_hash)


def finish_sign_in(session: Session, attempt: Attempt, *, right: bool, renewed: str | None = None) -> User | Refusal:
    """The user, the refusals of their source forgotten; or the refusal, which the security log keeps.

    What is refused during a lock is not logged one by one: a flood of it must not fill the log.
    """
    user = session.get(User, attempt.user_id or 0)  # looked up even for nobody: the same work for every account
    if not right or user is None or not user.active or user.password_hash != attempt.password_hash:
        until = throttle.locked_until(session, attempt.counted)
        record_event(
            session, attempt.refused_as, person=user, about=attempt.identifier, address=attempt.address,
            locked_until=until.isoformat() if until is not None else None,
        )  # fmt: skip
        return Refusal("core.sign_in_refused", _("E-mail and password do not match."))
    for subject in attempt.counted:
        if subject.startswith(throttle.OWN):
            throttle.clear(session, subject)
        else:
            throttle.give_back(session, subject)
    if renewed is not None:
        _update_user(session, user.id, password_hash=renewed)
        session.refresh(user, ["password_hash"])
    return user


def _locked(wait: dt.timedelta) -> Refusal:
    seconds = int(wait.total_seconds()) + (wait.microseconds > 0)
    if seconds < 120:
        left = ngettext(
            "Too many attempts. Try again in {count} second.",
            "Too many attempts. Try again in {count} seconds.",
            seconds,
        )
    else:
        left = ngettext(
            "Too many attempts. Try again in {count} minute.",
            "Too many attempts. Try again in {count} minutes.",
            -(-seconds // 60),
        )
    return Refusal("core.sign_in_locked", left, wait)


# -- devices ----------------------------------------------------------------------------------------------------------------


def remember_device(session: Session, user: User, now: dt.datetime, *, device: str = "") -> str:
    """Know the browser in which a user has just signed in; gives the token for its cookie, the old one where it is ours."""
    token_hash = hash_of(device)
    held = session.scalars(select(KnownDevice).where(KnownDevice.token_hash == token_hash)).all()
    if not held:  # a token that we never gave out might be one that somebody planted
        device = secrets.token_urlsafe(32)
        token_hash = hash_of(device)
    mine = next((row for row in held if row.user_id == user.id), None)
    if mine is None:
        session.add(KnownDevice(token_hash=token_hash, user_id=user.id, used_at=now))
    else:
        mine.used_at = now
    session.flush()
    return device


def forget_devices(session: Session, user: User) -> None:
    """Let every browser of a user be a stranger's until they sign in there again."""
    session.execute(delete(KnownDevice).where(KnownDevice.user_id == user.id))


# -- sessions ---------------------------------------------------------------------------------------------------------------


def open_session(
    session: Session, user: User, now: dt.datetime, *, remember: bool = False, address: str = "", agent: str = ""
) -> tuple[str, SignInSession]:
    """Start a session; the token goes into the cookie and is kept nowhere else.

    Unless ``remember``, the session ends after twelve idle hours; in any case after thirty days.
    """
    token = secrets.token_urlsafe(32)
    row = SignInSession(
        token_hash=hash_of(token),
        user_id=user.id,
        credential_version=user.credential_version,
        csrf_token=secrets.token_urlsafe(32),
        created_at=now,
        last_seen_at=now,
        expires_at=now + (ABSOLUTE if remember else IDLE),
        address=address[:64],
        agent=agent.replace("\x00", "")[:255],
        confirmed_at=now,
    )
    session.add(row)
    session.flush()
    note_seen(session, user.id, now)
    record_event(session, SIGNED_IN, person=user, by=user, address=address, browser=row.agent)
    return token, row


_STAMP = func.coalesce(select(AccessStamp.stamp).where(AccessStamp.id == 1).scalar_subquery(), 0)
_SIGNED_IN = (
    select(SignInSession, User, _STAMP)
    .join(User, User.id == SignInSession.user_id)
    .where(
        SignInSession.token_hash == bindparam("token_hash"),
        SignInSession.expires_at > bindparam("now", type_=UtcDateTime()),
        SignInSession.credential_version == User.credential_version,
        User.active,
        User.archived_at.is_(None),
    )
)
"""Built once: it runs at every request of a page."""


def find_session(session: Session, token: str, now: dt.datetime) -> SignedIn | None:
    """The live session of a token with its user, in one query; None when it ended, expired or the user may not enter."""
    found = session.execute(_SIGNED_IN, {"token_hash": hash_of(token), "now": now}).one_or_none()
    return None if found is None else SignedIn(*found)


def is_due_for_touch(row: SignInSession, now: dt.datetime) -> bool:
    """Whether `touch_session` has something to write; so that most requests write nothing."""
    return now - row.last_seen_at >= TOUCH


def touch_session(session: Session, row: SignInSession, now: dt.datetime) -> None:
    """Note that the session is in use, at most every five minutes, and put off its end."""
    if not is_due_for_touch(row, now):
        return
    row.last_seen_at = now
    row.expires_at = max(row.expires_at, min(now + IDLE, row.created_at + ABSOLUTE))
    session.flush()
    note_seen(session, row.user_id, now)


def note_seen(session: Session, user_id: int, now: dt.datetime) -> None:
    """Keep when a user last did something, beside their record."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(LastSeen).values(user_id=user_id, at=now)
    session.execute(statement.on_conflict_do_update(index_elements=[LastSeen.user_id], set_={"at": now}))


def last_seen(session: Session) -> Mapping[int, dt.datetime]:
    """When each user last did something; who never did is not in it."""
    return dict(session.execute(select(LastSeen.user_id, LastSeen.at)).all())


def rotate_session(session: Session, row: SignInSession, now: dt.datetime) -> tuple[str, SignInSession]:
    """Give a session a new token after a change of privilege; the old token ends at once."""
    token = secrets.token_urlsafe(32)
    successor = SignInSession(
        token_hash=hash_of(token),
        user_id=row.user_id,
        credential_version=row.credential_version,
        csrf_token=secrets.token_urlsafe(32),
        created_at=row.created_at,
        last_seen_at=now,
        expires_at=row.expires_at,
        address=row.address,
        agent=row.agent,
        confirmed_at=row.confirmed_at,
    )
    session.delete(row)
    session.add(successor)
    session.flush()
    return token, successor


def end_session(session: Session, token: str) -> None:
    """Sign out; a token that is not known is no error."""
    session.execute(delete(SignInSession).where(SignInSession.token_hash == hash_of(token)))


def end_session_of(session: Session, user: User, token_hash: str) -> None:
    """End one of the sessions of `list_sessions`; raises `NotFound` where it is none of the user's."""
    mine = delete(SignInSession).where(SignInSession.token_hash == token_hash, SignInSession.user_id == user.id)
    if not session.execute(mine).rowcount:  # type: ignore[attr-defined]
        raise NotFound(_("This session has ended already."))
    record_event(session, SESSIONS_ENDED, person=user, sessions=1)


def end_all_sessions(session: Session, user: User, *, except_: SignInSession | None = None) -> int:
    """Sign a user out everywhere, the given session aside; returns how many sessions ended."""
    statement = delete(SignInSession).where(SignInSession.user_id == user.id)
    if except_ is not None:
        statement = statement.where(SignInSession.token_hash != except_.token_hash)
    count: int = session.execute(statement).rowcount  # type: ignore[attr-defined]
    if count:
        record_event(session, SESSIONS_ENDED, person=user, sessions=count)
    return count


def list_sessions(session: Session, user: User, now: dt.datetime) -> Sequence[SignInSession]:
    """Where a user is signed in, the latest use first."""
    return session.scalars(
        select(SignInSession)
        .where(
            SignInSession.user_id == user.id,
            SignInSession.expires_at > now,
            SignInSession.credential_version == user.credential_version,
        )
        .order_by(SignInSession.last_seen_at.desc())
    ).all()


def purge_sessions(session: Session, now: dt.datetime) -> int:
    """Delete sessions that expired, and devices that were not used for half a year; returns how many sessions."""
    session.execute(delete(KnownDevice).where(KnownDevice.used_at <= now - DEVICE_KEPT))
    count: int = session.execute(delete(SignInSession).where(SignInSession.expires_at <= now)).rowcount  # type: ignore[attr-defined]
    return count


# -- the password typed again -------------------------------------------------------------------------------------------------


def is_confirmed(row: SignInSession, now: dt.datetime) -> bool:
    """Whether the password was typed within the last ten minutes."""
    return row.confirmed_at is not None and now - row.confirmed_at < CONFIRMED


def confirm(session: Session, signed_in: SignedIn, secret: str, now: dt.datetime) -> Refusal | None:
    """Remember for ten minutes that the password was typed again; wrong ones lock this session's further guesses.

    The caller commits either way, and rotates the session after a success.
    """
    row, user, _stamp = signed_in
    subject = throttle.device_subject(row.token_hash)
    wait = throttle.reserve(session, subject, throttle.ACCOUNT, now)
    if wait is not None:
        return _locked(wait)
    attempt = Attempt(
        user.email_key or "", row.address, (subject,), user.id, user.password_hash, refused_as=PASSWORD_REFUSED
    )
    right, renewed = compare(attempt, secret)
    outcome = finish_sign_in(session, attempt, right=right, renewed=renewed)
    if isinstance(outcome, Refusal):
        return Refusal(outcome.code, _("This is not your password."))
    row.confirmed_at = now
    session.flush()
    return None


def _update_user(session: Session, user_id: int, **values: object) -> None:
    """Change a user's row without raising its version: nobody edits these columns on a screen."""
    with opened("what signing in leaves on a user"):
        session.execute(
            update(User).where(User.id == user_id).values(**values), execution_options={"synchronize_session": False}
        )
