"""The gate: record state reaches the database only as the writer announced it, row by row and field by field.

A `RecordSession` flushes of records, their lines and extensions just what `comptoir.records.write` announced; a statement that
writes to one of their tables is refused unless it is marked as `bulk`, and even then leaves alone what the server keeps.
Everything else that a process does with these tables (migrations, the removal of demonstration data) states its reason with `opened`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn

from sqlalchemy import Connection, Delete, Engine, Insert, TextClause, Update, UpdateBase, event, inspect
from sqlalchemy.orm import PassiveFlag, Session, object_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.compiler import SQLCompiler

from comptoir.db.base import Base
from comptoir.db.fields import fields_of
from comptoir.db.light import insert_rows, lines_of
from comptoir.db.record import Extension, Line, Record
from comptoir.db.search import entry_of, write_entries
from comptoir.errors import WriteRefused
from comptoir.i18n import _

ANY = frozenset({"*"})
"""Announces every field of a row."""

KEPT = frozenset(
    {"id", "record_id", "version", "created_at", "created_by", "updated_at", "updated_by", "archived_at", "search_key"}
)
"""Columns of records that the server keeps itself."""

uses: Counter[tuple[str, str]] = Counter()
"""How often this process went past the rules on purpose, by way (bookkeeping, bulk, opened) and stated reason."""

_flushing: ContextVar[bool] = ContextVar("flushing", default=False)
_opened: ContextVar[bool] = ContextVar("opened", default=False)
_bulk: ContextVar[bool] = ContextVar("bulk", default=False)
_WRITING = re.compile(
    r"\b(?:insert\s+into|replace\s+into|merge\s+into|update|delete\s+from)\s+[\"`\[]?(\w+)", re.IGNORECASE
)


@contextmanager
def opened(reason: str) -> Iterator[None]:
    """Let everything through in this block: for the core's own work on whole tables, which states why."""
    uses["opened", reason] += 1
    token = _opened.set(True)
    try:
        yield
    finally:
        _opened.reset(token)


@contextmanager
def bulk(reason: str) -> Iterator[None]:
    """Let UPDATE statements on records through in this block, and DELETE on their lines and extensions.

    Neither stages nor what the server keeps may be set so: no history, hook or version follows a statement.
    """
    uses["bulk", reason] += 1
    token = _bulk.set(True)
    try:
        yield
    finally:
        _bulk.reset(token)


