"""The engine, connection and session of a user: no way around the rules, and a look at every row after it was written."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, Select, event, inspect
from sqlalchemy.engine import Compiled
from sqlalchemy.orm import object_mapper
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.schema import DefaultGenerator, ExecutableDDLElement
from sqlalchemy.sql.compiler import SQLCompiler

from comptoir.access.guard.compiler import GuardedCompiler, refuse, refuse_hidden
from comptoir.access.guard.reach import Reach, count_of
from comptoir.access.guard.rules import DELETE, INSERT, READER, UPDATE, Nothing
from comptoir.db.gate import RecordSession, changed_columns, guard_statements
from comptoir.errors import NotAllowed
from comptoir.i18n import _


class GuardedEngine(Engine):
    """Carries a policy's dialect; its connections come from a unit of work alone."""

    def connect(self) -> NoReturn:
        """Refused: a connection of its own would stand outside the unit of work."""
        refuse(_("A user session opens no connection of its own; work in its unit of work."))

    def raw_connection(self) -> NoReturn:
        """Refused, as `connect`."""
        self.connect()


_ENGINES = 64
_CHUNK = 500
_lock = threading.Lock()


def user_engine_for(system_engine: Engine, policy: Reach) -> GuardedEngine:
    """The engine of a policy on the pool of the system engine, the same for equal policies."""
    engines: OrderedDict[Reach, GuardedEngine] = vars(system_engine).setdefault("comptoir_guarded", OrderedDict())
    with _lock:
        engine = engines.get(policy)
        if engine is None:
            engine = engines[policy] = _guarded_engine(system_engine, policy)
            if len(engines) > _ENGINES:
                engines.popitem(last=False)
        else:
            engines.move_to_end(policy)
        return engine


def _guarded_engine(system_engine: Engine, policy: Reach) -> GuardedEngine:
    dialect: Any = copy.copy(system_engine.dialect)
    dialect.statement_compiler = _compiler_on(dialect.statement_compiler)
    dialect.comptoir_policy = policy
    engine = GuardedEngine(system_engine.pool, dialect, system_engine.url, query_cache_size=400)
    guard_statements(engine)
    event.listen(engine, "before_execute", _before_execute)
    event.listen(engine, "before_cursor_execute", _before_cursor_execute)
    return engine


@cache
def _compiler_on(base: type[SQLCompiler]) -> type[SQLCompiler]:
    return type(f"Guarded{base.__name__}", (GuardedCompiler, base), {})


class GuardedConnection(Connection):
    """The user's view of a system connection: the same driver connection and transaction under a guarded dialect."""

    def __init__(self, engine: GuardedEngine, system: Connection, user_id: int | None) -> None:
        super().__init__(engine, connection=system.connection, _allow_revalidate=False, _allow_autobegin=False)
        if system.get_transaction() is None:
            raise RuntimeError("a user session needs a unit of work that has begun")
        self._transaction = system._transaction
        # the names of savepoints must differ from those of the system connection
        self._Connection__savepoint_seq = 1_000_000
        self.system = system
        self.user_id = user_id
        self.flushing = False
        self.linked: dict[str, list[Mapping[str, Any]]] = {}

    @property
    def policy(self) -> Reach:
        """The rules of this connection."""
        policy: Reach = self.dialect.comptoir_policy  # type: ignore[attr-defined]
        return policy

    @property
    def connection(self) -> NoReturn:
        """Refused: the driver's connection knows no rules."""
        refuse(_("The driver's connection is refused in a user session."))

    def exec_driver_sql(self, *args: Any, **kw: Any) -> NoReturn:
        """Refused, as text SQL is."""
        refuse(_("Text SQL is refused in a user session."))

    def begin(self) -> NoReturn:
        """Refused: the unit of work has begun."""
        refuse(_("The unit of work begins and commits; a user session does not."))

    def commit(self) -> NoReturn:
        """Refused: the unit of work commits."""
        self.begin()

    def rollback(self) -> NoReturn:
        """Refused: raise an error to have the unit of work rolled back."""
        self.begin()

    def close(self) -> None:
        """Let go of the driver's connection, which the system connection closes."""
        self._transaction = self._nested_transaction = None
        self._dbapi_connection = None

    def count_reachable(self, name: str, action: str, keys: Sequence[Any]) -> int:
        """How many of the rows with these primary keys the user may do `action` with."""
        check = self.policy.check(name, action)
        if check is None:
            return len(keys)
        return self._count(check, keys)

    def count_rows(self, name: str, keys: Sequence[Any]) -> int:
        """How many rows with these primary keys exist."""
        return self._count(count_of(self.policy.metadata.tables[name]), keys)

    def _count(self, statement: Select[Any], keys: Sequence[Any]) -> int:
        found = 0
        token = READER.set(self.user_id)
        try:
            for start in range(0, len(keys), _CHUNK):
                found += self.system.scalar(statement, {"keys": keys[start : start + _CHUNK]}) or 0
        finally:
            READER.reset(token)
        return found


