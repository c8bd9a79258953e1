"""What a search found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SearchHit:
    title: str
    url: str
    detail: str = ""
    value: str = ""
    icon: str = ""
    square: bool = False


@dataclass(frozen=True, slots=True)
class SearchGroup:
    """Hits of one kind; ``rank`` is 0 where the best one reads exactly as typed, 1 where it begins so."""

    label: str
    hits: tuple[SearchHit, ...]
    rank: int = 3
    count: str = ""
    """``20+`` where there are more than anybody reads."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    query: str
    groups: tuple[SearchGroup, ...]
    url: str
