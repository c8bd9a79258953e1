"""Whose fault an unexpected error is: the plugin whose code raised it, read from the traceback."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comptoir.registry.plugin import Plugin


def plugin_to_blame(plugins: Mapping[str, Plugin], error: BaseException) -> str | None:
    """The plugin nearest to where the error was raised; None where only the core took part."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (name := plugin_at(plugins, frame.filename)) is not None:
            return name
    return None


def plugin_at(plugins: Mapping[str, Plugin], filename: str) -> str | None:
    """The plugin whose code a file is; None for the core's."""
    parents = _parents(filename)
    return next((name for name, it in plugins.items() if name != "base" and it.folder in parents), None)


@lru_cache(maxsize=4096)
def _parents(filename: str) -> frozenset[Path]:
    return frozenset(Path(filename).parents)