class RecordSession(Session):
    """A session behind the gate; a query between an assignment and its save flushes nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, autoflush=False, **options)
        self._announced: Mapping[Any, Collection[str]] = {}

    @contextmanager
    def announced(self, rows: Mapping[Any, Collection[str]]) -> Iterator[None]:
        """Let these fields of these rows through (`ANY` for all of a row); only around a flush, so that no hook runs inside."""
        self._announced = rows
        try:
            yield
        finally:
            self._announced = {}

    def write(self, rows: Iterable[Any], reason: str) -> None:
        """Flush rows that have a service of their own instead of the writer, such as the accounts of users."""
        uses["opened", reason] += 1
        kept = list(rows)
        self.add_all(kept)
        with self.announced(dict.fromkeys(kept, ANY)):
            self.flush()
        write_entries(self.connection(), [entry_of(type(row), row) for row in kept if isinstance(row, Record)])

    def flush(self, objects: Any = None) -> None:
        """Write what was announced; raises `WriteRefused` for record state that was not, before anything is written."""
        if self._is_clean():
            return
        token = _flushing.set(True)
        try:
            super().flush(objects)
        finally:
            _flushing.reset(token)

    def insert(self, records: Sequence[Any]) -> None:
        """Write light records of one model, and their lines, as `flush` writes mapped ones: nothing that was not announced."""
        self._insert(records)
        lines: dict[type[Any], list[Any]] = defaultdict(list)
        for record in records:
            for line in lines_of(record):
                setattr(line, line.__parent__, record.id)
                lines[type(line)].append(line)
        for rows in lines.values():
            self._insert(rows)

    def _insert(self, rows: Sequence[Any]) -> None:
        self.require_announced(rows, "created")
        token = _opened.set(True)
        try:
            insert_rows(self.unrestricted_connection(), self, rows)
        finally:
            _opened.reset(token)

    def unrestricted_connection(self) -> Connection:
        """The connection below all rules."""
        return self.connection()

    def adopt(self, row: Any) -> None:
        """Take a light row that was written, and is mapped now, as if this session had flushed it."""
        self.add(row)
        self._register_persistent({instance_state(row)})

    def require_announced(self, rows: Iterable[Any], deed: str) -> None:
        """Raise `WriteRefused` for the first of these rows with a change that nobody announced."""
        if _opened.get():
            return
        for row in rows:
            if not isinstance(row, (Record, Line, Extension)):
                continue
            told = self._announced.get(row)
            if told is ANY or (told is not None and deed != "changed"):
                continue
            names = sorted(changed_columns(row) - frozenset(told or ())) if deed == "changed" else []
            if names or deed != "changed":
                _refuse_row(row, names, deed)

    def bulk_save_objects(self, objects: Iterable[object], *args: Any, **options: Any) -> None:
        """Refused for records: what comes later would end the transaction."""
        kept = list(objects)
        for row in kept:
            _refuse_bulk_of(type(row))
        super().bulk_save_objects(kept, *args, **options)

    def bulk_insert_mappings(self, mapper: Any, *args: Any, **options: Any) -> None:
        """Refused for records."""
        _refuse_bulk_of(inspect(mapper).class_)
        super().bulk_insert_mappings(mapper, *args, **options)

    def bulk_update_mappings(self, mapper: Any, *args: Any, **options: Any) -> None:
        """Refused for records."""
        _refuse_bulk_of(inspect(mapper).class_)
        super().bulk_update_mappings(mapper, *args, **options)


def _refuse_bulk_of(model: type[Any]) -> None:
    if issubclass(model, (Record, Line, Extension)) and not _opened.get():
        raise WriteRefused(
            _("{model}: records are written with save, not with the bulk methods of a session.", model=model.__name__)
        )


def changed_columns(row: Any) -> frozenset[str]:
    """The column attributes of a loaded row whose value differs from what was read, declared fields or not."""
    state: Any = inspect(row)
    return frozenset(
        name
        for name in state.committed_state
        if name in state.mapper.column_attrs
        and state.get_history(name, PassiveFlag.PASSIVE_NO_INITIALIZE).has_changes()
    )


def _refuse_row(row: Any, names: Collection[str], deed: str) -> NoReturn:
    state: Any = inspect(row)
    place = f"{type(row).__name__} {state.identity[0]}" if state.has_identity else type(row).__name__
    if names:
        raise WriteRefused(
            _(
                "{row}: {fields} changed without save. Pass the record to save, or move for its stage.",
                row=place,
                fields=", ".join(names),
            )
        )
    if deed == "deleted":
        raise WriteRefused(_("{row} deleted without delete. Pass the record to delete.", row=place))
    raise WriteRefused(_("{row} created without save. Pass the record to save.", row=place))


@event.listens_for(RecordSession, "before_flush")
def _only_announced(session: RecordSession, _context: Any, _objects: Any) -> None:
    """Nothing is written yet: after a refusal the transaction can still be used."""
    session.require_announced(session.new, "created")
    session.require_announced(session.deleted, "deleted")
    session.require_announced(session.dirty, "changed")


def _within_the_flush(deed: str) -> Any:
    """What relationships change or delete by themselves while a flush runs."""

    def check(_mapper: Any, _connection: Connection, row: Any) -> None:
        session = object_session(row)
        if isinstance(session, RecordSession):
            session.require_announced([row], deed)

    return check


for _model in (Record, Line, Extension):
    event.listen(_model, "before_update", _within_the_flush("changed"), propagate=True)
    event.listen(_model, "before_delete", _within_the_flush("deleted"), propagate=True)


# -- statements -----------------------------------------------------------------------------------------------------------


def guard_statements(engine: Engine) -> None:
    """Put the gate before every statement of an engine, whoever sends it."""
    event.listen(engine, "before_execute", _only_marked)
    event.listen(engine, "before_cursor_execute", _no_text)


def _only_marked(_connection: Connection, clause: Any, multiparams: Any, params: Any, _options: Any) -> None:
    if not isinstance(clause, UpdateBase) or _flushing.get() or _opened.get():
        return
    model = _model_of(getattr(clause.table, "name", ""))
    if model is None:
        return
    may_go = isinstance(clause, Update) or (isinstance(clause, Delete) and not issubclass(model, Record))
    if not may_go or not _bulk.get():
        raise WriteRefused(_refusal_of(clause, model))
    if isinstance(clause, Update):
        _require_free_fields(clause, model, multiparams, params)


def _refusal_of(clause: Any, model: type[Any]) -> Any:
    name = model.__name__
    if isinstance(clause, Insert):
        return _("{model}: rows are created with save, not by a statement.", model=name)
    if isinstance(clause, Delete):
        return _("{model}: records are deleted with delete, not by a statement.", model=name)
    return _(
        "{model}: records are changed with save; mark a statement on many of them with ctx.bulk(reason).", model=name
    )


def _require_free_fields(clause: Update, model: type[Any], multiparams: Any, params: Any) -> None:
    """Refuse a bulk statement that sets a stage or what the server keeps."""
    keys = list(clause._values or ())
    for given in (*(multiparams or ()), params or {}):
        keys += list(given)
    declared = fields_of(model)
    counted = _counted(model)
    for key in keys:
        name = str(getattr(key, "key", key))
        field = declared.get(name)
        if name in KEPT or (field is not None and (field.server or field.kind.staged)):
            raise WriteRefused(
                _("{model}.{field} is kept by the server: no statement sets it.", model=model.__name__, field=name)
            )
        if name in counted:
            raise WriteRefused(
                _("{model}.{field} is added up in a summary: change it with save.", model=model.__name__, field=name)
            )


def _counted(model: type[Any]) -> frozenset[str]:
    """The columns that decide what the summaries of a record type say."""
    summaries = model.__record__.summaries if issubclass(model, Record) else ()
    owners = ("owner_id", "team_id") if summaries else ()
    return frozenset(owners).union(*(summary.columns for summary in summaries))


def _no_text(
    _connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    """Text that writes to the table of a record is refused as well; other text is the core's own."""
    compiled = getattr(context, "compiled", None)
    if _opened.get() or (compiled is not None and not isinstance(compiled.statement, TextClause)):
        return
    for name in _WRITING.findall(statement):
        if _model_of(name) is not None:
            raise WriteRefused(_("{table} is written through save and delete, not by text.", table=name))