def _before_execute(connection: GuardedConnection, clause: Any, *_rest: Any) -> None:
    if isinstance(clause, (Compiled, ExecutableDDLElement, DefaultGenerator)):
        refuse(_("Only selects and changes of rows are allowed in a user session."))
    READER.set(connection.user_id)


def _before_cursor_execute(
    connection: GuardedConnection, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    compiled = context.compiled
    if not isinstance(compiled, GuardedCompiler) or compiled.dialect is not connection.dialect:
        refuse(_("Text SQL is refused in a user session."))
    if compiled.changes is None:
        return
    if compiled.kept and not connection.flushing:
        refuse_hidden([compiled.kept])
    name, action, decides = compiled.changes
    if not decides:
        return
    if not connection.flushing:
        if action == INSERT:
            refuse(_("Rows of {name} are created by adding records to the session.", name=name))
        refuse(_("What decides who sees a row of {name} is changed record by record.", name=name))
    if action == INSERT:
        connection.linked.setdefault(name, []).extend(context.compiled_parameters)


class GuardedSession(RecordSession):
    """A user's session: after each flush every written row must lie inside the writer's scope, by proof or by a count."""

    bind: GuardedConnection

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write pending changes; raises NotAllowed when one lies outside the user's scope."""
        self.bind.flushing = True
        try:
            super().flush(objects)
        finally:
            self.bind.flushing = False
            self.bind.linked.clear()

    def _insert(self, rows: Sequence[Any]) -> None:
        name = type(rows[0]).__tablename__
        if isinstance(self.bind.policy.rule_of(name).rule_for(INSERT), Nothing):
            raise NotAllowed(_("You may not create this."))
        super()._insert(rows)
        _require_reached(self.bind, name, INSERT, [row.__dict__["id"] for row in rows])

    def unrestricted_connection(self) -> Connection:
        """That of the system, which the user's stands on."""
        return self.bind.system

    def close(self) -> None:
        """Let go of all objects and of the connection."""
        super().close()
        self.bind.close()


@dataclass(frozen=True, slots=True)
class _Row:
    """A record in a flush, as a row of one of its tables."""

    state: InstanceState[Any]
    table: Any
    action: str

    @property
    def key(self) -> Any:
        """Its primary key, a tuple where that has several columns."""
        identity = self.state.manager.mapper.primary_key_from_instance(self.state.obj())
        return identity[0] if len(identity) == 1 else tuple(identity)

    @property
    def is_versioned(self) -> bool:
        """Whether a DELETE that does not meet the row is an error: then the rule in it was met."""
        version = self.state.manager.mapper.version_id_col
        return version is not None and version.table is self.table

    def _name(self, column: str) -> str:
        return self.state.manager.mapper.get_property_by_column(self.table.c[column]).key

    def value(self, column: str) -> Any:
        """What it holds in a column; nothing where that is not known."""
        return self.state.dict.get(self._name(column))

    def is_proved(self, connection: GuardedConnection, parents: Collection[tuple[str, Any]]) -> bool:
        """Whether the user may do this with it for sure, without a question to the database.

        The rule stood in an UPDATE, which is an error where it meets no row: what it decides by is as it was, or is known.
        """
        policy, name = connection.policy, self.table.fullname
        if self.action == UPDATE:
            changed = changed_columns(self.state.obj())
            if not changed:
                return False  # no statement was sent, so that no rule stood in one
            deciding = policy.scope_columns(name)
            if deciding is not None:
                names = set(map(self._name, deciding))
                if names.isdisjoint(changed) and names <= self.state.dict.keys():  # what SQL worked out is not there
                    return True
        return policy.proves(name, self.action, connection.user_id, self.value, parents)


@event.listens_for(GuardedSession, "before_flush")
def _check_deleted(session: GuardedSession, _flush_context: Any, _objects: Any) -> None:
    connection = session.bind
    doomed: dict[str, list[Any]] = {}
    for record in session.deleted:
        mapper: Any = object_mapper(record)
        for table in mapper.tables:
            row = _Row(inspect(record), table, DELETE)
            # a version that somebody overtook is told as such by the DELETE, in which the rule stands
            if not (row.is_versioned and row.is_proved(connection, ())):
                doomed.setdefault(table.fullname, []).append(row.key)
    for name, keys in doomed.items():
        if connection.count_reachable(name, DELETE, keys) != len(keys):
            raise NotAllowed(_("You may not delete this."))


def _written(session: GuardedSession, flush_context: Any) -> Iterator[_Row]:
    state: InstanceState[Any]
    for state, (is_deleted, only_listed) in flush_context.states.items():
        action = DELETE if is_deleted else INSERT if state.key is None else UPDATE
        if only_listed or (action == UPDATE and not session.is_modified(state.obj())):
            continue
        for table in state.manager.mapper.tables:
            yield _Row(state, table, action)


@event.listens_for(GuardedSession, "after_flush")
def _check_written(session: GuardedSession, flush_context: Any) -> None:
    connection = session.bind
    policy = connection.policy
    rows = list(_written(session, flush_context))
    changed = {(row.table.fullname, row.key) for row in rows if row.action == UPDATE}
    parents = {
        UPDATE: changed,
        INSERT: changed | {(row.table.fullname, row.key) for row in rows if row.action == INSERT},
    }
    unproved: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        if policy.check(row.table.fullname, row.action) is None:
            continue
        if row.is_versioned if row.action == DELETE else row.is_proved(connection, parents[row.action]):
            continue
        unproved.setdefault((row.table.fullname, row.action), []).append(row.key)
    mapped = {row.table.fullname for row in rows}
    for name, linked in connection.linked.items():
        if name not in mapped:
            columns = list(policy.metadata.tables[name].primary_key.columns)
            keys = [tuple(values[column.key] for column in columns) for values in linked]
            unproved[name, INSERT] = [key[0] if len(columns) == 1 else key for key in dict.fromkeys(keys)]
    for (name, action), keys in unproved.items():
        if action == DELETE:
            # orphans go without having been asked for; the rule in the DELETE left those that the user may not delete
            if connection.count_rows(name, keys):
                raise NotAllowed(_("You may not delete this."))
        else:
            _require_reached(connection, name, action, keys)


def _require_reached(connection: GuardedConnection, name: str, action: str, keys: Sequence[Any]) -> None:
    """Raise `NotAllowed` where a row that was written lies outside the user's scope."""
    if connection.count_reachable(name, action, keys) != len(set(keys)):
        raise NotAllowed(
            _("You may not create this for somebody else.")
            if action == INSERT
            else _("You may not change this, or not hand it over to somebody whose records you cannot see.")
        )
