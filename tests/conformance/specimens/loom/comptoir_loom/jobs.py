"""Work of the night."""

from __future__ import annotations

from comptoir.toolkit import Context
from comptoir_loom import services


def count_stock(ctx: Context) -> None:
    """Look at the stock."""
    services.count_bolts(ctx)
