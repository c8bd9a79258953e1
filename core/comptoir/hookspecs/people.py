"""Who works with a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record


@hookspec(firstresult=True)
def choose_owner(ctx: Context, record: Record) -> int | None:
    """The id of the user to whom a new record without an owner goes; the core answers last, with its creator.

    Example: ``return services.next_in_rota(ctx, record) if isinstance(record, Lead) else None``
    """
