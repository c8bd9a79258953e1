"""Access rules inside the SQL compiler: whatever statement a user's session emits, it sees and changes only what it may.

Every ruled table in a FROM is rendered as a sub-select of the rows that the policy lets through, with hidden columns as
NULL; UPDATE and DELETE carry the rule in their WHERE; tables without a rule, text SQL, upserts and functions that are
not on the list are refused; a check after each flush refuses rows that were written outside the writer's scope.
One dialect per shape of policy keeps compiled SQL cacheable, and the user's id is a parameter read at execution.
"""

from __future__ import annotations

import copy
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    event,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.engine import Compiled
from sqlalchemy.orm import object_mapper
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.schema import DefaultGenerator, ExecutableDDLElement
from sqlalchemy.sql import Alias, ColumnElement, FromClause
from sqlalchemy.sql.compiler import SQLCompiler

from comptoir.db.gate import RecordSession, guard_statements
from comptoir.errors import ConfigurationError, NotAllowed
from comptoir.i18n import Text, _


class AccessRefused(NotAllowed):
    """A statement that a user's session may not emit, whatever the user's rights; a defect of the code that emits it."""

    code = "core.access_refused"


# --- rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Everything:
    """All rows."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row."""


@dataclass(frozen=True, slots=True)
class Own:
    """Rows whose `column` is the user."""

    column: str = "owner_id"


@dataclass(frozen=True, slots=True)
class Team:
    """The user's own rows, and those of the teams at or below the user's teams."""

    owner_column: str = "owner_id"
    team_column: str = "team_id"


@dataclass(frozen=True, slots=True)
class Through:
    """Rows whose parent the user may see; to write one, the user must be allowed to do `writing` with the parent."""

    column: str
    parent: str
    writing: str = "update"


@dataclass(frozen=True, slots=True)
class Attached:
    """Rows that point at any record by (type, id), one that the user may see; writing asks for no more.

    `owner_column` and `team_column` are copies of the record's own: they pass over foreign rows without a look at the
    record, which still decides.
    """

    type_column: str = "record_type"
    id_column: str = "record_id"
    owner_column: str | None = None
    team_column: str | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of a plugin: `builder` gets the table or an alias of it; rules with the same `key` are the same."""

    key: Hashable
    builder: Callable[[FromClause], ColumnElement[bool]] = field(compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Rows that all the rules let through."""

    rules: tuple[Rule, ...]


Rule = Everything | Nothing | Own | Team | Through | Attached | Where | And

READ = "read"
UPDATE = "update"
DELETE = "delete"
INSERT = "insert"


@dataclass(frozen=True, slots=True)
class TableRule:
    """What a user may do with the rows of one table. To change or delete a row the user must also be able to see it.

    `insert` lets rows be created: where a rule, within that scope, where True, within the scope of `update`.
    `hidden` columns read as NULL and cannot be updated.  Those of them that are `kept` by the server follow from what
    the user may write: a flush of records writes them, a statement does not.
    """

    read: Rule = Nothing()
    update: Rule = Nothing()
    delete: Rule = Nothing()
    insert: Rule | bool = False
    hidden: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def rule_for(self, action: str) -> Rule:
        """The rule of an action."""
        if action == INSERT:
            if isinstance(self.insert, bool):
                return self.update if self.insert else Nothing()
            return self.insert
        rule: Rule = getattr(self, action)
        return rule


_reader: ContextVar[int | None] = ContextVar("comptoir_reader", default=None)


def me() -> ColumnElement[int]:
    """The id of the user whose session executes the statement."""
    return bindparam("comptoir_me", callable_=_reader.get, type_=BigInteger(), unique=True)


_DEEPEST = 12
_CHUNK = 500


