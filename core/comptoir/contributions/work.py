"""Work that is done without anybody looking on, and commands of the terminal."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import Contribution, NamedContribution
from comptoir.i18n import Text
from comptoir.schedules import Schedule

if TYPE_CHECKING:
    import click

    from comptoir.context import Context


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to go on with work that fails: pauses that double from `first` to `longest`, for `give_up` in all."""

    first: dt.timedelta = dt.timedelta(seconds=5)
    longest: dt.timedelta = dt.timedelta(hours=1)
    give_up: dt.timedelta = dt.timedelta(hours=48)

    def pause(self, attempt: int) -> dt.timedelta:
        """The pause after the try of this number; up to a quarter longer, so that many do not return at once."""
        return min(self.first * (1 << min(max(attempt, 1) - 1, 30)), self.longest) * random.uniform(1, 1.25)


SCHEDULED_BACKOFF = Backoff(dt.timedelta(seconds=2), dt.timedelta(minutes=1), dt.timedelta(minutes=10))
"""A job that fails makes room for its next moment after ten minutes."""


@dataclass(slots=True)
class Progress:
    """Where work stands, and what it remembers from one transaction to the next; its steps may change all but `args`."""

    args: Mapping[str, Any]
    done: int = 0
    """How much is done: counted by the step where it changes the number, else the turns that were taken."""
    total: int | None = None
    """Of how much, where that is known."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Plain JSON values, such as the last id that was worked on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of long or outside work; each turn of it is a short transaction, or two around a call.

    `plan` is called in a transaction. Without `call` it does a part of the work and returns whether there is more of
    it. With `call` it returns the request, a plain JSON value that is kept with a fresh idempotency key; or None where
    there is nothing to ask. `call` gets both while no transaction is open, and after a crash gets the same two again.
    `conclude` is called in the next transaction, with the answer; it returns whether the step has another turn.
    """

    plan: Callable[[Context, Progress], Any]
    call: Callable[[Any, str], Any] | None = None
    conclude: Callable[[Context, Progress, Any], Any] | None = None
    limit: dt.timedelta = dt.timedelta(seconds=60)
    """How long a call may take: so long no other worker believes that this one is gone."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Long or outside work as many short transactions, taken in order."""

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        if not steps:
            raise ValueError("Steps need at least one Step")
        object.__setattr__(self, "steps", steps)


def _one_of(name: str, function: object, steps: object) -> None:
    if (function is None) is (steps is None):
        raise ValueError(f"{name} needs either a function or steps")


@dataclass(frozen=True, slots=True)
class Job(NamedContribution):
    """Scheduled work: one short transaction by a function of a system context, safe to run twice, or many by steps.

    What takes longer than `limit`, one step of many included, is ended and fails; the deployment's setting counts without.
    """

    name: str
    function: Callable[[Context], Any] | None
    schedule: Schedule
    title: Text
    steps: Steps | None
    backoff: Backoff
    limit: dt.timedelta | None

    def __init__(
        self,
        name: str,
        function: Callable[[Context], Any] | None = None,
        schedule: Schedule | None = None,
        title: Text = "",
        *,
        steps: Steps | None = None,
        backoff: Backoff = SCHEDULED_BACKOFF,
        limit: dt.timedelta | None = None,
    ) -> None:
        _one_of(name, function, steps)
        if schedule is None:
            raise ValueError(f"{name} needs a schedule")
        for attribute, value in (
            ("name", name),
            ("function", function),
            ("schedule", schedule),
            ("title", title),
            ("steps", steps),
            ("backoff", backoff),
            ("limit", limit),
        ):
            object.__setattr__(self, attribute, value)

    @property
    def module(self) -> str:
        """The plugin that brought the job."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class DeferredWork(NamedContribution):
    """Work that `defer` leaves for later: one short transaction by a function of a system context and the arguments
    given, safe to run twice, or many by steps; its `limit` is that of a `Job`.
    """

    name: str
    function: Callable[[Context, dict[str, Any]], Any] | None = None
    steps: Steps | None = None
    backoff: Backoff = Backoff()
    limit: dt.timedelta | None = None

    def __post_init__(self) -> None:
        _one_of(self.name, self.function, self.steps)


@dataclass(frozen=True, slots=True)
class Command(Contribution):
    """A command of the terminal, run as ``comptoir <plugin> <command>``."""

    command: click.Command

    @property
    def only_once(self) -> Hashable:
        """The command's name."""
        return self.command.name
