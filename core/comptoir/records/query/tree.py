"""The parsed form of a filter and of a whole list query; frozen, comparable, free of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison: ``path`` as in the URL (``contact.city``), ``value`` a Python value, or a tuple for ``in`` and ``nin``.

    A comparison that does not hold is false, never unknown: ``ne`` and ``nin`` keep the rows without a value.
    """

    path: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 -- the contract's name; plain Any is taken by typing
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter = Compare | All | Any_ | Not

DEFAULT_SIZE = 80
MAX_SIZE = 500

WITHOUT, ONLY, WITH = "without", "only", "with"
"""What a list does with archived records."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for; ``fields`` empty means all but lines, ``number`` counts pages from 1, ``after`` is a cursor."""

    where: Filter | None = None
    sort: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    size: int = DEFAULT_SIZE
    number: int = 1
    after: str | None = None
    text: str = ""
    archived: str = WITHOUT


def and_also(*filters: Filter | None) -> Filter | None:
    """The filter that holds where all the given ones do; None holds everywhere."""
    given = tuple(part for part in filters if part is not None)
    return normalised(All(given)) if given else None


def normalised(node: Filter) -> Filter:
    """The same filter without groups of one and without groups inside a group of their kind."""
    match node:
        case Compare():
            return node
        case Not(part):
            return Not(normalised(part))
        case All(parts) | Any_(parts):
            kind = type(node)
            flat: list[Filter] = []
            for part in map(normalised, parts):
                flat += part.parts if isinstance(part, kind) else (part,)
            return flat[0] if len(flat) == 1 else kind(tuple(flat))


def comparisons(node: Filter | None) -> Iterator[Compare]:
    """Every comparison of a filter, from left to right."""
    match node:
        case Compare():
            yield node
        case Not(part):
            yield from comparisons(part)
        case All(parts) | Any_(parts):
            for part in parts:
                yield from comparisons(part)


def depth(node: Filter) -> int:
    """How deeply the groups of a filter are nested; a comparison alone is 0."""
    match node:
        case Compare():
            return 0
        case Not(part):
            return 1 + depth(part)
        case All(parts) | Any_(parts):
            return 1 + max(map(depth, parts), default=0)
