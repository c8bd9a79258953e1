"""Which plugins are installed, read from distribution metadata without importing any of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

GROUP = "comptoir.plugins"
PREFIX = "comptoir-"


@dataclass(frozen=True, slots=True)
class Available:
    """An installed plugin as its distribution describes it."""

    name: str
    target: str
    """The module that holds the hook implementations, such as ``comptoir_sales.plugin``."""
    version: str
    summary: str = ""
    author: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Other plugins that it needs, each with a version range that may be empty."""


def discover_plugins(entry_points: Iterable[metadata.EntryPoint] | None = None) -> dict[str, Available]:
    """The installed plugins by name, base first; the same name twice keeps the first and is reported by `clashes`."""
    described = _installed(_folders()) if entry_points is None else map(_describe, entry_points)
    found: dict[str, Available] = {}
    for plugin in described:
        found.setdefault(plugin.name, plugin)
    return dict(sorted(found.items(), key=lambda item: (item[0] != "base", item[0])))


def _folders() -> tuple[tuple[str, int], ...]:
    """Where distributions lie, with the time of the last installation or removal there."""
    found = []
    for folder in sys.path:
        try:
            found.append((folder, os.stat(folder or ".").st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


@lru_cache(maxsize=4)
def _installed(_folders: tuple[tuple[str, int], ...]) -> tuple[Available, ...]:
    """Reading the metadata of every distribution is half the work of a swap; it changes only when something is installed."""
    return tuple(_describe(point) for point in metadata.entry_points(group=GROUP))


def _describe(point: metadata.EntryPoint) -> Available:
    distribution = point.dist
    if distribution is None:
        return Available(point.name, point.value, "0", requires={})
    requires = {}
    for line in distribution.requires or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        if requirement.name.lower().startswith(PREFIX):
            name = re.sub(r"[-.]+", "_", requirement.name.lower().removeprefix(PREFIX))
            requires[name] = str(requirement.specifier)
    own = distribution.metadata
    return Available(
        name=point.name,
        target=point.value,
        version=distribution.version,
        summary=own["Summary"] or "",
        author=own["Author"] or own["Author-email"] or "",
        requires=requires,
    )


def fits(version: str, specifier: str) -> bool:
    """Whether a version lies within a range such as ``>=0.2,<1``."""
    from packaging.specifiers import SpecifierSet

    return Version(version) in SpecifierSet(specifier, prereleases=True)


def in_order(available: Mapping[str, Available], names: Iterable[str]) -> list[str]:
    """The names so that each stands after what it requires; what is not installed is left out."""
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in ordered or name not in available or name in path:
            return
        for needed in sorted(available[name].requires):
            visit(needed, (*path, name))
        ordered.append(name)

    for name in sorted(names, key=lambda n: (n != "base", n)):
        visit(name, ())
    return ordered


def with_requirements(available: Mapping[str, Available], names: Iterable[str]) -> list[str]:
    """The names and everything that they need, needed first."""
    return in_order(available, names)


def dependants(available: Mapping[str, Available], name: str) -> list[str]:
    """The plugins that need ``name``, directly or through others."""
    found: list[str] = []
    todo = [name]
    while todo:
        current = todo.pop()
        for other in available.values():
            if current in other.requires and other.name not in found:
                found.append(other.name)
                todo.append(other.name)
    return sorted(found)
