"""Stages and permitted transitions of a record type, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from comptoir.i18n import Text


@dataclass(frozen=True, slots=True)
class Stage:
    """A station of a workflow; ``closes`` ends it, ``won`` tells a good end from a bad one.

    ``probability`` is the chance of a good end in percent, ``idle_days`` how long a record may rest here.
    """

    name: str
    label: Text
    closes: bool = False
    won: bool | None = None
    probability: Decimal | None = None
    idle_days: int | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A permitted move; ``sources`` empty means from anywhere, ``permission`` who may beyond the right to edit.

    ``asks`` names fields that must be given with the move, such as the reason of a loss; ``offers`` those that may be.
    """

    name: str
    label: Text
    target: str
    sources: tuple[str, ...] = ()
    permission: str | None = None
    asks: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        """The fields that can be given with the move."""
        return (*self.asks, *self.offers)

    def applies_to(self, stage: str) -> bool:
        """Whether the move starts at this stage."""
        return stage != self.target and (not self.sources or stage in self.sources)


class Workflow:
    """The stages of a record type and the moves between them.

    Override `stages` and `transitions` where they are rows of a table rather than constants; both are called
    with the context and with the record, or None for all.
    """

    field = "stage"

    def __init__(self, *stages: Stage, transitions: Sequence[Transition] = ()) -> None:
        self._stages = tuple(stages)
        self._transitions = tuple(transitions)

    def stages(self, ctx: Any, record: Any = None) -> Sequence[Stage]:
        """Every stage in order."""
        return self._stages

    def transitions(self, ctx: Any, record: Any = None) -> Sequence[Transition]:
        """Every declared move, whether or not the record stands at its source."""
        return self._transitions

    def stage(self, ctx: Any, name: str, record: Any = None) -> Stage | None:
        """The stage with this name, or None."""
        return next((s for s in self.stages(ctx, record) if s.name == name), None)

    def moves_from(self, ctx: Any, record: Any) -> list[Transition]:
        """The moves that start where the record stands."""
        here = getattr(record, self.field)
        return [t for t in self.transitions(ctx, record) if t.applies_to(here)]
