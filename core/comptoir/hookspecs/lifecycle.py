"""A module's life in a deployment: filled when it is first enabled, and resumed after a pause.

All of these run inside the one transaction that also raises the generation, after the plugin's migrations and before any
worker swaps to the new application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.context import Context


@hookspec
def seed_module(ctx: Context) -> None:
    """Called on the plugin itself only, the first time it is enabled: create its initial records.

    Example: ``services.create_default_pipeline(ctx)``
    """


@hookspec
def seed_demo(ctx: Context) -> None:
    """Called on the plugin itself only, when demonstration data is asked for.

    Example: ``demo.create_orders(ctx, count=20)``
    """


@hookspec
def on_module_resumed(ctx: Context, name: str) -> None:
    """Called on every enabled plugin, ``name`` included, after it speaks again.

    Example: ``if name == "sales": services.recount_idle(ctx)``
    """