@cache
def without_inner_changes(base: type[SQLCompiler]) -> type[SQLCompiler]:
    """A compiler that refuses a change of records inside another statement, where no mark and no check reaches it."""

    def refusing(verb: str) -> Any:
        def visit(self: Any, statement: Any, *args: Any, visiting_cte: Any = None, **kw: Any) -> Any:
            model = _model_of(getattr(statement.table, "name", "")) if visiting_cte is not None else None
            if model is not None and not _opened.get():
                raise WriteRefused(_refusal_of(statement, model))
            return getattr(super(gated, self), verb)(statement, *args, visiting_cte=visiting_cte, **kw)

        return visit

    gated: type[SQLCompiler] = type(
        f"Gated{base.__name__}",
        (base,),
        {verb: refusing(verb) for verb in ("visit_update", "visit_delete", "visit_insert")},
    )
    return gated


_models: dict[str, type[Any]] = {}


def _model_of(table: str) -> type[Any] | None:
    """The record, line or extension that a table holds; by name, since a statement may carry a copy of the table."""
    found = _models.get(table)
    if found is None and table in Base.metadata.tables:
        for mapper in Base.registry.mappers:
            model = mapper.class_
            if issubclass(model, (Record, Line, Extension)) and model.__tablename__ == table:
                found = _models[table] = model
    return found
