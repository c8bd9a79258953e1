"""Who may enter and who may see what.  A plugin can take rights away, never grant them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause

    from comptoir.access.models import User
    from comptoir.context import Context
    from comptoir.db.record import Record


@hookspec
def narrow_query(model: type[Record], action: str, table: FromClause) -> ColumnElement[bool] | None:
    """A condition that every row of ``model`` must meet for ``action``; all answers are joined by AND.

    Called when a policy is built, not per query: refer to the reader with `comptoir.toolkit.reader_id()`.

    Example: ``return table.c.confidential.is_(False) if model is Order else None``
    """


@hookspec
def forbid_action(ctx: Context, action: str, record: Record | None) -> str | None:
    """A reason to refuse an action that the user's roles would allow, or None.

    Example: ``return _("The year is closed.") if services.is_closed(ctx, record) else None``
    """


@hookspec
def on_login(ctx: Context, user: User) -> None:
    """A user signed in.

    Example: ``services.start_shift(ctx, user)``
    """