class Policy:
    """What a user of some roles may see and do: the rule of each table. Equal policies share their compiled SQL.

    `records` names the table of each record type, for rows that are attached to any record. A table that is not in
    `tables` is refused.
    """

    def __init__(
        self, metadata: MetaData, tables: Mapping[str, TableRule], *, records: Mapping[str, str] | None = None
    ) -> None:
        self.metadata = metadata
        self._rules = dict(tables)
        self._records = dict(records or {})
        self._key = (metadata, frozenset(self._rules.items()), frozenset(self._records.items()))
        self._hash = hash(self._key)
        self._checks: dict[tuple[str, str], Select[Any] | None] = {}
        if unknown := sorted(self._rules.keys() - metadata.tables.keys()):
            raise ConfigurationError(_("No such table for an access rule: {names}.", names=", ".join(unknown)))
        for name, rule in self._rules.items():
            if missing := sorted(rule.hidden - {column.name for column in metadata.tables[name].columns}):
                raise ConfigurationError(
                    _("The table {table} has no column {names} to hide.", table=name, names=", ".join(missing))
                )

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Policy) and self._key == other._key)

    def session(self, system: Connection, user_id: int | None) -> RecordSession:
        """A session in the transaction of `system` that sees and changes only what the user may."""
        connection = GuardedConnection(user_engine_for(system.engine, self), system, user_id)
        return GuardedSession(connection, join_transaction_mode="rollback_only", expire_on_commit=False)

    def rule_of(self, name: str) -> TableRule:
        """The rule of a table; raises AccessRefused where there is none."""
        rule = self._rules.get(name)
        if rule is None:
            raise AccessRefused(_("The table {name} declares no access rule: refused.", name=name))
        return rule

    def restricts(self, name: str, action: str) -> bool:
        """Whether some rows of a table are out of reach for an action."""
        return not self._is_everything(self.rule_of(name).rule_for(action), name, action)

    def visible(self, name: str) -> Select[Any] | None:
        """The rows and columns of a table that the user may see; None where that is the table itself."""
        rule = self.rule_of(name)
        table = self.metadata.tables[name]
        if not rule.hidden and not self.restricts(name, READ):
            return None
        row = table.alias()
        columns = [
            cast(null(), column.type).label(column.name) if column.name in rule.hidden else row.columns[column.key]
            for column in table.columns
        ]
        return select(*columns).select_from(row).where(self.condition(rule.read, row, name, READ))

    def reachable(self, name: str, row: FromClause, action: str) -> ColumnElement[bool]:
        """Whether the user may do `action` with a row, which includes seeing it."""
        rule = self.rule_of(name)
        return and_(
            self.condition(rule.read, row, name, READ),
            self.condition(rule.rule_for(action), row, name, action) if action != READ else true(),
        )

    def condition(self, rule: Rule, row: FromClause, name: str, action: str, depth: int = 0) -> ColumnElement[bool]:
        """The rule of `action` on the table `name` as SQL about `row`, the table or an alias of it."""
        if depth > _DEEPEST:
            raise ConfigurationError(_("The access rule of {name} goes round in a circle.", name=name))
        if self._is_everything(rule, name, action):
            return true()
        match rule:
            case Everything():
                return true()
            case Nothing():
                return false()
            case Own(column):
                return row.c[column] == me()
            case Team(owner_column, team_column):
                return or_(row.c[owner_column] == me(), row.c[team_column].in_(self._teams()))
            case Through(column, parent_name):
                changed = self._seen(row.c[column], parent_name, READ if action == READ else UPDATE, depth)
                if action == INSERT:  # who may create a record creates its lines with it
                    return or_(changed, self._seen(row.c[column], parent_name, INSERT, depth))
                return changed
            case Attached():
                return self._attached(rule, row, depth)
            case Where(_, builder):
                return builder(row)
            case And(rules):
                return and_(true(), *(self.condition(part, row, name, action, depth) for part in rules))

    def _seen(self, reference: ColumnElement[Any], name: str, action: str, depth: int) -> ColumnElement[bool]:
        rule = self._rules.get(name)
        if rule is None:
            return false()
        wanted = [READ] if action == READ else [READ, action]
        if all(self._is_everything(rule.rule_for(each), name, each) for each in wanted):
            return reference.is_not(None)
        table = self.metadata.tables[name]
        parent = table.alias()
        (key,) = table.primary_key.columns
        return exists().where(
            parent.c[key.key] == reference,
            *(self.condition(rule.rule_for(each), parent, name, each, depth + 1) for each in wanted),
        )

    def _attached(self, attached: Attached, row: FromClause, depth: int) -> ColumnElement[bool]:
        type_column, id_column = row.c[attached.type_column], row.c[attached.id_column]
        open_types = []
        ruled = []
        for type_name, table_name in sorted(self._records.items()):
            rule = self._rules.get(table_name)
            if rule is None or isinstance(rule.read, Nothing):
                continue
            if self._is_everything(rule.read, table_name, READ):
                open_types.append(type_name)
            else:
                likely = self._likely(attached, rule.read, row)
                ruled.append(and_(type_column == type_name, likely, self._seen(id_column, table_name, READ, depth)))
        if open_types:
            ruled.append(type_column.in_(open_types))
        return or_(false(), *ruled)

    def _likely(self, attached: Attached, rule: Rule, row: FromClause) -> ColumnElement[bool]:
        """What the row's copies of owner and team say of the record's rule, where they say anything."""
        match rule:
            case Own("owner_id") if attached.owner_column is not None:
                return row.c[attached.owner_column] == me()
            case Team("owner_id", "team_id") if attached.owner_column is not None and attached.team_column is not None:
                return or_(row.c[attached.owner_column] == me(), row.c[attached.team_column].in_(self._teams()))
            case And(rules):
                return and_(true(), *(self._likely(attached, part, row) for part in rules))
            case _:
                return true()

    def _teams(self) -> Select[Any]:
        closure = self.metadata.tables["core_team_closure"].alias()
        member = self.metadata.tables["core_team_member"].alias()
        return (
            select(closure.c.descendant_id)
            .join_from(closure, member, member.c.team_id == closure.c.ancestor_id)
            .where(member.c.user_id == me())
        )

    def _is_everything(self, rule: Rule, name: str, action: str, depth: int = 0) -> bool:
        match rule:
            case Everything():
                return True
            case And(rules):
                return all(self._is_everything(part, name, action, depth) for part in rules)
            case Through(column, parent_name, writing):
                parent = self._rules.get(parent_name)
                if parent is None or depth > _DEEPEST or self.metadata.tables[name].c[column].nullable:
                    return False
                wanted = [READ] if action == READ else [READ, writing]
                return all(self._is_everything(parent.rule_for(a), parent_name, a, depth + 1) for a in wanted)
            case _:
                return False

    def scope_columns(self, name: str) -> frozenset[str] | None:
        """The columns that decide who reaches a row, whose change must be checked; None for any column."""
        table = self.metadata.tables[name]
        found = {column.name for column in table.primary_key.columns}
        rule = self.rule_of(name)
        pending: list[tuple[Rule, str]] = [(rule.read, READ), (rule.update, UPDATE)]
        while pending:
            part, action = pending.pop()
            if self._is_everything(part, name, action):
                continue
            match part:
                case Own(column) | Through(column, _, _):
                    found.add(column)
                case Team(owner_column, team_column):
                    found.update((owner_column, team_column))
                case Attached(type_column, id_column, _, _):
                    found.update((type_column, id_column))
                case And(rules):
                    pending.extend((each, action) for each in rules)
                case Where():
                    return None
                case Everything() | Nothing():
                    pass
        return frozenset(found)

    def check(self, name: str, action: str) -> Select[Any] | None:
        """Counts which of the rows `keys` are within reach for `action`; None where all are."""
        if (name, action) not in self._checks:
            self._checks[name, action] = self._make_check(name, action)
        return self._checks[name, action]

    def _make_check(self, name: str, action: str) -> Select[Any] | None:
        if not self.restricts(name, READ) and not self.restricts(name, action):
            return None
        table = self.metadata.tables[name]
        return _count_of(table).where(self.reachable(name, table, action))


