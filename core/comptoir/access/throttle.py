"""How often somebody may guess: refused sign-ins counted in the database, shared by all workers, kept across restarts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from comptoir.access.models import SignInAttempt
from comptoir.db.types import fold

OWN = ("source:", "device:")
"""How the subjects begin that belong to one source of one account: success forgets their refusals."""
FIRST_LOCK = dt.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Limit:
    """``failures`` refusals are free; each further one locks twice as long up to ``longest``, until ``memory`` has passed since the first."""

    failures: int
    memory: dt.timedelta
    longest: dt.timedelta

    def lock(self, failures: int) -> dt.timedelta | None:
        """How long to wait after so many refusals in a row."""
        if failures < self.failures:
            return None
        doubled: dt.timedelta = FIRST_LOCK * 2 ** min(failures - self.failures, 20)
        return min(doubled, self.longest)


ACCOUNT = Limit(5, memory=dt.timedelta(days=1), longest=dt.timedelta(hours=1))
ANYWHERE = Limit(100, memory=dt.timedelta(days=1), longest=dt.timedelta(minutes=15))
"""What all unknown devices together may guess at one account: wide enough that one stranger alone never uses it up."""
ADDRESS = Limit(30, memory=dt.timedelta(hours=1), longest=dt.timedelta(minutes=5))
"""A whole office may share one address, so it is given more room than an account, and is not locked out for long."""
TOKENS = Limit(5, memory=dt.timedelta(hours=1), longest=dt.timedelta(minutes=5))
"""How many refused tokens of one address the security log keeps one by one; the API itself is locked for nobody."""


def account_subject(identifier: str) -> str:
    """What refusals of one account from anywhere are counted under, whether or not the account exists."""
    return "account:" + fold(identifier)[:300]


def source_subject(identifier: str, address: str) -> str:
    """What refusals of one account from one address are counted under."""
    return f"source:{address[:64]}:{fold(identifier)[:240]}"


def device_subject(token_hash: str) -> str:
    """What refusals in a browser that belongs to the account are counted under."""
    return "device:" + token_hash


def address_subject(address: str) -> str:
    """What refusals from one address are counted under."""
    return "address:" + address[:300]


def token_subject(address: str) -> str:
    """What refused tokens from one address are counted under."""
    return "token:" + address[:300]


def reserve(session: Session, subject: str, limit: Limit, now: dt.datetime) -> dt.timedelta | None:
    """Count an attempt as refused before it is looked at, or say how long the subject stays locked.

    Counting first means that attempts made at the same moment cannot all slip in under the limit.  The counter's row
    stays locked until the transaction ends; `clear` or `give_back` follow when the secret was right.
    """
    table = SignInAttempt.__table__
    dialect = session.get_bind().dialect.name
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(SignInAttempt)
    forgotten = SignInAttempt.first_at <= now - limit.memory
    statement = insert.values(subject=subject, failures=1, first_at=now).on_conflict_do_update(
        index_elements=[table.c.subject],
        set_={
            "failures": case((forgotten, 1), else_=SignInAttempt.failures + 1),
            "first_at": case((forgotten, now), else_=SignInAttempt.first_at),
            "locked_until": None,
        },
        where=or_(SignInAttempt.locked_until.is_(None), SignInAttempt.locked_until <= now),
    )
    failures = session.execute(statement.returning(SignInAttempt.failures)).scalar()
    if failures is None:
        until = session.scalar(select(SignInAttempt.locked_until).where(SignInAttempt.subject == subject))
        return max(until - now, dt.timedelta(seconds=1)) if until is not None else dt.timedelta(seconds=1)
    lock = limit.lock(failures)
    if lock is not None:
        _update(session, subject, locked_until=now + lock)
    return None


def clear(session: Session, subject: str) -> None:
    """Forget the refusals of a subject: the right secret was given."""
    session.execute(
        delete(SignInAttempt).where(SignInAttempt.subject == subject), execution_options={"synchronize_session": False}
    )


def give_back(session: Session, subject: str) -> None:
    """Take back the one attempt that turned out right, and keep the refusals that others caused."""
    _update(session, subject, failures=SignInAttempt.failures - 1, locked_until=None)


def locked_until(session: Session, subjects: Iterable[str]) -> dt.datetime | None:
    """When the longest lock on one of the subjects ends; None where none is locked."""
    statement = select(func.max(SignInAttempt.locked_until)).where(SignInAttempt.subject.in_(list(subjects)))
    return session.scalar(statement)


def purge(session: Session, now: dt.datetime) -> int:
    """Delete counters that no longer matter; returns how many."""
    done = session.execute(
        delete(SignInAttempt).where(
            and_(
                SignInAttempt.first_at <= now - max(ACCOUNT.memory, ANYWHERE.memory, ADDRESS.memory),
                or_(SignInAttempt.locked_until.is_(None), SignInAttempt.locked_until <= now),
            )
        ),
        execution_options={"synchronize_session": False},
    )
    count: int = done.rowcount  # type: ignore[attr-defined]
    return count


def _update(session: Session, subject: str, **values: object) -> None:
    session.execute(
        update(SignInAttempt).where(SignInAttempt.subject == subject).values(**values),
        execution_options={"synchronize_session": False},
    )
