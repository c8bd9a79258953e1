"""``comptoir imports``: what was imported, going on with what was killed, and taking one back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import (
    Terminal,
    as_json,
    confirm,
    note,
    pass_terminal,
    print_json,
    print_rows,
    progress,
    say,
    shown,
)
from comptoir.cli.transfer import print_report, take, telling
from comptoir.i18n import _, ngettext
from comptoir.records.transfer import read_table, undo_import
from comptoir.records.transfer.runs import ImportRun, find_import
from comptoir.records.transfer.runs import imports as latest

if TYPE_CHECKING:
    from comptoir.records.transfer.undo import Undone


@click.group()
def imports() -> None:
    """Imports: list and look at them, go on with one that was killed, take one back."""


@imports.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, metavar="N")
@as_json
@pass_terminal
def list_(terminal: Terminal, limit: int, as_json: bool) -> None:
    """The latest imports, the newest first."""
    rows = terminal.perform(
        "comptoir imports list", lambda ctx: [_told(run) for run in latest(ctx, limit=limit)], write=False
    )
    columns = {
        "id": _("Import"), "record_type": _("Type"), "file": _("File"), "state": _("State"), "started_at": _("Begun"),
        "actor": _("Who"), "created": _("Created"), "updated": _("Updated"), "unchanged": _("Unchanged"), "failed": _("Failed"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("Nothing was imported yet."))


@imports.command("show")
@click.argument("number", type=int)
@as_json
@pass_terminal
def show(terminal: Terminal, number: int, as_json: bool) -> None:
    """One import: its file and options, how far it is, and its balance."""
    told = _told(terminal.perform("comptoir imports show", lambda ctx: find_import(ctx, number), write=False))
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        say(f"{name}: {shown(value)}")


@imports.command("resume")
@click.argument("number", type=int)
@click.option(
    "--errors",
    type=click.Path(path_type=Path),
    metavar="OUT.csv",
    help="Write the rows there that fail from here on, ready to import again.",
)
@pass_terminal
def resume(terminal: Terminal, number: int, errors: Path | None) -> None:
    """Go on with an import that was killed, behind the last row that is kept; its file must be as it was."""
    run = terminal.perform("comptoir imports resume", lambda ctx: find_import(ctx, number), write=False)
    declared = terminal.deployment.registry.record_type(run.record_type)
    file = Path(run.file)
    table = read_table(file, encoding=run.encoding)
    with telling(file, table, errors=errors, notices=None) as told:
        told.begin()
        report = take(terminal, run, declared, table, told)
    print_report(report, told.shown, dry_run=False, errors=errors, notices=None)
    if report.failed and not run.keep_going:
        raise SystemExit(1)


@imports.command("undo")
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_terminal
def undo(terminal: Terminal, number: int, yes: bool) -> None:
    """Delete what an import created and put back what it changed; what was changed or used since is left alone."""
    run = terminal.perform("comptoir imports undo", lambda ctx: find_import(ctx, number), write=False)
    confirm(_("Undo import {number} of {file}?", number=number, file=Path(run.file).name), yes=yes)
    with progress(_("Undoing import {number}", number=number)) as tell:

        def count(done: Undone) -> None:
            records = done.deleted + done.restored
            tell(
                ngettext(
                    "Undoing import {number}, {count} record", "Undoing import {number}, {count} records", records, number=number
                )
            )  # fmt: skip

        done = undo_import(partial(terminal.perform, f"undo of import {number}"), run, progress=count)
    say(
        _(
            "{deleted} records deleted, {restored} as they were before, {left} left alone.",
            deleted=done.deleted,
            restored=done.restored,
            left=done.left,
        )
    )
    if done.left:
        note(_("What was left alone has been changed, deleted or used since. Look at the history of each."))


def _told(run: ImportRun) -> dict[str, Any]:
    return {
        "id": run.id, "record_type": run.record_type, "file": run.file, "state": run.state, "maps": run.maps, "key": run.key,
        "keep_going": run.keep_going, "actor": run.actor, "started_at": run.started_at, "ended_at": run.ended_at,
        "rows": run.rows, "created": run.created, "updated": run.updated, "unchanged": run.skipped, "failed": run.failed,
    }  # fmt: skip
