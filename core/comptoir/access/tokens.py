"""API tokens: shown once, kept hashed, cut down by scopes."""

from __future__ import annotations

import datetime as dt
import secrets
import string
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.orm import Session

from comptoir.access import throttle
from comptoir.access.models import AccessStamp, ApiToken, User
from comptoir.access.security_log import TOKEN_CREATED, TOKEN_REFUSED, TOKEN_REVOKED, record_event
from comptoir.access.sessions import hash_of, note_seen
from comptoir.db.types import UtcDateTime
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _

PREFIX = "ct_"
LENGTH = 40
SHOWN = 12
"""How much of a token is kept in the clear, to tell tokens apart in a list."""

TOUCH = dt.timedelta(minutes=5)
_LETTERS = string.ascii_letters + string.digits


class TokenUse(NamedTuple):
    """A live token and the user it acts for."""

    row: ApiToken
    user: User

    @property
    def scopes(self) -> tuple[str, ...]:
        """The permission prefixes that remain; none means all of the user's."""
        return tuple(self.row.scopes.split())


def check_scopes(scopes: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """The scopes without repeats; each is a permission or the beginning of some up to a dot (``sales``, ``sales.deal``)."""
    chosen = tuple(dict.fromkeys(scope.strip() for scope in scopes if scope.strip()))
    for scope in chosen:
        if not any(name == scope or name.startswith(scope + ".") for name in known):
            raise RuleViolation(
                "core.unknown_scope",
                _(
                    "There is no permission {scope}. Give a module, a record type or a permission, such as sales,"
                    " sales.deal or sales.deal.read.",
                    scope=scope,
                ),
                field="scopes",
            )
    return chosen


def create_token(
    session: Session,
    user: User,
    name: str,
    scopes: Iterable[str],
    now: dt.datetime,
    expires: dt.datetime | None = None,
    *,
    known: Collection[str] | None = None,
) -> tuple[str, ApiToken]:
    """A new token in plain text, to be shown once, and its row; scopes are checked against the ``known`` permissions."""
    chosen = check_scopes(scopes, known) if known is not None else tuple(scopes)
    if expires is not None and expires <= now:
        raise RuleViolation(
            "core.expired", _("The token would have expired already. Give a later day."), field="expires_at"
        )
    if len(name) > 100:
        raise RuleViolation("core.too_long", _("A token’s name has at most 100 characters."), field="name")
    plain = PREFIX + "".join(secrets.choice(_LETTERS) for _position in range(LENGTH))
    row = ApiToken(
        user_id=user.id,
        name=name,
        prefix=plain[:SHOWN],
        token_hash=hash_of(plain),
        scopes=" ".join(chosen),
        created_at=now,
        expires_at=expires,
        revoked=False,
    )
    session.add(row)
    session.flush()
    record_event(
        session, TOKEN_CREATED, person=user, token=row.prefix, name=name, scopes=row.scopes,
        expires_at=expires.isoformat() if expires is not None else None,
    )  # fmt: skip
    return plain, row


def find_token(session: Session, plain: str, now: dt.datetime) -> TokenUse | None:
    """The live token with its user, in one query; None when it is unknown, revoked or expired or the user may not enter."""
    if not plain.startswith(PREFIX):
        return None
    found = session.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.token_hash == hash_of(plain),
            ApiToken.revoked.is_(False),
            ApiToken.expires_at.is_(None) | (ApiToken.expires_at > now),
            User.active,
            User.archived_at.is_(None),
        )
    ).one_or_none()
    return None if found is None else TokenUse(*found)


class Bearer(NamedTuple):
    """What a request of the API needs to know of its token, without loading objects."""

    token_id: int
    scopes: str
    last_used_at: dt.datetime | None
    user_id: int
    user_version: int
    stamp: int
    """The access stamp of the same moment: rights that were read under another one are out of date."""