def _count_of(table: Table) -> Select[Any]:
    keys = list(table.primary_key.columns)
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    return select(func.count()).select_from(table).where(key.in_(bindparam("keys", expanding=True)))


# --- the compiler -----------------------------------------------------------------------------------------------------

# fmt: off
FUNCTIONS = frozenset({
    "count", "sum", "min", "max", "avg", "coalesce", "nullif", "lower", "upper", "length", "char_length", "substr", "substring", "trim", "ltrim", "rtrim", "replace",
    "concat", "concat_ws", "abs", "round", "ceil", "ceiling", "floor", "mod", "power", "sign", "greatest", "least",
    "cast", "extract", "date_trunc", "date_part", "strftime", "date", "time", "datetime", "julianday", "unixepoch", "now", "current_date", "current_timestamp",
    "to_char", "timezone", "age", "make_date",
    "row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value",
    "json_extract", "json_each", "json_type", "json_array_length", "jsonb_array_length", "jsonb_extract_path_text", "jsonb_typeof",
    "group_concat", "string_agg", "aggregate_strings", "array_agg", "unnest", "percentile_cont", "percentile_disc", "stddev", "variance",
    "any_value", "bool_and", "bool_or", "every",
})
# fmt: on
"""The SQL functions that a user's session may call: pure ones that read nothing but their arguments."""

