"""Whose fault an unexpected error is: the plugin whose code raised it, read from the traceback."""

from __future__ import annotations

import traceback
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comptoir.registry.registry import Registry


def plugin_to_blame(registry: Registry, error: BaseException) -> str | None:
    """The plugin nearest to where the error was raised; None where only the core took part."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (name := plugin_at(registry, frame.filename)) is not None:
            return name
    return None


def plugin_at(registry: Registry, filename: str) -> str | None:
    """The plugin whose code a file is; None for the core's."""
    parents = _parents(filename)
    return next((name for name, it in registry.plugins.items() if name != "base" and it.folder in parents), None)


@lru_cache(maxsize=4096)
def _parents(filename: str) -> frozenset[Path]:
    return frozenset(Path(filename).parents)