_STAMP = func.coalesce(select(AccessStamp.stamp).where(AccessStamp.id == 1).scalar_subquery(), 0)
_BEARER = (
    select(
        ApiToken.__table__.c.id,
        ApiToken.__table__.c.scopes,
        ApiToken.__table__.c.last_used_at,
        User.__table__.c.id,
        User.__table__.c.version,
        _STAMP,
    )
    .join(User.__table__, User.id == ApiToken.user_id)
    .where(
        ApiToken.token_hash == bindparam("token_hash"),
        ApiToken.revoked.is_(False),
        ApiToken.expires_at.is_(None) | (ApiToken.expires_at > bindparam("now", type_=UtcDateTime())),
        User.active,
        User.archived_at.is_(None),
    )
)
"""Built once: it runs at every request of the API."""


def find_bearer(connection: Connection, plain: str, now: dt.datetime) -> Bearer | None:
    """As `find_token`, by one statement of core and without objects."""
    if not plain.startswith(PREFIX):
        return None
    found = connection.execute(_BEARER, {"token_hash": hash_of(plain), "now": now}).one_or_none()
    return None if found is None else Bearer(*found)


def is_due_for_touch(row: ApiToken | Bearer, now: dt.datetime) -> bool:
    """Whether `touch_token` has something to write; so that most requests write nothing."""
    return row.last_used_at is None or now - row.last_used_at >= TOUCH


def touch_token(session: Session, row: ApiToken, now: dt.datetime) -> None:
    """Note that the token is in use, at most every five minutes."""
    if is_due_for_touch(row, now):
        session.execute(
            update(ApiToken).where(ApiToken.id == row.id).values(last_used_at=now),
            execution_options={"synchronize_session": False},
        )
        note_seen(session, row.user_id, now)


def is_refusal_logged(session: Session, address: str, now: dt.datetime) -> bool:
    """Whether the security log takes another refused token from an address; it only reads, so that a flood waits for no lock."""
    until = throttle.locked_until(session, [throttle.token_subject(address)])
    return until is None or until <= now


def log_refusal(session: Session, plain: str, address: str, now: dt.datetime) -> None:
    """Keep in the security log that a token opened nothing, and whose it was; of a flood from one address the first few."""
    if throttle.reserve(session, throttle.token_subject(address), throttle.TOKENS, now) is not None:
        return
    row = session.scalar(select(ApiToken).where(ApiToken.token_hash == hash_of(plain)))
    record_event(
        session,
        TOKEN_REFUSED,
        person=session.get(User, row.user_id) if row is not None else None,
        address=address,
        token=row.prefix if row is not None else None,  # of a stranger's nothing: it may be another secret, pasted
        name=row.name if row is not None else None,
    )


def revoke_token(session: Session, token_id: int, *, user: User | None = None) -> ApiToken:
    """End a token for good; of ``user`` only, where one is given."""
    row = session.get(ApiToken, token_id)
    if row is None or (user is not None and row.user_id != user.id):
        raise NotFound(_("There is no token {id}.", id=token_id))
    if not row.revoked:
        row.revoked = True
        session.flush()
        owner = user or session.get_one(User, row.user_id)
        record_event(session, TOKEN_REVOKED, person=owner, token=row.prefix, name=row.name)
    return row


def revoke_tokens(session: Session, user: User) -> int:
    """End all tokens of a user for good; returns how many still lived."""
    living = session.scalars(select(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked.is_(False))).all()
    for row in living:
        revoke_token(session, row.id, user=user)
    return len(living)


def list_tokens(session: Session, user: User | None = None) -> Sequence[tuple[ApiToken, User]]:
    """The tokens of a user or of everyone, the newest first; revoked ones too."""
    statement = select(ApiToken, User).join(User, User.id == ApiToken.user_id).order_by(ApiToken.id.desc())
    if user is not None:
        statement = statement.where(ApiToken.user_id == user.id)
    return [(first, second) for first, second in session.execute(statement)]
