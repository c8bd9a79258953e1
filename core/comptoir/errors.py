"""Every error that Comptoir raises on purpose; pages, API and command line map them by one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class ComptoirError(Exception):
    """A refusal with a message for a person: what happened, then what to do."""

    status = 500
    code = "core.error"

    def __init__(self, message: Any, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return str(self.message)


class RuleViolation(ComptoirError):
    """A value or a change that a rule refuses; ``field`` names where to show it, dotted for lines (``phones.0.number``)."""

    status = 422

    def __init__(self, code: str, message: Any, *, field: str | None = None, **values: Any) -> None:
        super().__init__(message, code=code)
        self.field = field
        self.values = values

    def at(self, field: str) -> RuleViolation:
        """The same refusal, shown at this field."""
        return RuleViolation(self.code, self.message, field=field, **self.values)


class RuleViolations(ComptoirError):
    """All the violations of one change, gathered so that a person sees them together."""

    status = 422
    code = "core.invalid"

    def __init__(self, violations: Iterable[RuleViolation]) -> None:
        self.violations: Sequence[RuleViolation] = tuple(violations)
        super().__init__("; ".join(str(v) for v in self.violations))

    def by_field(self) -> dict[str, list[str]]:
        """Messages under their field; those of the whole record under ``""``."""
        grouped: dict[str, list[str]] = {}
        for violation in self.violations:
            grouped.setdefault(violation.field or "", []).append(str(violation))
        return grouped


class NotAllowed(ComptoirError):
    """The actor may see this but may not do it."""

    status = 403
    code = "core.not_allowed"


class SignInRequired(ComptoirError):
    """Nobody is signed in, or the token is not known."""

    status = 401
    code = "core.sign_in_required"


class NotFound(ComptoirError):
    """There is no such thing, or the actor may not know of it."""

    status = 404
    code = "core.not_found"


class Conflict(ComptoirError):
    """Somebody else changed it first, or it is busy; ``current`` holds the newer values by field."""

    status = 409
    code = "core.conflict"

    def __init__(self, message: Any, *, code: str | None = None, current: dict[str, Any] | None = None) -> None:
        super().__init__(message, code=code)
        self.current = current or {}


class Overtaken(Conflict):
    """Another transaction was faster; the same work, begun anew, may succeed."""

    code = "core.stale"


class PreconditionFailed(Conflict):
    """``If-Match`` named a version that is no longer the current one."""

    status = 412
    code = "core.stale"


class PreconditionRequired(ComptoirError):
    """The deployment wants to know which version the caller has seen before it changes a record."""

    status = 428
    code = "core.version_required"


class Unavailable(ComptoirError):
    """The database is locked, full or away; trying again later may help."""

    status = 503
    code = "core.unavailable"


class Behind(Unavailable):
    """The database waits for the migrations of the program; whatever is asked is refused until they ran."""

    code = "core.upgrade_needed"


class PluginFailed(ComptoirError):
    """A plugin's code crashed at this request; all else works.  The log says why under ``number``."""

    code = "core.module_failed"

    def __init__(self, message: Any, *, number: str) -> None:
        super().__init__(message)
        self.number = number


class SetAside(Unavailable):
    """A module does not run for now, and what belongs to it waits until it is mended."""

    code = "core.module_set_aside"


class WriteRefused(ComptoirError):
    """Code changed records past the one write path; nothing of it was kept."""

    code = "core.write_refused"


class PluginError(ComptoirError):
    """A plugin breaks the contract; it is quarantined and the rest serves."""

    code = "core.plugin"

    def __init__(self, plugin: str, message: Any) -> None:
        super().__init__(message)
        self.plugin = plugin

    def __str__(self) -> str:
        return f"{self.plugin}: {self.message}"


class ConfigurationError(ComptoirError):
    """The configuration cannot be used; the message names the key and the cure."""

    code = "core.configuration"