_CONSTANT = re.compile(r"\*|[0-9]{1,18}|'[\w .:-]*'|NULL", re.IGNORECASE)
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|?]{1,3}|LIKE|ILIKE|IS|SIMILAR TO", re.IGNORECASE)


def _refuse(message: Text) -> NoReturn:
    raise AccessRefused(message)


def _refuse_hidden(names: Iterable[str]) -> NoReturn:
    _refuse(_("A field that cannot be seen cannot be changed: {names}.", names=", ".join(sorted(names))))


class _Ruled(ColumnElement[bool]):
    """A condition that the policy adds, rendered without being ruled itself."""

    __visit_name__ = "comptoir_ruled"
    inherit_cache = False

    def __init__(self, condition: ColumnElement[bool]) -> None:
        self.condition = condition
        self.type = condition.type

    @property
    def _from_objects(self) -> list[FromClause]:
        return []


class GuardedCompiler(SQLCompiler):
    """Mixed before a dialect's own compiler; `dialect.comptoir_policy` holds the rules."""

    _in_rule = 0
    _target: Table | None = None
    """The table that the statement changes; its name stands there bare, so that its hidden columns are refused."""
    changes: tuple[str, str, bool] | None = None
    """Table, action, and whether a check of the written rows must follow."""
    kept: str = ""
    """The hidden columns among those written that the server keeps, which only a flush may write."""

    @property
    def _policy(self) -> Policy:
        policy: Policy = self.dialect.comptoir_policy  # type: ignore[attr-defined]
        return policy

    def _process_ruled(self, element: Any, **kw: Any) -> str:
        self._in_rule += 1
        try:
            return self.process(element, **kw)
        finally:
            self._in_rule -= 1

    def visit_comptoir_ruled(self, element: _Ruled, **kw: Any) -> str:
        return f"({self._process_ruled(element.condition)})"  # what stands beside it must not bind tighter than its OR

    def visit_table(  # type: ignore[override]
        self,
        table: Any,
        asfrom: bool = False,
        iscrud: bool = False,
        ashint: bool = False,
        enclosing_alias: Any = None,
        **kw: Any,
    ) -> Any:
        raw = super().visit_table(  # type: ignore[no-untyped-call]
            table, asfrom=asfrom, iscrud=iscrud, ashint=ashint, enclosing_alias=enclosing_alias, **kw
        )
        if self._in_rule or not asfrom or (iscrud and self._is_changed(table)):
            return raw
        rows = self._policy.visible(table.fullname)
        if rows is None:
            return raw
        text = f"({self._process_ruled(rows, asfrom=True)})"
        if enclosing_alias is None or enclosing_alias.element is not table:
            text += self.get_render_as_alias_suffix(self.preparer.quote(table.name))  # type: ignore[no-untyped-call]
        return text

    def _is_changed(self, table: Any) -> bool:
        changed = getattr(self.stack[-1]["selectable"], "table", None) if self.stack else None
        return changed is not None and _bare(changed).name == table.name

    def visit_update(self, update_stmt: Any, visiting_cte: Any = None, **kw: Any) -> str:
        ruled = self._ruled_change(update_stmt, UPDATE, visiting_cte)
        text = super().visit_update(ruled, visiting_cte=visiting_cte, **kw)
        assert self._target is not None
        name, sets = self._target.name, self._assigned(self._target)
        rule = self._policy.rule_of(name)
        if hidden := sets & rule.hidden - rule.kept:
            _refuse_hidden(hidden)
        self.kept = ", ".join(sorted(sets & rule.hidden))
        scope = self._policy.scope_columns(name)
        decides = self._policy.check(name, UPDATE) is not None and (scope is None or bool(sets & scope))
        self.changes = (name, UPDATE, decides)
        return text

    def visit_delete(self, delete_stmt: Any, visiting_cte: Any = None, **kw: Any) -> Any:
        ruled = self._ruled_change(delete_stmt, DELETE, visiting_cte)
        text = super().visit_delete(ruled, visiting_cte=visiting_cte, **kw)  # type: ignore[no-untyped-call]
        assert self._target is not None
        self.changes = (self._target.name, DELETE, False)
        return text

    def visit_insert(self, insert_stmt: Any, visited_bindparam: Any = None, visiting_cte: Any = None, **kw: Any) -> Any:
        if insert_stmt._post_values_clause is not None:
            _refuse(_("An insert that may turn into an update is refused: look the row up, then save it."))
        if visiting_cte is not None or self.stack:
            _refuse(_("A change inside another statement is refused."))
        name = _bare(insert_stmt.table).fullname
        if isinstance(self._policy.rule_of(name).rule_for(INSERT), Nothing):
            raise NotAllowed(_("You may not create this."))
        self.changes = (name, INSERT, self._policy.check(name, INSERT) is not None)
        return super().visit_insert(insert_stmt, visited_bindparam=visited_bindparam, visiting_cte=visiting_cte, **kw)  # type: ignore[no-untyped-call]

    def _ruled_change(self, statement: Any, action: str, visiting_cte: Any) -> Any:
        if visiting_cte is not None or self.stack:
            _refuse(_("A change inside another statement is refused."))
        table = _bare(statement.table)
        condition = self._policy.reachable(table.fullname, statement.table, action)
        self._target = self._policy.metadata.tables[table.fullname]
        return statement.where(_Ruled(condition))

    def _assigned(self, table: Table) -> frozenset[str]:
        state: Any = self.dml_compile_state
        keys: Iterable[Any] = [*(state._dict_parameters or ()), *(self.column_keys or ())]
        names = set()
        for key in keys:
            if isinstance(key, str):
                column: Column[Any] | None = table.columns.get(key)
                names.add(key if column is None else column.name)
            else:
                names.add(key.name)
        return frozenset(names)

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        if not self._in_rule:
            name = column.name
            if column.is_literal and not _CONSTANT.fullmatch(name):
                _refuse(_("A literal column is refused in a user session: {text}.", text=name[:60]))
            if getattr(name, "quote", None) is False and not name.isidentifier():
                _refuse(_("An unquoted name is refused in a user session: {text}.", text=name[:60]))
            if self._target is not None:
                hidden = self._policy.rule_of(self._target.name).hidden
                if name in hidden and (column.table is None or _bare(column.table).name == self._target.name):
                    _refuse(_("A field that cannot be seen cannot be used: {names}.", names=name))
        return super().visit_column(column, *args, **kw)

    def visit_function(self, func: Any, *args: Any, **kw: Any) -> str:
        if not self._in_rule and (func.packagenames or func.name.lower() not in FUNCTIONS):
            _refuse(_("The SQL function {name} is not on the list for user sessions.", name=func.name[:60]))
        return super().visit_function(func, *args, **kw)

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> Any:
        if not self._in_rule:
            _refuse(_("Text SQL is refused in a user session: {text}.", text=textclause.text[:60]))
        return super().visit_textclause(textclause, *args, **kw)  # type: ignore[no-untyped-call]

    def visit_textual_select(self, *args: Any, **kw: Any) -> str:
        _refuse(_("Text SQL is refused in a user session."))

    def visit_tstring(self, *args: Any, **kw: Any) -> str:
        _refuse(_("Text SQL is refused in a user session."))

    def visit_sequence(self, *args: Any, **kw: Any) -> str:
        _refuse(_("A sequence is refused in a user session."))

    def visit_next_value_func(self, *args: Any, **kw: Any) -> str:
        _refuse(_("A sequence is refused in a user session."))

    def visit_cte(self, cte: Any, *args: Any, **kw: Any) -> str | None:
        # a common table expression named as a table would stand in for it inside the rules too
        if not self._in_rule and str(cte.name).lower() in self._policy.metadata.tables:
            _refuse(_("A common table expression may not be named as a table: {name}.", name=cte.name))
        return super().visit_cte(cte, *args, **kw)

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> Any:
        self._check_operator(operator)
        return super().visit_custom_op_binary(element, operator, **kw)  # type: ignore[no-untyped-call]

    def visit_custom_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> Any:
        self._check_operator(operator)
        return super().visit_custom_op_unary_operator(element, operator, **kw)  # type: ignore[no-untyped-call]

    def visit_custom_op_unary_modifier(self, element: Any, operator: Any, **kw: Any) -> Any:
        self._check_operator(operator)
        return super().visit_custom_op_unary_modifier(element, operator, **kw)  # type: ignore[no-untyped-call]

    def _check_operator(self, operator: Any) -> None:
        if not self._in_rule and not _OPERATOR.fullmatch(operator.opstring.strip()):
            _refuse(_("The SQL operator {text} is refused in a user session.", text=operator.opstring[:60]))

    def get_statement_hint_text(self, hint_texts: Any) -> str:
        _refuse(_("A hint is refused in a user session."))

    def format_from_hint_text(self, *args: Any, **kw: Any) -> str:
        _refuse(_("A hint is refused in a user session."))


