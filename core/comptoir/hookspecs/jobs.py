"""Scheduled work, which is contributed as a `Job`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.context import Context


@hookspec
def after_job_failed(ctx: Context, name: str, reason: str) -> None:
    """A job raised and its transaction was rolled back; ``reason`` is one readable line.

    Example: ``services.alert_administrators(ctx, name, reason)``
    """
