"""Signing in, and the server-side sessions that it opens."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from comptoir.access import throttle
from comptoir.access.models import AccessStamp, SignInSession, User
from comptoir.access.passwords import verify_password
from comptoir.db.gate import opened
from comptoir.db.types import UtcDateTime, fold
from comptoir.i18n import Text, _, ngettext

IDLE = dt.timedelta(hours=12)
ABSOLUTE = dt.timedelta(days=30)
TOUCH = dt.timedelta(minutes=5)
CONFIRMED = dt.timedelta(minutes=10)


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

    subject: str
    address: str
    user_id: int | None
    password_hash: str | None


def hash_of(token: str) -> str:
    """What the database keeps of a token: its SHA-256, which suffices because tokens are random."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


# -- signing in -----------------------------------------------------------------------------------------------------------


def sign_in(session: Session, identifier: str, secret: str, now: dt.datetime, *, address: str = "") -> User | Refusal:
    """The user whose e-mail address and password these are, or a refusal that does not tell which of the two was wrong.

    The caller commits either way: a refusal has been counted.  Where the database has one writer, call `begin_sign_in`,
    `compare` and `finish_sign_in` instead, so that the slow comparison lies between two short transactions.
    """
    attempt = begin_sign_in(session, identifier, now, address=address)
    if isinstance(attempt, Refusal):
        return attempt
    right, renewed = compare(attempt, secret)
    return finish_sign_in(session, attempt, right=right, renewed=renewed)


def begin_sign_in(session: Session, identifier: str, now: dt.datetime, *, address: str = "") -> Attempt | Refusal:
    """Count the attempt and look up what to compare; a refusal where the account or the address is locked."""
    wait = throttle.reserve(session, throttle.address_subject(address), throttle.ADDRESS, now) if address else None
    subject = throttle.account_subject(identifier)
    wait = wait or throttle.reserve(session, subject, throttle.ACCOUNT, now)
    if wait is not None:
        return _locked(wait)
    found = session.execute(
        select(User.id, User.password_hash).where(
            User.email_key == fold(identifier), User.active, User.archived_at.is_(None)
        )
    ).one_or_none()
    user_id, password_hash = found if found is not None else (None, None)
    return Attempt(subject, address, user_id, password_hash)


def compare(attempt: Attempt, secret: str) -> tuple[bool, str | None]:
    """Whether the secret is right and a renewed hash; slow on purpose, and equally slow for accounts that do not exist."""
    return verify_password(secret, attempt.password_hash)


def finish_sign_in(session: Session, attempt: Attempt, *, right: bool, renewed: str | None = None) -> User | Refusal:
    """The user, their refusals forgotten; or the refusal."""
    user = session.get(User, attempt.user_id) if right and attempt.user_id is not None else None
    if user is None or not user.active or user.password_hash != attempt.password_hash:
        return Refusal("core.sign_in_refused", _("E-mail and password do not match."))
    throttle.clear(session, attempt.subject)
    if attempt.address:
        throttle.give_back(session, throttle.address_subject(attempt.address))
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
    _update_user(session, row.user_id, last_seen_at=now)


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
    end_session_by_hash(session, hash_of(token))


def end_session_by_hash(session: Session, token_hash: str) -> None:
    """End one of the sessions of `list_sessions`."""
    session.execute(delete(SignInSession).where(SignInSession.token_hash == token_hash))


def end_all_sessions(session: Session, user: User | int, *, except_: SignInSession | None = None) -> int:
    """Sign a user out everywhere, the given session aside; returns how many sessions ended."""
    user_id = user if isinstance(user, int) else user.id
    statement = delete(SignInSession).where(SignInSession.user_id == user_id)
    if except_ is not None:
        statement = statement.where(SignInSession.token_hash != except_.token_hash)
    count: int = session.execute(statement).rowcount  # type: ignore[attr-defined]
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
    """Delete sessions that expired; returns how many."""
    count: int = session.execute(delete(SignInSession).where(SignInSession.expires_at <= now)).rowcount  # type: ignore[attr-defined]
    return count


# -- the password typed again -------------------------------------------------------------------------------------------------


def is_confirmed(row: SignInSession, now: dt.datetime) -> bool:
    """Whether the password was typed within the last ten minutes."""
    return row.confirmed_at is not None and now - row.confirmed_at < CONFIRMED


def confirm(session: Session, signed_in: SignedIn, secret: str, now: dt.datetime) -> Refusal | None:
    """Remember for ten minutes that the password was typed again; wrong ones count as refused sign-ins.

    The caller commits either way, and rotates the session after a success.
    """
    row, user, _stamp = signed_in
    outcome = sign_in(session, user.email_key or "", secret, now, address=row.address)
    if isinstance(outcome, Refusal):
        if outcome.wait is not None:
            return outcome
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
