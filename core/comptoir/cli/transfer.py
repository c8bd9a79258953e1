"""``comptoir import`` and ``comptoir export``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, note, pass_terminal, progress, say
from comptoir.errors import Conflict, RuleViolation, Unavailable
from comptoir.i18n import Text, _, ngettext
from comptoir.records.query import parse
from comptoir.records.transfer import (
    Problem,
    Table,
    begin_import,
    export_records,
    import_table,
    parse_mapping,
    read_table,
    run_import,
    undo_import,
)
from comptoir.records.transfer.exporting import FORMATS
from comptoir.records.transfer.report import ImportReport, message_of
from comptoir.records.transfer.runs import ImportRun

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

SHOWN = 20
OWN_COLUMNS = ("comptoir line", "comptoir column", "comptoir message")
"""They stand first, so that cells beyond the last column stay beyond it; an import passes them over."""


@click.command("import")
@click.argument("record_type", metavar="TYPE")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "pairs", multiple=True, metavar='"Column=field"', help="Which column feeds which field.")
@click.option("--key", metavar="FIELD", help="Update the record that has the row's value in this field already.")
@click.option("--dry-run", is_flag=True, help="Report what would happen and change nothing.")
@click.option("--keep-going", is_flag=True, help="Keep the good rows when others fail.")
@click.option(
    "--errors",
    type=click.Path(path_type=Path),
    metavar="OUT.csv",
    help="Write the failed rows there, ready to import again.",
)
@click.option(
    "--notices",
    type=click.Path(path_type=Path),
    metavar="OUT.csv",
    help="Write there what is worth a look, row by row.",
)
@click.option("--encoding", help="The encoding of a text file, where the guess is wrong.")
@pass_terminal
def import_command(
    terminal: Terminal,
    record_type: str,
    file: Path,
    pairs: tuple[str, ...],
    key: str | None,
    dry_run: bool,
    keep_going: bool,
    errors: Path | None,
    notices: Path | None,
    encoding: str | None,
) -> None:
    """Import a table (CSV, XLSX, XLS, ODS, JSON): all rows or none, unless --keep-going.

    The rows are kept batch by batch, so that nobody waits. What a killed import has not kept follows with
    `comptoir imports resume`; `comptoir imports undo` takes one back.
    """
    declared = terminal.deployment.registry.record_type(record_type)
    table = read_table(file, encoding=encoding)
    if table.remark is not None:
        note(table.remark)
    with telling(file, table, errors=errors, notices=notices) as told:
        report = ImportReport()
        if dry_run or not keep_going:

            def rehearsal(ctx: Context) -> ImportReport:
                told.begin()
                mapping = parse_mapping(ctx, declared, table.columns, pairs)
                return import_table(ctx, declared, table, mapping, key=key, listen=told.listen, progress=told.tried)

            report = terminal.rehearse(f"import of {file.name}", rehearsal)
            report.kept = False
        if not dry_run and (keep_going or not report.failed):
            told.begin()
            run = terminal.perform(
                f"import of {file.name}",
                lambda ctx: begin_import(
                    ctx, declared, table, file, maps=pairs, key=key, encoding=encoding, keep_going=keep_going
                ),
            )
            report = take(terminal, run, declared, table, told)
    print_report(report, told.shown, dry_run=dry_run, errors=errors, notices=notices)
    if report.failed and not keep_going:
        raise SystemExit(1)


def take(terminal: Terminal, run: ImportRun, declared: DeclaredType, table: Table, told: Telling) -> ImportReport:
    """Save the rows of an import and say which it is; one whose rows must all stand is undone where some failed after all."""
    turn = partial(terminal.perform, f"import of {Path(run.file).name}")
    try:
        report = run_import(turn, run, declared, table, listen=told.listen, progress=told.kept)
    except Conflict:  # it has ended, or somebody else goes on with it
        raise
    except BaseException:
        note(_("Import {number} stopped; to go on: comptoir imports resume {number}", number=run.id))
        raise
    if report.failed and not run.keep_going:
        undo_import(turn, run)
        report.kept = False
    else:
        note(_("Import {number}; to take it back: comptoir imports undo {number}", number=run.id))
    return report


class Telling:
    """What an import says while it is under way: problems into files, and how far it is."""

    def __init__(self, file: Path, failed: _RowFile, noticed: _RowFile, tell: Callable[[Text], None]) -> None:
        self.shown: list[Problem] = []
        """The first of what kept rows from being imported."""
        self._file, self._failed, self._noticed, self._tell = file, failed, noticed, tell

    def begin(self) -> None:
        """Forget what an earlier try has told."""
        self.shown.clear()
        self._failed.begin()
        self._noticed.begin()

    def listen(self, problem: Problem, cells: dict[str, Any]) -> None:
        """Take a problem in."""
        (self._noticed if problem.is_notice else self._failed).write(problem, cells)
        if not problem.is_notice and len(self.shown) < SHOWN:
            self.shown.append(problem)

    def tried(self, rows: int) -> None:
        """So many rows were rehearsed."""
        name = self._file.name
        self._tell(ngettext("Trying {file}, {count} row", "Trying {file}, {count} rows", rows, file=name))

    def kept(self, rows: int) -> None:
        """So many rows are kept."""
        name = self._file.name
        self._tell(ngettext("Importing {file}, {count} row", "Importing {file}, {count} rows", rows, file=name))


@contextmanager
def telling(file: Path, table: Table, *, errors: Path | None, notices: Path | None) -> Iterator[Telling]:
    """What is said while a file is imported, its files open."""
    with ExitStack() as stack:
        failed = _RowFile(stack, errors, table.columns, once=True)
        noticed = _RowFile(stack, notices, table.columns)
        tell = stack.enter_context(progress(_("Importing {file}", file=file.name)))
        yield Telling(file, failed, noticed, tell)


class _RowFile:
    """Rows of the source with what is said of them beside them, written as they come; nothing without a path.

    With ``once`` a row stands once for all that is said of it, so that the file can be corrected and imported as it is.
    """

    def __init__(self, stack: ExitStack, path: Path | None, columns: tuple[str, ...], *, once: bool = False) -> None:
        self._file: IO[str] | None = None
        self._once = once
        self._columns = columns
        self._line = 0
        self._row: dict[str, Any] = {}
        self._told: list[Problem] = []
        if path is not None:
            try:
                self._file = stack.enter_context(path.open("w", encoding="utf-8-sig", newline=""))
            except OSError as error:
                raise Unavailable(_("{path} cannot be written: {reason}.", path=path, reason=error.strerror)) from None
            stack.callback(self._finish_row)

    def begin(self) -> None:
        """Write the headings; what an earlier try has written goes."""
        self._line, self._told = 0, []
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            csv.writer(self._file).writerow([*OWN_COLUMNS, *self._columns])

    def write(self, problem: Problem, cells: dict[str, Any]) -> None:
        """Note a problem; the row is written once another one has its turn."""
        if self._file is None:
            return
        if problem.line != self._line or not self._once:
            self._finish_row()
        self._line, self._row = problem.line, cells
        self._told.append(problem)

    def _finish_row(self) -> None:
        if not self._told or self._file is None:
            return
        places = ", ".join(dict.fromkeys(problem.column for problem in self._told if problem.column))
        messages = " ".join(dict.fromkeys(problem.message for problem in self._told))
        cells = [self._row.get(column, "") for column in self._columns] + list(self._row.get("", ()))
        csv.writer(self._file).writerow([self._line, places, messages, *map(_as_text, cells)])
        self._told = []


def _as_text(cell: Any) -> Any:
    """A cell as the import reads it again: a whole number of a workbook without its point."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def print_report(
    report: ImportReport, shown: list[Problem], *, dry_run: bool, errors: Path | None, notices: Path | None
) -> None:
    say(message_of(report))
    for message, count in report.notices.most_common(SHOWN):
        click.echo("  " + str(ngettext("{count} row: {message}", "{count} rows: {message}", count, message=message)))
    if notices is not None and report.notices:
        say(_("Row by row in {path}.", path=notices))
    if report.unused:
        say(_("Columns not used: {columns}.", columns=", ".join(report.unused)))
    for problem in shown:
        place = f", {problem.column}" if problem.column else ""
        click.echo(f"  {_('line {line}', line=problem.line)}{place}: {problem.message}", err=True)
    if len(shown) == SHOWN:
        click.echo("  …", err=True)
    if errors is not None and report.failed:
        note(_("The failed rows are in {path}; correct and import it again.", path=errors))
    if dry_run:
        say(_("Dry run: nothing was changed."))
    elif not report.kept:
        click.echo(
            str(_("Nothing was imported, because rows failed. Correct them, or keep the good rows with --keep-going.")),
            err=True,
        )


