"""Whose fault an unexpected error is: the plugin whose code raised it, read from the traceback."""

from __future__ import annotations

import traceback
from pathlib import Path

from comptoir.registry.registry import Registry


def plugin_to_blame(registry: Registry, error: BaseException) -> str | None:
    """The plugin nearest to where the error was raised; None where only the core took part."""
    folders = {plugin.folder: name for name, plugin in registry.plugins.items() if name != "base"}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for parent in Path(frame.filename).parents:
            if parent in folders:
                return folders[parent]
    return None
