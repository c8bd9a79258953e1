"""Errors as the API answers them: RFC 9457 problem details, made from one table."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from comptoir.db.outages import refusal_of
from comptoir.errors import ComptoirError, Conflict, PluginFailed, RuleViolation, RuleViolations
from comptoir.i18n import Text, _
from comptoir.rest.wire import dump

log = logging.getLogger("comptoir.rest")

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

TITLES: Mapping[int, Text] = {
    400: _("The request cannot be read"),
    401: _("Sign in first"),
    403: _("Not allowed"),
    404: _("Not found"),
    405: _("Method not allowed"),
    409: _("Conflict"),
    412: _("Changed meanwhile"),
    413: _("Too large"),
    415: _("Not JSON"),
    422: _("Not valid"),
    428: _("Version missing"),
    500: _("Something went wrong here"),
    503: _("Try again in a moment"),
}
"""Every status of a problem that the API answers."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error answer; ``errors`` holds messages by field, those of the whole request under ``""``."""

    status: int
    code: str
    detail: str
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members of the problem document."""
        content: dict[str, Any] = {
            "type": f"urn:comptoir:problem:{self.code}",
            "title": str(TITLES.get(self.status, _("Error"))),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            content["errors"] = self.errors
        return {**content, **self.more}

    def response(self) -> Response:
        """The answer."""
        return Response(
            dump(self.body()), self.status, {**self.headers, "Cache-Control": "no-store"}, content_type=MEDIA_TYPE
        )


def problem_of(error: BaseException) -> Problem:
    """What to answer for any exception; one that nobody foresaw is logged under a number that the answer names."""
    match error:
        case RuleViolations():
            return Problem(error.status, error.code, _summary(error), error.by_field())
        case RuleViolation():
            return Problem(error.status, error.code, str(error), {error.field or "": [str(error)]})
        case Conflict():
            return Problem(
                error.status, error.code, str(error), more={"current": error.current} if error.current else {}
            )
        case ComptoirError() if error.status < 500:
            headers = {"WWW-Authenticate": 'Bearer realm="comptoir"'} if error.status == 401 else {}
            return Problem(error.status, error.code, str(error), headers=headers)
        case ComptoirError() if error.status == 503:
            return _unavailable(str(error), error.code)
        case PluginFailed():
            return Problem(error.status, error.code, str(error), more={"number": error.number})
        case HTTPException():
            return _http_problem(error)
        case DBAPIError() | StatementError() | PoolTimeout():
            return _database_problem(error)
        case _:
            return _unforeseen(error)


def _summary(error: RuleViolations) -> str:
    first, *others = (str(violation) for violation in error.violations)
    return first if not others else str(_("{first} And {count} more.", first=first, count=len(others)))


def _http_problem(error: HTTPException) -> Problem:
    status = error.code or 500
    detail: Text = error.description or TITLES.get(status, "")
    if status == 404:
        detail = _("There is nothing at this path. /api/v1/openapi.json lists what there is.")
    elif status == 405:
        detail = _(
            "Not here. Allowed: {methods}.", methods=", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        )
    if status == 413:
        detail = _("The body is longer than {limit} MB. Send it in parts.", limit=16)
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return Problem(status, "core.http", str(detail), headers=headers)


def _unavailable(detail: Text, code: str = "core.unavailable") -> Problem:
    return Problem(503, code, str(detail), headers={"Retry-After": str(RETRY_SECONDS)})


def _database_problem(error: Exception) -> Problem:
    refusal = refusal_of(error)
    return _unforeseen(error) if refusal is None else problem_of(refusal)


def _unforeseen(error: BaseException) -> Problem:
    number = secrets.token_hex(4)
    log.error("error %s", number, exc_info=error)
    detail = _(
        "An error that nobody foresaw. Nothing was changed. Tell an administrator its number: {number}.", number=number
    )
    return Problem(500, "core.error", str(detail), more={"number": number})
