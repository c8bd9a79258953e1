"""Import a table: every row is created, updated, skipped or failed, and what is wrong is said at its row with a cure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.errors import ComptoirError, RuleViolation, RuleViolations
from comptoir.i18n import Text, _
from comptoir.records.changes import change_of
from comptoir.records.declared import DeclaredType
from comptoir.records.naming import Named
from comptoir.records.transfer.mapping import Mapping, Target
from comptoir.records.transfer.parsing import AnySpelling, as_text, parse_cell
from comptoir.records.transfer.reading import Table
from comptoir.records.transfer.references import Directory, unknown_reference
from comptoir.records.write import save
from comptoir.records.write.assign import assign, set_value

if TYPE_CHECKING:
    from comptoir.context import Context

BATCH = 500
REMEMBERED = 50_000
"""Cells whose value is remembered; beyond that they are read again, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, or worth a look, in one row; a notice does not keep the row from being imported."""

    line: int
    column: str
    message: str
    is_notice: bool = False


@dataclass(slots=True)
class ImportReport:
    """The balance of an import: ``created + updated + skipped + failed`` is the number of rows."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    unused: tuple[str, ...] = ()
    kept: bool = True
    """False after a dry run, and where failed rows undid everything."""


class Undo(Exception):
    """Ends a unit of work whose changes are not wanted."""


Listener = Callable[[Problem, dict[str, Any]], None]
"""Called for each problem with its row as it stands in the file; never called twice for the same problem."""

Progress = Callable[[int], None]


@dataclass(slots=True)
class _Row:
    line: int
    cells: dict[str, Any]
    key: Any = None
    record: Record | None = None


