"""Work that is done without anybody looking on, and commands of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comptoir.contributions.contribution import Contribution, NamedContribution
from comptoir.i18n import Text
from comptoir.schedules import Schedule

if TYPE_CHECKING:
    import click

    from comptoir.context import Context


@dataclass(frozen=True, slots=True)
class Job(NamedContribution):
    """Scheduled work: a function of a system context that is safe to run twice."""

    name: str
    function: Callable[[Context], Any]
    schedule: Schedule
    title: Text = ""

    @property
    def module(self) -> str:
        """The plugin that brought the job."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class DeferredWork(NamedContribution):
    """Work that `defer` leaves for later: a function of a system context and the arguments given, safe to run twice."""

    name: str
    function: Callable[[Context, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Command(Contribution):
    """A command of the terminal, run as ``comptoir <plugin> <command>``."""

    command: click.Command

    @property
    def only_once(self) -> Hashable:
        """The command's name."""
        return self.command.name