def _bare(table: Any) -> Any:
    """The table under an alias."""
    while isinstance(table, Alias):
        table = table.element
    if getattr(table, "__visit_name__", "") != "table":
        _refuse(_("Only a table can be changed in a user session."))
    return table


# --- engine, connection, session --------------------------------------------------------------------------------------


class GuardedEngine(Engine):
    """Carries a policy's dialect; its connections come from a unit of work alone."""

    def connect(self) -> NoReturn:
        """Refused: a connection of its own would stand outside the unit of work."""
        _refuse(_("A user session opens no connection of its own; work in its unit of work."))

    def raw_connection(self) -> NoReturn:
        """Refused, as `connect`."""
        self.connect()


_ENGINES = 64
_lock = threading.Lock()


def user_engine_for(system_engine: Engine, policy: Policy) -> GuardedEngine:
    """The engine of a policy on the pool of the system engine, the same for equal policies."""
    engines: OrderedDict[Policy, GuardedEngine] = vars(system_engine).setdefault("comptoir_guarded", OrderedDict())
    with _lock:
        engine = engines.get(policy)
        if engine is None:
            engine = engines[policy] = _guarded_engine(system_engine, policy)
            if len(engines) > _ENGINES:
                engines.popitem(last=False)
        else:
            engines.move_to_end(policy)
        return engine


