"""The board of a record type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comptoir.kinds import Cell
from comptoir.web.models.list import Facet, ViewTab
from comptoir.web.models.shell import Choice, Empty


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    title: str
    url: str
    subtitle: str = ""
    value: str = ""
    note: str = ""
    late: bool = False
    act: Cell | None = None
    """What is planned next, or that nothing is."""
    owner: str = ""
    version: int = 0
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    key: str
    label: str
    cards: tuple[Card, ...]
    count: str
    total: str = ""
    foot: str = ""
    note: str = ""
    probability: int | None = None
    outcome: Literal["", "won", "lost"] = ""
    asks: bool = False
    more: str = ""
    more_url: str = ""
    next_url: str = ""
    """The lane's next cards, where there are more."""
    new_url: str = ""


@dataclass(frozen=True, slots=True)
class BoardPage:
    title: str
    url: str
    move_url: str
    lanes: tuple[Lane, ...]
    query: str = ""
    search_hint: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    only: Lane | None = None
    """The lane whose next cards were asked for, nothing else."""
    facets: tuple[Facet, ...] = ()
    saved: tuple[ViewTab, ...] = ()
    views: tuple[Choice, ...] = ()
    boards: tuple[Choice, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    here: str = ""
    """The address of this board with its filters, to return to."""
    empty: Empty | None = None