def import_table(
    ctx: Context,
    declared: DeclaredType,
    table: Table,
    mapping: Mapping,
    *,
    key: str | None = None,
    listen: Listener | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Save the rows of a table in batches within the caller's transaction.

    With ``key`` a row whose value an existing record has updates that record; an empty cell leaves its field alone.
    The caller decides whether failures undo everything: it raises `Undo` inside its unit of work.
    """
    importer = _Importer(ctx, declared, mapping, key, listen)
    importer.report.unused = mapping.unused
    for batch in _batches(table.rows(), importer.key_of):
        importer.take(batch)
        if progress is not None:
            progress(importer.report.rows)
    importer.resolve_late_references()
    return importer.report


def _batches(
    rows: Iterator[tuple[int, dict[str, Any]]], key_of: Callable[[dict[str, Any]], Any]
) -> Iterator[list[_Row]]:
    """Rows in batches; a key that comes twice starts a new one, so that the second row finds the first's record."""
    batch: list[_Row] = []
    keys: set[Any] = set()
    for line, cells in rows:
        value = key_of(cells)
        if len(batch) >= BATCH or (value is not None and value in keys):
            yield batch
            batch, keys = [], set()
        batch.append(_Row(line, cells, value))
        if value is not None:
            keys.add(value)
    if batch:
        yield batch


class _Importer:
    def __init__(
        self, ctx: Context, declared: DeclaredType, mapping: Mapping, key: str | None, listen: Listener | None
    ) -> None:
        self.ctx = ctx
        self.declared = declared
        self.mapping = mapping
        self.report = ImportReport()
        self._listen = listen
        self._directories: dict[tuple[str, str], Directory] = {}
        self._late: list[tuple[_Row, Target, str]] = []
        self._source = Named(ctx, declared, AnySpelling("en", ctx.timezone, ctx.settings.currency, ctx.now()))
        self._read: dict[tuple[str, str, str], tuple[Any, Text | None]] = {}
        self._key = self._key_target(key)

    def _key_target(self, key: str | None) -> Target | None:
        if key is None:
            return None
        name = self.declared.by_path.get(key)
        found = next((t for t in self.mapping.targets if t.name == name and t.position is None), None)
        if name is None or found is None or "." in name:
            raise RuleViolation(
                "core.unknown_key",
                _(
                    "The key {key} must be a field that a column is mapped to: {fields}.",
                    key=key,
                    fields=", ".join(t.name for t in self.mapping.targets if t.position is None and "." not in t.name),
                ),
                field="key",
            )
        return found

    def key_of(self, cells: dict[str, Any]) -> Any:
        """The key's value in a row as stored, or None."""
        if self._key is None:
            return None
        try:
            return self._value(self._key, cells.get(self._key.column), None)
        except RuleViolation:
            return None

    # -- one batch ------------------------------------------------------------------------------------------------------

    def take(self, rows: list[_Row]) -> None:
        """Fill, save and count a batch of rows."""
        self.report.rows += len(rows)
        existing = self._existing(rows)
        ready: list[_Row] = []
        try:
            # the savepoint comes first: opening one writes what is changed by then, unchecked
            with self.ctx.session.begin_nested(), self.ctx.session.no_autoflush:
                ready = [row for row in rows if self._fill(row, existing)]
                if ready:
                    self._save(ready)
        except ComptoirError:
            self._one_by_one(ready, existing)

    def _existing(self, rows: Sequence[_Row]) -> dict[Any, Record]:
        if self._key is None:
            return {}
        values = {row.key for row in rows if row.key is not None}
        model = self.declared.model
        column = getattr(model, self._key.name)
        found: dict[Any, Record] = {}
        for record in self.ctx.session.scalars(select(model).where(column.in_(values))):
            found.setdefault(getattr(record, self._key.name), record)
        return found

    def _fill(self, row: _Row, existing: dict[Any, Record]) -> bool:
        """Put a row's cells into its record; False where the row fails, its problems are reported then."""
        record = existing.get(row.key) if self._key is not None else None
        if record is None:
            record = self.declared.model()
        violations: list[tuple[str, RuleViolation]] = []
        if "" in row.cells:
            violations.append(("", RuleViolation("core.extra_cells", row.cells[""])))
        notices: list[Problem] = []
        values: list[tuple[Target, Any]] = []
        for target in self.mapping.targets:
            cell = row.cells.get(target.column)
            try:
                value = self._value(target, cell, row, notices)
            except RuleViolation as violation:
                violations.append((target.column, violation))
                continue
            if value is None and target.field.expected:
                notices.append(
                    Problem(
                        row.line,
                        target.column,
                        str(
                            _(
                                "{column} is empty: the {type} is kept without {label}. Fill the cell and import again.",
                                column=target.column,
                                type=str(self.declared.declaration.label).lower(),
                                label=target.field.label,
                            )
                        ),
                        is_notice=True,
                    )
                )
            if value is not None:
                values.append((target, value))
        if violations:
            self._fail(row, violations)
            return False
        for target, value in values:
            self._put(record, target, value)
        for notice in notices:
            self.report.notices[notice.message] += 1
            self._tell(notice, row)
        row.record = record
        return True

    def _value(self, target: Target, cell: Any, row: _Row | None, notices: list[Problem] | None = None) -> Any:
        """The value of a cell; what a text was read as is remembered, because most columns repeat themselves."""
        remembered = (target.column, target.name, cell) if type(cell) is str else None
        known = self._read.get(remembered) if remembered is not None else None
        if known is None:
            known = self._parse(target, cell, row)
            # a reference to the type that is being imported may be found later, so it is asked for again
            if (
                remembered is not None
                and len(self._read) < REMEMBERED
                and target.field.target != self.declared.table.name
            ):
                self._read[remembered] = known
        value, notice = known
        if notice is not None and notices is not None and row is not None:
            notices.append(Problem(row.line, target.column, str(notice), is_notice=True))
        return value

    def _parse(self, target: Target, cell: Any, row: _Row | None) -> tuple[Any, Text | None]:
        if target.field.target is not None:
            text = as_text(cell)
            return (None, None) if text is None else self._reference(target, text, row)
        value = parse_cell(target.field, cell, self._source)
        if value is None:
            return None, None
        if target.factor is not None:
            value = type(value)(value * target.factor)
        return value, None

    def _reference(self, target: Target, text: str, row: _Row | None) -> tuple[Any, Text | None]:
        table = str(target.field.target)
        declared = self.ctx.registry.target_of(table)
        if declared is None:
            raise RuleViolation("core.unknown_reference", _("The module of {label} is off.", label=target.field.label))
        if target.by is None and text.isdigit() and target.column.endswith("_id"):
            return int(text), None
        directory = self._directories.setdefault(
            (table, target.by or declared.title), Directory(self.ctx, declared, target.by or declared.title)
        )
        found = directory.find(text, target.field)
        if found is not None:
            return found.record_id, found.notice
        if declared is self.declared and row is not None:
            self._late.append((row, target, text))
            return None, None
        raise unknown_reference(directory, target.field, text)

    def _put(self, record: Record, target: Target, value: Any) -> None:
        if target.position is not None:
            lines = getattr(record, target.name)
            while len(lines) <= target.position:
                line_type: Any = fields_of(type(record))[target.name].line
                lines.append(line_type())
            set_value(lines[target.position], target.field.name, value)
        else:
            assign(record, self.declared, target.name, value)

    def _save(self, rows: Sequence[_Row]) -> None:
        records = list(dict.fromkeys(row.record for row in rows if row.record is not None))
        changed = {id(change.record): change.is_new for change in save(self.ctx, records)}
        for row in rows:
            is_new = changed.get(id(row.record))
            if is_new is None:
                self.report.skipped += 1
            elif is_new:
                self.report.created += 1
            else:
                self.report.updated += 1
        if any(changed.values()):
            for (table, _by), directory in self._directories.items():
                if table == self.declared.table.name:
                    directory.forget()

    def _one_by_one(self, rows: Sequence[_Row], existing: dict[Any, Record]) -> None:
        """After a batch was refused: save each row alone, so that only the rows at fault fail."""
        for record in existing.values():
            self.ctx.session.refresh(record)
        for row in rows:
            try:
                with self.ctx.session.begin_nested(), self.ctx.session.no_autoflush:
                    self._again(row, existing)
                    self._save([row])
            except RuleViolations as several:
                self._fail(row, [(self._column_of(v), v) for v in several.violations])
            except ComptoirError as error:
                self._fail(row, [("", RuleViolation(error.code, error.message))])

    def _again(self, row: _Row, existing: dict[Any, Record]) -> None:
        row.record = (existing.get(row.key) if self._key is not None else None) or self.declared.model()
        waiting = {target for late, target, _text in self._late if late is row}
        for target in self.mapping.targets:
            if target in waiting:
                continue
            value = self._value(target, row.cells.get(target.column), None)
            if value is not None:
                self._put(row.record, target, value)

    def _column_of(self, violation: RuleViolation) -> str:
        for target in self.mapping.targets:
            if violation.field in (target.name, f"{target.name}.{target.position}.{target.field.name}"):
                return target.column
        return ""

    def _fail(self, row: _Row, violations: Sequence[tuple[str, RuleViolation]]) -> None:
        self.report.failed += 1
        row.record = None
        for column, violation in violations:
            message = str(violation)
            self.report.problems[message] += 1
            self._tell(Problem(row.line, column, message), row)

    def _tell(self, problem: Problem, row: _Row) -> None:
        if self._listen is not None:
            self._listen(problem, row.cells)

    # -- references to rows further down --------------------------------------------------------------------------------

    def resolve_late_references(self) -> None:
        """Fill references to records of the same file that came after the row that names them."""
        waiting = [(row, target, text) for row, target, text in self._late if row.record is not None]
        pending: list[Record] = []
        for row, target, text in waiting:
            directory = self._directories[(self.declared.table.name, target.by or self.declared.title)]
            record = row.record
            assert record is not None
            found = directory.find(text, target.field)
            if found is None:
                violation = unknown_reference(directory, target.field, text)
                self.report.notices[str(violation)] += 1
                self._tell(Problem(row.line, target.column, str(violation), is_notice=True), row)
                continue
            setattr(record, target.name, found.record_id)
            if change_of(record).fields:
                pending.append(record)
        if pending:
            save(self.ctx, pending)


def message_of(report: ImportReport) -> Text:
    """The balance in one line."""
    return _(
        "{rows} rows: {created} created, {updated} updated, {skipped} unchanged, {failed} failed.",
        rows=report.rows,
        created=report.created,
        updated=report.updated,
        skipped=report.skipped,
        failed=report.failed,
    )