def _guarded_engine(system_engine: Engine, policy: Policy) -> GuardedEngine:
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
    def policy(self) -> Policy:
        """The rules of this connection."""
        policy: Policy = self.dialect.comptoir_policy  # type: ignore[attr-defined]
        return policy

    @property
    def connection(self) -> NoReturn:
        """Refused: the driver's connection knows no rules."""
        _refuse(_("The driver's connection is refused in a user session."))

    def exec_driver_sql(self, *args: Any, **kw: Any) -> NoReturn:
        """Refused, as text SQL is."""
        _refuse(_("Text SQL is refused in a user session."))

    def begin(self) -> NoReturn:
        """Refused: the unit of work has begun."""
        _refuse(_("The unit of work begins and commits; a user session does not."))

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
        return self._count(_count_of(self.policy.metadata.tables[name]), keys)

    def _count(self, statement: Select[Any], keys: Sequence[Any]) -> int:
        found = 0
        token = _reader.set(self.user_id)
        try:
            for start in range(0, len(keys), _CHUNK):
                found += self.system.scalar(statement, {"keys": keys[start : start + _CHUNK]}) or 0
        finally:
            _reader.reset(token)
        return found


def _before_execute(connection: GuardedConnection, clause: Any, *_rest: Any) -> None:
    if isinstance(clause, (Compiled, ExecutableDDLElement, DefaultGenerator)):
        _refuse(_("Only selects and changes of rows are allowed in a user session."))
    _reader.set(connection.user_id)