@click.command("export")
@click.argument("record_type", metavar="TYPE")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option(
    "--filter", "filters", multiple=True, metavar="FIELD=VALUE", help="As in the API: stage=won, amount[gte]=1000."
)
@click.option("--fields", help="Fields to write, separated by commas.")
@click.option("--paused", is_flag=True, help="With the fields that paused modules add to the records of others.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; standard output without it.")
@pass_terminal
def export_command(
    terminal: Terminal,
    record_type: str,
    format_: str,
    filters: tuple[str, ...],
    fields: str | None,
    paused: bool,
    output: Path | None,
) -> None:
    """Export records as CSV, XLSX or JSON, in the form that `import` reads; those of paused modules too."""
    deployment = terminal.deployment
    registry = deployment.registry
    if paused or record_type not in registry.record_types:
        registry = deployment.registry_with_paused()
    declared = registry.record_type(record_type)

    def work(ctx: Context) -> int | None:
        pairs = [_filter_pair(text) for text in filters]
        if fields:
            pairs.append(("fields", fields))
        query = parse(ctx, declared, pairs)
        if output is None:
            if format_ == "xlsx" and sys.stdout.isatty():
                raise click.UsageError(str(_("A workbook does not go to a terminal. Give a file with -o.")))
            export_records(ctx, declared, query, sys.stdout.buffer, format=format_)
            return None
        try:
            with output.open("wb") as file:
                return export_records(ctx, declared, query, file, format=format_)
        except OSError as error:
            raise Unavailable(_("{path} cannot be written: {reason}.", path=output, reason=error.strerror)) from None

    count = terminal.perform("comptoir export", work, write=False, registry=registry)
    if count is not None:
        note(ngettext("{count} record in {path}.", "{count} records in {path}.", count, path=output))


def _filter_pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise RuleViolation(
            "core.bad_filter", _("“{text}” is no filter. Write field=value.", text=text), field="filter"
        )
    field, bracket, operator = name.strip().partition("[")
    return f"filter[{field}]" + (f"[{operator}" if bracket else ""), value
