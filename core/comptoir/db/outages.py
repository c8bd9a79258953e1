"""What an error of the database means to people: one reading for pages, API and command line."""

from __future__ import annotations

import logging

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from comptoir.db.unit_of_work import is_busy
from comptoir.errors import ComptoirError, Conflict, RuleViolation, Unavailable
from comptoir.i18n import _

log = logging.getLogger(__name__)

_FULL = {"53100", "53200", "53300"}
_SQLITE_FULL = {8, 10, 13, 14}  # READONLY, IOERR, FULL, CANTOPEN


def outage_of(error: Exception) -> Unavailable | None:
    """The refusal when the database itself cannot work now: busy, full, read-only, away; no statement is at fault."""
    if isinstance(error, PoolTimeout):
        return Unavailable(_("The server is busy. Try again in a moment."))
    if not isinstance(error, DBAPIError):
        return None
    error = first_cause(error)
    state = getattr(error.orig, "sqlstate", None)
    code = (getattr(error.orig, "sqlite_errorcode", None) or 0) & 0xFF
    if is_busy(error):
        return Unavailable(_("The database is busy with another change. Try again in a moment."))
    if state == "57014":
        return Unavailable(_("The request took too long. Ask for less at once."))
    if state in _FULL or code in _SQLITE_FULL:
        log.error("the database refuses: %s", error.orig)
        return Unavailable(_("The database cannot write at the moment. Nothing was changed."))
    unspoken = (
        isinstance(error, (OperationalError, InterfaceError)) and code == 0
    )  # the connection broke before an answer
    if error.connection_invalidated or (state or ("08" if unspoken else ""))[:2] in {"08", "57"}:
        log.error("the database is away: %s", error.orig)
        return Unavailable(_("The database does not answer. Try again in a moment."))
    return None


def refusal_of(error: Exception) -> ComptoirError | None:
    """The refusal that an error of the database amounts to; None for a fault of ours."""
    if (outage := outage_of(error)) is not None:
        return outage
    if isinstance(error, IntegrityError):
        return Conflict(_("The change clashes with what another person saved a moment ago."), code="core.clash")
    if isinstance(error, DataError):
        return RuleViolation("core.invalid", _("The database cannot keep one of the values."))
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError) and isinstance(error.orig, ValueError):
        return RuleViolation("core.invalid", str(error.orig))  # a column type refused a value
    return None


def first_cause(error: DBAPIError) -> DBAPIError:
    """The error that began it: SQLite ends the transaction when the disk is full, and then misses the savepoint."""
    cause: BaseException = error
    while "no such savepoint" in str(cause) and cause.__context__ is not None:
        cause = cause.__context__
    while not isinstance(cause, DBAPIError) and cause.__context__ is not None:
        cause = cause.__context__
    return cause if isinstance(cause, DBAPIError) else error