def _before_cursor_execute(
    connection: GuardedConnection, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    compiled = context.compiled
    if not isinstance(compiled, GuardedCompiler) or compiled.dialect is not connection.dialect:
        _refuse(_("Text SQL is refused in a user session."))
    if compiled.changes is None:
        return
    if compiled.kept and not connection.flushing:
        _refuse_hidden([compiled.kept])
    name, action, decides = compiled.changes
    if not decides:
        return
    if not connection.flushing:
        if action == INSERT:
            _refuse(_("Rows of {name} are created by adding records to the session.", name=name))
        _refuse(_("What decides who sees a row of {name} is changed record by record.", name=name))
    if action == INSERT:
        connection.linked.setdefault(name, []).extend(context.compiled_parameters)


class GuardedSession(RecordSession):
    """A user's session: after each flush every written row must lie inside the writer's scope."""

    bind: GuardedConnection

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write pending changes; raises NotAllowed when one lies outside the user's scope."""
        self.bind.flushing = True
        try:
            super().flush(objects)
        finally:
            self.bind.flushing = False
            self.bind.linked.clear()

    def close(self) -> None:
        """Let go of all objects and of the connection."""
        super().close()
        self.bind.close()


@event.listens_for(GuardedSession, "before_flush")
def _check_deleted(session: GuardedSession, _flush_context: Any, _objects: Any) -> None:
    connection = session.bind
    doomed: dict[str, list[Any]] = {}
    for record in session.deleted:
        mapper: Any = object_mapper(record)
        for table in mapper.tables:
            doomed.setdefault(table.fullname, []).append(_key_of(mapper, record))
    for name, keys in doomed.items():
        if connection.count_reachable(name, DELETE, keys) != len(keys):
            raise NotAllowed(_("You may not delete this."))


def _key_of(mapper: Any, record: Any) -> Any:
    identity = mapper.primary_key_from_instance(record)
    return identity[0] if len(identity) == 1 else tuple(identity)


@event.listens_for(GuardedSession, "after_flush")
def _check_written(session: GuardedSession, flush_context: Any) -> None:
    connection = session.bind
    policy = connection.policy
    written: dict[tuple[str, str], list[Any]] = {}
    mapped = set()
    state: InstanceState[Any]
    for state, (is_deleted, only_listed) in flush_context.states.items():
        if only_listed:
            continue
        mapper: Any = state.manager.mapper
        record: Any = state.obj()
        action = DELETE if is_deleted else INSERT if state.key is None else UPDATE
        if action == UPDATE and not session.is_modified(record):
            continue
        key = _key_of(mapper, record)
        for table in mapper.tables:
            mapped.add(table.fullname)
            if policy.check(table.fullname, action) is not None:
                written.setdefault((table.fullname, action), []).append(key)
    for name, rows in connection.linked.items():
        if name not in mapped:
            columns = list(policy.metadata.tables[name].primary_key.columns)
            keys = [tuple(row[column.key] for column in columns) for row in rows]
            written[name, INSERT] = [key[0] if len(columns) == 1 else key for key in dict.fromkeys(keys)]
    for (name, action), keys in written.items():
        if action == DELETE:
            # orphans go without having been asked for; the rule in the DELETE left those that the user may not delete
            if connection.count_rows(name, keys):
                raise NotAllowed(_("You may not delete this."))
        elif connection.count_reachable(name, action, keys) != len(set(keys)):
            raise NotAllowed(
                _("You may not create this for somebody else.")
                if action == INSERT
                else _("You may not change this, or not hand it over to somebody whose records you cannot see.")
            )
