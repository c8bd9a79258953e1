"""Pages.  Prefer contributions; these hooks are for what cannot be declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record


@hookspec(firstresult=True)
def choose_home(ctx: Context) -> str | None:
    """The path a user lands on after signing in; the core answers last, with the dashboard.

    Example: ``return "/support/my-queue" if services.is_agent(ctx) else None``
    """


@hookspec
def adapt_form(ctx: Context, form: Any, record: Record) -> None:
    """Adjust a record form for this user: hide, require, preset, restrict choices.

    Example: ``form.inputs["discount"].read_only = not services.may_discount(ctx)``
    """
