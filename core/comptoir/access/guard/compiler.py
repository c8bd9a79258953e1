"""The SQL compiler of a user's session: every ruled table becomes the rows that its reader may see, the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from sqlalchemy import Column, Table
from sqlalchemy.sql import Alias, ColumnElement, FromClause
from sqlalchemy.sql.compiler import SQLCompiler

from comptoir.access.guard.reach import Reach
from comptoir.access.guard.rules import DELETE, INSERT, UPDATE, AccessRefused, Nothing
from comptoir.errors import NotAllowed
from comptoir.i18n import Text, _

FUNCTIONS = frozenset(
    {
        "count",
        "sum",
        "min",
        "max",
        "avg",
        "coalesce",
        "nullif",
        "lower",
        "upper",
        "length",
        "char_length",
        "substr",
        "substring",
        "trim",
        "ltrim",
        "rtrim",
        "replace",
        "concat",
        "concat_ws",
        "abs",
        "round",
        "ceil",
        "ceiling",
        "floor",
        "mod",
        "power",
        "sign",
        "greatest",
        "least",
        "cast",
        "extract",
        "date_trunc",
        "date_part",
        "strftime",
        "date",
        "time",
        "datetime",
        "julianday",
        "unixepoch",
        "now",
        "current_date",
        "current_timestamp",
        "to_char",
        "timezone",
        "age",
        "make_date",
        "row_number",
        "rank",
        "dense_rank",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "json_extract",
        "json_each",
        "json_type",
        "json_array_length",
        "jsonb_array_length",
        "jsonb_extract_path_text",
        "jsonb_typeof",
        "group_concat",
        "string_agg",
        "aggregate_strings",
        "array_agg",
        "unnest",
        "percentile_cont",
        "percentile_disc",
        "stddev",
        "variance",
        "any_value",
        "bool_and",
        "bool_or",
        "every",
    }
)
# fmt: on
"""The SQL functions that a user's session may call: pure ones that read nothing but their arguments."""

_CONSTANT = re.compile(r"\*|[0-9]{1,18}|'[\w .:-]*'|NULL", re.IGNORECASE)
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|?]{1,3}|LIKE|ILIKE|IS|SIMILAR TO", re.IGNORECASE)


def refuse(message: Text) -> NoReturn:
    raise AccessRefused(message)


def refuse_hidden(names: Iterable[str]) -> NoReturn:
    refuse(_("A field that cannot be seen cannot be changed: {names}.", names=", ".join(sorted(names))))


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
    def _policy(self) -> Reach:
        policy: Reach = self.dialect.comptoir_policy  # type: ignore[attr-defined]
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
            refuse_hidden(hidden)
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
            refuse(_("An insert that may turn into an update is refused: look the row up, then save it."))
        if visiting_cte is not None or self.stack:
            refuse(_("A change inside another statement is refused."))
        name = _bare(insert_stmt.table).fullname
        if isinstance(self._policy.rule_of(name).rule_for(INSERT), Nothing):
            raise NotAllowed(_("You may not create this."))
        self.changes = (name, INSERT, self._policy.check(name, INSERT) is not None)
        return super().visit_insert(insert_stmt, visited_bindparam=visited_bindparam, visiting_cte=visiting_cte, **kw)  # type: ignore[no-untyped-call]

    def _ruled_change(self, statement: Any, action: str, visiting_cte: Any) -> Any:
        if visiting_cte is not None or self.stack:
            refuse(_("A change inside another statement is refused."))
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
                refuse(_("A literal column is refused in a user session: {text}.", text=name[:60]))
            if getattr(name, "quote", None) is False and not name.isidentifier():
                refuse(_("An unquoted name is refused in a user session: {text}.", text=name[:60]))
            if self._target is not None:
                hidden = self._policy.rule_of(self._target.name).hidden
                if name in hidden and (column.table is None or _bare(column.table).name == self._target.name):
                    refuse(_("A field that cannot be seen cannot be used: {names}.", names=name))
        return super().visit_column(column, *args, **kw)

    def visit_function(self, func: Any, *args: Any, **kw: Any) -> str:
        if not self._in_rule and (func.packagenames or func.name.lower() not in FUNCTIONS):
            refuse(_("The SQL function {name} is not on the list for user sessions.", name=func.name[:60]))
        return super().visit_function(func, *args, **kw)

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> Any:
        if not self._in_rule:
            refuse(_("Text SQL is refused in a user session: {text}.", text=textclause.text[:60]))
        return super().visit_textclause(textclause, *args, **kw)  # type: ignore[no-untyped-call]

    def visit_textual_select(self, *args: Any, **kw: Any) -> str:
        refuse(_("Text SQL is refused in a user session."))

    def visit_tstring(self, *args: Any, **kw: Any) -> str:
        refuse(_("Text SQL is refused in a user session."))

    def visit_sequence(self, *args: Any, **kw: Any) -> str:
        refuse(_("A sequence is refused in a user session."))

    def visit_next_value_func(self, *args: Any, **kw: Any) -> str:
        refuse(_("A sequence is refused in a user session."))

    def visit_cte(self, cte: Any, *args: Any, **kw: Any) -> str | None:
        # a common table expression named as a table would stand in for it inside the rules too
        if not self._in_rule and str(cte.name).lower() in self._policy.metadata.tables:
            refuse(_("A common table expression may not be named as a table: {name}.", name=cte.name))
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
            refuse(_("The SQL operator {text} is refused in a user session.", text=operator.opstring[:60]))

    def get_statement_hint_text(self, hint_texts: Any) -> str:
        refuse(_("A hint is refused in a user session."))

    def format_from_hint_text(self, *args: Any, **kw: Any) -> str:
        refuse(_("A hint is refused in a user session."))


def _bare(table: Any) -> Any:
    """The table under an alias."""
    while isinstance(table, Alias):
        table = table.element
    if getattr(table, "__visit_name__", "") != "table":
        refuse(_("Only a table can be changed in a user session."))
    return table
