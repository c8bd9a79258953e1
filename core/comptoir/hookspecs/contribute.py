"""What a plugin adds to a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.contributions import Contribution
    from comptoir.db.base import Base


@hookspec
def contribute() -> list[Contribution | type[Base]]:  # type: ignore[empty-body]
    """Everything that the plugin adds, of any kind, in one list: its tables, rights, screens, rules, work, pages.

    Called once per generation, while the application is built: no context, no database, no request.  Values are frozen,
    and each checks itself; one that is wrong refuses the plugin with a sentence that says what to mend.

    Example: ``return [models.Order, Rules(Contact, check=services.check), Job("sales.find_idle", jobs.find_idle, Daily(time(7)))]``
    """
