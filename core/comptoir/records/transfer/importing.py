"""Import a table: every row is created, updated, skipped or failed, and what is wrong is said at its row with a cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from comptoir.db.fields import fields_of
from comptoir.db.light import light_row
from comptoir.db.record import Record
from comptoir.errors import ComptoirError, RuleViolation, RuleViolations
from comptoir.i18n import Text, _
from comptoir.records.declared import DeclaredType
from comptoir.records.naming import Named
from comptoir.records.transfer.lines import LinePlaces, place_of
from comptoir.records.transfer.mapping import Mapping, Target
from comptoir.records.transfer.parsing import AnySpelling, as_text, currency_in, parse_cell
from comptoir.records.transfer.reading import Table
from comptoir.records.transfer.references import Directory, unknown_reference
from comptoir.records.transfer.report import ImportReport, Listener, Problem, Progress
from comptoir.records.transfer.waiting import Row, needs_of
from comptoir.records.validate import check_value, reader_of
from comptoir.records.write import assign, save

if TYPE_CHECKING:
    from comptoir.context import Context

T = TypeVar("T")

FEW, MANY = 50, 500
"""The fewest and the most rows of a batch."""
UNDER_THE_LOCK = 0.08
"""Seconds that a transaction should take: others wait for the write lock of SQLite meanwhile."""
PAUSE = 0.005
"""Seconds between two batches: whoever waits for the lock asks for it every other millisecond."""
PARTS = 8
"""Into how many a refused batch is cut: few, and much is checked again; many, and much is saved in small pieces."""
REMEMBERED = 50_000
"""Cells whose value is remembered; beyond that they are read again, so that memory stays bounded."""


class Turn(Protocol):
    """Does work in a transaction, anew where another one got in its way: a `comptoir.edge.perform`."""

    def __call__(self, work: Callable[[Context], T]) -> T: ...


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
    """Save the rows of a table within the caller's transaction; `run_import` takes one for each batch.

    With ``key`` a row whose value an existing record has updates that record; an empty cell leaves its field alone.
    """
    importer = Importer(declared, mapping, key, listen)
    importer.take_all(table.rows(), lambda work: work(ctx), progress=progress)
    return importer.report


class Importer:
    """Rows on their way into records, one batch a transaction; it stands only on what is committed."""

    def __init__(self, declared: DeclaredType, mapping: Mapping, key: str | None, listen: Listener | None) -> None:
        self.declared = declared
        self.mapping = mapping
        self.report = ImportReport(unused=mapping.unused)
        self.waiting: list[Row] = []
        """Rows that name a record further down."""
        self._listen = listen
        self._told: list[tuple[Problem, dict[str, Any]]] = []
        self._directories: dict[tuple[str, str], Directory] = {}
        self._waiting_keys: set[Any] = set()
        self._read: dict[tuple[str, str, str], tuple[Any, Text | None]] = {}
        self._key = self._key_target(key)
        self._lines = LinePlaces(mapping.targets)
        self._unread = [
            t for t in mapping.targets if t.field.kind.may_stay_unread and t.name in fields_of(declared.model)
        ]

    # -- transactions ---------------------------------------------------------------------------------------------------

    def take_all(
        self,
        rows: Iterator[tuple[int, dict[str, Any]]],
        turn: Turn,
        *,
        mark: Callable[[Context, Sequence[int]], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Save rows in batches, one a turn, and those that waited after what they name.

        ``mark`` keeps where the import stands, given the lines of the batch, in the transaction of each.
        """
        size = FEW if mark is not None else MANY

        def take(given: Sequence[tuple[int, dict[str, Any]]], *, last: bool) -> None:
            nonlocal size
            before = (self.report.copy(), list(self.waiting), set(self._waiting_keys))
            lines = [line for line, _cells in given]
            tried, begun = False, 0.0

            def work(ctx: Context) -> None:
                nonlocal tried, begun
                begun = perf_counter()  # the lock is held from here to the commit
                if tried:  # what the last try has counted and learned was undone with it
                    self.report, self.waiting, self._waiting_keys = before[0].copy(), list(before[1]), set(before[2])
                    self._directories.clear()
                    self._told.clear()
                tried = True
                self._use(ctx)
                for batch in self._batches(given):
                    self._take(batch, last=last)
                if last:
                    taken = set(lines)
                    self.waiting = [row for row in self.waiting if row.line not in taken]
                if mark is not None:
                    mark(ctx, lines)

            turn(work)
            if mark is not None:
                fitting = int(len(given) * UNDER_THE_LOCK / (perf_counter() - begun))
                size = max(FEW, min(MANY, 2 * len(given), fitting))
                sleep(PAUSE)
            self._tell_all()
            if progress is not None:
                progress(self.report.rows)

        while given := list(islice(rows, size)):
            take(given, last=False)
        for ready in self._in_order():
            while given := list(islice(ready, size)):
                take(given, last=True)
        self._tell_all()

    def _use(self, ctx: Context) -> None:
        """Work in this transaction from now on."""
        self.ctx = ctx
        self._source = Named(ctx, self.declared, AnySpelling("en", ctx.timezone, ctx.settings.currency, ctx.now()))
        for directory in self._directories.values():
            directory.ctx = ctx

    def _batches(self, rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[list[Row]]:
        """Rows in batches; a key that comes twice starts a new one, so that the second row finds the first's record."""
        batch: list[Row] = []
        keys: set[Any] = set()
        for line, cells in rows:
            value = self._key_of(cells)
            if value is not None and value in keys:
                yield batch
                batch, keys = [], set()
            batch.append(Row(line, cells, value))
            if value is not None:
                keys.add(value)
        if batch:
            yield batch

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

    def _key_of(self, cells: dict[str, Any]) -> Any:
        """The key's value in a row as stored, or None."""
        if self._key is None:
            return None
        try:
            return self._value(self._key, cells.get(self._key.column), None)
        except RuleViolation:
            return None

    # -- one batch ------------------------------------------------------------------------------------------------------

    def _take(self, rows: list[Row], *, last: bool) -> None:
        """Fill, save and count a batch of rows; those that name a record further down wait, unless it is their last turn."""
        if not last:
            self.report.rows += len(rows)
        existing = self._existing(rows)
        ready: list[Row] = []
        try:
            # the savepoint comes first: opening one writes what is changed by then, unchecked
            with self.ctx.session.begin_nested():
                ready = [row for row in rows if self._fill(row, existing, last=last)]
                if ready:
                    self._save(ready)
        except ComptoirError as error:
            self._save_apart(ready, error)

    def _existing(self, rows: Sequence[Row], *, anew: bool = False) -> dict[Any, Record]:
        if self._key is None:
            return {}
        values = {row.key for row in rows if row.key is not None}
        model = self.declared.model
        column = getattr(model, self._key.name)
        lines = [selectinload(getattr(model, name)) for name in {t.name for t in self.mapping.targets if t.is_of_line}]
        query = select(model).where(column.in_(values)).options(*lines).execution_options(populate_existing=anew)
        found: dict[Any, Record] = {}
        for record in self.ctx.session.scalars(query):
            found.setdefault(getattr(record, self._key.name), record)
        return found

    def _fill(self, row: Row, existing: dict[Any, Record], *, last: bool) -> bool:
        """Put a row's cells into its record; False where the row waits, says nothing or fails, which is reported then."""
        notices: list[Problem] = []
        values, violations = self._values(row, notices, last=last)
        if "" in row.cells:
            message = _(
                "It has {count} cells, but there are {known} columns.",
                count=len(row.cells) - 1 + len(row.cells[""]),
                known=len(row.cells) - 1,
            )
            violations.insert(0, ("", RuleViolation("core.extra_cells", message)))
        if violations:
            self._fail(row, violations)
            return False
        if not last and (row.waits_for or (row.key is not None and row.key in self._waiting_keys)):
            self.waiting.append(row)
            self._waiting_keys.add(row.key)
            return False
        if not values:
            notices = [Problem(row.line, "", str(_("The row is empty in all columns that are used.")), is_notice=True)]
            self.report.skipped += 1
        for notice in notices:
            self._notice(notice, row)
        if values:
            self._put_all(row, existing, values)
        return bool(values)

    def _values(
        self, row: Row, notices: list[Problem] | None, *, last: bool
    ) -> tuple[list[tuple[Target, Any]], list[tuple[str, RuleViolation]]]:
        """What the cells of a row say, and what is wrong with them."""
        row.waits_for.clear()
        values: list[tuple[Target, Any]] = []
        violations: list[tuple[str, RuleViolation]] = []
        for target in self.mapping.targets:
            cell = row.cells.get(target.column)
            try:
                value = self._value(target, cell, row, notices)
                if value is not None and target.field.currency and type(cell) is str:
                    values += self._currency_beside(target, row, cell, values)
            except RuleViolation as violation:
                violations.append((target.column, violation))
                continue
            if value is not None:
                values.append((target, value))
                if target.field.kind.settled:  # what is wrong is said before its batch is refused for it
                    found = check_value(target.field, value, target.field.name)
                    violations += [(target.column, violation) for violation in found]
            elif target.field.expected and notices is not None and not any(t is target for t, _text in row.waits_for):
                told = _(
                    "{column} is empty: the {type} is kept without {label}. Fill the cell and import again.",
                    column=target.column,
                    type=str(self.declared.declaration.label).lower(),
                    label=target.field.label,
                )
                notices.append(Problem(row.line, target.column, str(told), is_notice=True))
        if last and notices is not None:
            for target, text in row.waits_for:
                message = str(unknown_reference(self._directory(target), target.field, text))
                notices.append(Problem(row.line, target.column, message, is_notice=True))
        return values, violations

    def _currency_beside(
        self, target: Target, row: Row, cell: str, values: Sequence[tuple[Target, Any]]
    ) -> list[tuple[Target, Any]]:
        """The currency that stands in the cell of an amount, for the field that holds it; refuses two that differ."""
        code = currency_in(cell, self.ctx.settings.currency)
        if code is None:
            return []
        name = target.name.removesuffix(target.field.name) + (target.field.currency or "")
        declared = self.declared.fields.get(name) if not target.is_of_line else None
        told: Any
        if declared is None:
            told = self.ctx.settings.currency
        else:
            column = next((t for t in self.mapping.targets if t.name == name), None)
            told = self._value(column, row.cells.get(column.column), None) if column is not None else None
            told = told or next((value for other, value in values if other.name == name), code)
        if told != code:
            raise RuleViolation(
                "core.other_currency",
                _(
                    "“{value}” is in {found}, but the amount is in {currency}. Correct one of them.",
                    value=cell[:60],
                    found=code,
                    currency=told,
                ),
                field=target.name,
            )
        return [(Target(target.column, name, declared), code)] if declared is not None else []

    def _put_all(self, row: Row, existing: dict[Any, Record], values: Sequence[tuple[Target, Any]]) -> None:
        record = (existing.get(row.key) if self._key is not None else None) or light_row(self.declared.model)
        places = self._lines.filled_by(values)
        numbered = {
            f"{t.name}.{places[t.name][t.position]}.{t.field.name}" if t.position is not None else t.name: value
            for t, value in values
            if t.label is None
        }
        assign(self.ctx, record, numbered)
        for target, value in values:
            if target.label is not None:
                place = place_of(record, target, places.get(target.name, {}))
                assign(self.ctx, record, {f"{target.name}.{place}.{target.field.name}": value})
        row.record = record

    def _value(self, target: Target, cell: Any, row: Row | None, notices: list[Problem] | None = None) -> Any:
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

    def _parse(self, target: Target, cell: Any, row: Row | None) -> tuple[Any, Text | None]:
        if target.field.target is not None:
            text = as_text(cell)
            return (None, None) if text is None else self._reference(target, text, row)
        value = parse_cell(target.field, cell, self._source)
        if value is None:
            return None, None
        if target.factor is not None:
            value = type(value)(value * target.factor)
        return value, None

    def _reference(self, target: Target, text: str, row: Row | None) -> tuple[Any, Text | None]:
        table = str(target.field.target)
        declared = self.ctx.registry.target_of(table)
        if declared is None:
            raise RuleViolation("core.unknown_reference", _("The module of {label} is off.", label=target.field.label))
        if target.by is None and text.isdigit() and target.column.endswith("_id"):
            return int(text), None
        directory = self._directory(target)
        found = directory.find(text, target.field)
        if found is not None:
            return found.record_id, found.notice
        if declared is self.declared and row is not None:
            row.waits_for.append((target, text))
            return None, None
        raise unknown_reference(directory, target.field, text)

    def _directory(self, target: Target) -> Directory:
        table = str(target.field.target)
        declared = self.ctx.registry.target_of(table)
        assert declared is not None
        by = target.by or declared.title
        return self._directories.setdefault((table, by), Directory(self.ctx, declared, by))

    def _save(self, rows: Sequence[Row]) -> None:
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
            self._mention_unread(row)
        for (table, by), directory in self._directories.items():
            if table == self.declared.table.name:
                for record in records:
                    if changed.get(id(record)):
                        directory.learn(record.id, getattr(record, by))

    def _mention_unread(self, row: Row) -> None:
        """A notice for each telephone number and country that was kept as typed."""
        for target in self._unread:
            typed = " ".join(str(row.cells.get(target.column) or "").split())
            held = reader_of(row.record)(target.name)
            kept = [getattr(line, target.field.name) for line in held] if isinstance(held, list) else [held]
            message = target.field.kind.unread(typed) if typed and typed in kept else None
            if message is not None:
                self._notice(Problem(row.line, target.column, str(message), is_notice=True), row)

    def _save_apart(self, rows: Sequence[Row], error: ComptoirError) -> None:
        """After a batch was refused: save it in parts, and a refused part in parts, so that only the rows at fault fail."""
        if len(rows) == 1:
            found = (
                error.violations if isinstance(error, RuleViolations) else [RuleViolation(error.code, error.message)]
            )
            self._fail(rows[0], [(self._column_of(violation), violation) for violation in found])
            return
        size = -(-len(rows) // PARTS)
        for part in (rows[begin : begin + size] for begin in range(0, len(rows), size)):
            existing = self._existing(part, anew=True)
            try:
                with self.ctx.session.begin_nested():
                    for row in part:
                        self._put_all(row, existing, self._values(row, None, last=True)[0])
                    self._save(part)
            except ComptoirError as refused:
                self._save_apart(part, refused)

    def _column_of(self, violation: RuleViolation) -> str:
        for target in self.mapping.targets:
            if violation.field in (target.name, f"{target.name}.{target.position}.{target.field.name}"):
                return target.column
        return ""

    def _fail(self, row: Row, violations: Sequence[tuple[str, RuleViolation]]) -> None:
        self.report.failed += 1
        row.record = None
        for column, violation in violations:
            message = str(violation)
            self.report.problems[message] += 1
            self._tell(Problem(row.line, column, message), row)

    def _notice(self, problem: Problem, row: Row) -> None:
        self.report.notices[problem.message] += 1
        self._tell(problem, row)

    def _tell(self, problem: Problem, row: Row) -> None:
        self._told.append((problem, row.cells))

    def _tell_all(self) -> None:
        if self._listen is not None:
            for problem, cells in self._told:
                self._listen(problem, cells)
        self._told.clear()

    # -- rows that name records further down ----------------------------------------------------------------------------

    def _in_order(self) -> Iterator[Iterator[tuple[int, dict[str, Any]]]]:
        """The rows that waited, each after those that it names; rows that name each other in a circle fail."""
        rows = list(self.waiting)
        needs = needs_of(rows, self._column_called)
        while True:
            order = TopologicalSorter(needs)
            try:
                order.prepare()
                break
            except CycleError as error:
                failed = set(error.args[1])
                self._fail_circle([rows[number] for number in reversed(error.args[1])])
                lines = {rows[number].line for number in failed}
                self.waiting = [row for row in self.waiting if row.line not in lines]
                needs = {number: others - failed for number, others in needs.items() if number not in failed}
        while order.is_active():
            ready = sorted(order.get_ready())
            yield ((rows[n].line, rows[n].cells) for n in ready)
            order.done(*ready)

    def _column_called(self, target: Target) -> str | None:
        name = target.by or self.declared.title
        return next((t.column for t in self.mapping.targets if t.name == name and not t.is_of_line), None)

    def _fail_circle(self, circle: Sequence[Row]) -> None:
        targets = [row.waits_for[0][0] for row in circle if row.waits_for]
        called = self._column_called(targets[0]) if targets else None
        path = " → ".join(str(row.cells.get(called or "") or row.line) for row in circle[:8])
        for row in circle[:-1]:
            message = _("It lies below itself: {path}. Correct one of these rows.", path=path)
            column = row.waits_for[0][0].column if row.waits_for else ""
            self._fail(row, [(column, RuleViolation("core.circle", message))])
