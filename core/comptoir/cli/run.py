"""From arguments to an exit status: 0 done, 1 refused or failed with one line that says why, 2 wrong usage."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from comptoir.cli.commands import comptoir
from comptoir.errors import ComptoirError
from comptoir.i18n import Text, _

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

TRACEBACK = "COMPTOIR_TRACEBACK"
"""Set to ``1`` by developers who want the traceback of an unexpected error."""


def run(arguments: Sequence[str]) -> int:
    """Carry out a command; every error becomes a line on stderr and a status."""
    try:
        result = comptoir.main(args=list(arguments), prog_name="comptoir", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        return 2
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo(file=sys.stderr)
        return 128 + signal.SIGINT
    except Exception as error:
        if os.environ.get(TRACEBACK) == "1":
            raise
        click.echo(f"comptoir: {one_line(explain(error))}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def explain(error: Exception) -> Text:
    """What to tell a person about an error."""
    if isinstance(error, ComptoirError):
        return str(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    if isinstance(error, DBAPIError):
        return explain_database(error)
    if isinstance(error, PoolTimeout):
        return _("The database is busy with other work. Try again in a moment.")
    if isinstance(error, SQLAlchemyError):
        return _("The database refused: {reason}", reason=str(error).splitlines()[0])
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    if isinstance(error, UnicodeError):
        return _("The input is not text in UTF-8: {reason}", reason=error)
    return _(
        "An unexpected {kind} stopped the command: {reason}. Set {variable}=1 to see where.",
        kind=type(error).__name__,
        reason=error,
        variable=TRACEBACK,
    )


def explain_database(error: DBAPIError) -> Text:
    """What a database's own error means, and what to do about it."""
    from comptoir.db.outages import first_cause
    from comptoir.db.unit_of_work import is_busy

    error = first_cause(error)
    said = str(error.orig).strip()
    lines = [line for line in said.splitlines() if line.strip()]
    reason = lines[0] if lines else type(error.orig).__name__
    if is_busy(error):
        return _("The database is locked by another process. Try again in a moment, or stop what holds it.")
    lowered = said.lower()
    if "readonly" in lowered or "read-only" in lowered:
        return _("The database cannot be written: {reason}. Check the rights of its file and folder.", reason=reason)
    if "disk is full" in lowered or "no space left" in lowered:
        return _("The disk is full. Nothing was changed; make room and run the command again.")
    if "no such table" in lowered or "does not exist" in lowered:
        return _("The database lacks tables or is not there: {reason}. Create them with: comptoir init", reason=reason)
    if "not a database" in lowered or "malformed" in lowered:
        return _("The database file is damaged or no database: {reason}. Restore it from a backup.", reason=reason)
    if error.connection_invalidated or "connect" in lowered or "unable to open" in lowered or "resolve" in lowered:
        return _(
            "The database does not answer: {reason}. Check deployment.database_url and that it runs.", reason=reason
        )
    return _("The database refused: {reason}", reason=reason)


def one_line(text: Text) -> str:
    """The text without line breaks."""
    return " ".join(str(text).split())
