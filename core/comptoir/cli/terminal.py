"""What every command shares: the deployment it works on, and how it prints."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from comptoir.errors import ComptoirError
from comptoir.i18n import Text, _

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
QUIET_SECONDS = 2.0
"""Work that ends sooner shows no progress."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Terminal:
    """The command line's hold on one deployment, opened at its first use; commands get it by ``click.pass_obj``."""

    def __init__(self, config: Path) -> None:
        self.config = config

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment of ``--config``."""
        from comptoir.deployment import Deployment

        return Deployment.open(self.config)

    @property
    def is_open(self) -> bool:
        """Whether the deployment has been used."""
        return "deployment" in self.__dict__

    def perform(
        self, reason: str, work: Callable[[Context], T], *, write: bool = True, registry: Registry | None = None
    ) -> T:
        """What ``work`` returns with every right, once it is committed; ``reason`` stands in the history as who acted.

        It may be called again when another transaction gets in its way: it prints nothing and asks nothing.
        """
        from comptoir.access.permissions import system_actor
        from comptoir.edge import perform

        return perform(self.deployment, system_actor(reason), work, write=write, registry=registry)

    def rehearse(self, reason: str, work: Callable[[Context], T]) -> T:
        """What ``work`` returns as in `perform`, of which nothing is kept."""
        from comptoir.access.permissions import system_actor
        from comptoir.edge import rehearse

        return rehearse(self.deployment, system_actor(reason), work)

    def close(self) -> None:
        """Give the connections back."""
        if self.is_open:
            self.deployment.close()


def pass_terminal(command: F) -> F:
    """Hand a command its `Terminal`."""
    passing: F = click.pass_obj(command)  # type: ignore[assignment]
    return passing


def say(text: Text) -> None:
    """Print a line; a reader who has seen enough (``| head``) does not stop the work."""
    try:
        click.echo(str(text))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: Text) -> None:
    """Print a line beside the output, where a pipe does not take it along."""
    click.echo(str(text), err=True)


def print_rows(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Text], *, as_json: bool, empty: Text = ""
) -> None:
    """A listing: JSON with every key, or a table of ``columns`` (key to heading) as wide as its content."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(empty or _("There are none."))
        return
    table = [[str(heading) for heading in columns.values()]]
    table += [[shown(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """A value as JSON, for scripts."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def shown(value: Any) -> str:
    """A value in a table's cell."""
    match value:
        case None:
            return ""
        case bool():
            return str(_("yes") if value else _("no"))
        case dt.datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M")
        case list() | tuple():
            return ", ".join(shown(part) for part in value)
        case _:
            return " ".join(str(value).split())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


@contextmanager
def progress(title: Text) -> Iterator[Callable[[Text], None]]:
    """Shows what is going on once it has lasted two seconds, on a terminal; yields how to change the words."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console

    status = Console(stderr=True).status(str(title))
    timer = threading.Timer(QUIET_SECONDS, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda text: status.update(str(text))
    finally:
        timer.cancel()
        status.stop()


def confirm(question: Text, *, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal only ``--yes`` answers."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ComptoirError(_("{question} Add --yes to go on without being asked.", question=question))
    if not click.confirm(str(question), err=True):
        raise ComptoirError(_("Nothing was changed."))


def ask_password(given: str | None, prompt: Text) -> tuple[str, bool]:
    """A password and whether it was generated: given, typed twice on a terminal, or made up where nobody can type."""
    if given is not None:
        return given, False
    if sys.stdin.isatty():
        typed: str = click.prompt(
            str(_("{prompt} (empty: one is made up)", prompt=prompt)),
            default="", show_default=False, hide_input=True, err=True,
        )  # fmt: skip
        if typed:
            again: str = click.prompt(
                str(_("The same again")), default="", show_default=False, hide_input=True, err=True
            )
            if again != typed:
                raise ComptoirError(_("The two passwords differ. Nothing was changed."))
            return typed, False
    return generate_password(), True


def generate_password() -> str:
    """Four groups of letters and digits that are easy to tell apart."""
    import secrets

    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _letter in range(5)) for _group in range(4))
