"""Tables and their history: complete, reversible, exact, indexed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from sqlalchemy import DateTime, Float, PrimaryKeyConstraint, Table, UniqueConstraint, inspect

from comptoir.contributions import Screens
from comptoir.db.migrations import OWNED, SHARED, differences, remove, schema_change, upgrade
from comptoir.db.record import Public, Record
from comptoir.kinds.columns import UtcDateTime
from comptoir.registry.schema import unit_of
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.code import SHARED_FIELDS, Code
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.source import Source, called, imported

MIGRATIONS_IMPORT = ("sqlalchemy", "alembic", "comptoir.toolkit", "__future__", "datetime", "decimal", "collections", "json")  # fmt: skip
SHARED_NAMES = {column.name for since in SHARED for column in since()} - {"id"}
NAIVE = ("now", "utcnow", "today", "utcfromtimestamp")


def _tables(code: Code) -> Iterator[Table]:
    for model in code.models:
        if isinstance(model.__table__, Table):
            yield model.__table__


@check("schema.complete", needs="deployment")
def complete(running: Running) -> Iterator[Finding]:
    """The migrations make exactly the tables, columns and indexes of the models."""
    with running.bare() as deployment, schema_change(deployment.engine) as connection:
        unit = unit_of(running.code.plugin)
        upgrade(connection, unit)
        for difference in differences(connection, unit):
            yield Finding(f"models and migrated tables differ: {_shown(difference)}", "migrations/", f"comptoir plugin revision {running.name} -m “…”")  # fmt: skip


def _shown(difference: Any) -> str:
    flat = difference[0] if isinstance(difference, list) else difference
    parts = [getattr(part, "name", None) or part for part in flat if isinstance(part, str) or hasattr(part, "name")]
    return " ".join(map(str, parts))


@check("schema.reversible", needs="deployment")
def reversible(running: Running) -> Iterator[Finding]:
    """Its migrations go up, down to nothing, and up again."""
    with running.bare() as deployment:
        unit = unit_of(running.code.plugin)
        if unit.head() is None:
            raise NotApplicable("it has no migrations")
        step = "up"
        try:
            with schema_change(deployment.engine) as connection:
                upgrade(connection, unit)
                step = "down"
                remove(connection, unit)
                left = set(inspect(connection).get_table_names()) & {*running.code.plugin.tables, unit.version_table}
                if left:
                    yield Finding(f"after going down {', '.join(sorted(left))} is still there", "migrations/", "drop it in downgrade()")  # fmt: skip
                    return
                step = "up again"
                upgrade(connection, unit)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            yield Finding(f"they do not go {step}: {type(error).__name__}: {error!s:.200}", "migrations/", "mend upgrade() and downgrade()")  # fmt: skip


@check("schema.one_history", needs="source")
def one_history(source: Source) -> Iterator[Finding]:
    """Its migrations form one line: each but the first follows another, and no two follow the same."""
    follows: dict[Any, str] = {}
    for place, tree in source.revisions.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "down_revision":
                previous = getattr(node.value, "value", ast.unparse(node.value))
                if previous in follows:
                    yield Finding(f"it follows {previous}, as {follows[previous]} does", f"{place}:{node.lineno}", "let it follow the newest revision")  # fmt: skip
                follows[previous] = place


@check("schema.shared_columns", needs="source")
def shared_columns(source: Source) -> Iterator[Finding]:
    """No migration spells out the columns that every record shares: the platform adds the next one by itself."""
    for place, tree in source.revisions.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) == "create_table":
                columns = [a.args[0] for a in node.args if isinstance(a, ast.Call) and called(a) == "Column" and a.args]
                spelled = SHARED_NAMES & {getattr(column, "value", "") for column in columns}
                if {"search_key", "archived_at"} & spelled:
                    yield Finding(f"it spells out {', '.join(sorted(spelled))}", f"{place}:{node.lineno}", "write *toolkit.record_columns(“<table>”) instead")  # fmt: skip


@check("schema.own_imports", needs="source")
def migrations_import(source: Source) -> Iterator[Finding]:
    """Migrations import only SQLAlchemy, Alembic and the toolkit: they must run when the models have moved on."""
    for place, tree in source.revisions.items():
        for line, name in imported(tree, source.package):
            if not source.is_base and not f"{name}.".startswith(tuple(f"{allowed}." for allowed in MIGRATIONS_IMPORT)):
                yield Finding(f"it imports {name}", f"{place}:{line}", "name tables and columns by text: sa.table(…), sa.column(…)")  # fmt: skip


@check("schema.ondelete", needs="code")
def ondelete(code: Code) -> Iterator[Finding]:
    """Every foreign key says what happens when the row that it points at goes."""
    for table in _tables(code):
        for key in table.foreign_keys:
            if key.ondelete is None:
                yield Finding(f"{key.parent.name} does not say what happens", f"{table.name}.{key.parent.name}", "give ondelete: CASCADE, SET NULL or RESTRICT")  # fmt: skip


@check("schema.indexed_references", needs="code")
def indexed_references(code: Code) -> Iterator[Finding]:
    """Every reference has an index: deleting what it points at, and its tab, would read the whole table."""
    for table in _tables(code):
        for key in table.foreign_keys:
            if not _is_indexed(table, key.parent.name):
                yield Finding(f"{key.parent.name} has no index", f"{table.name}.{key.parent.name}", "give index=True, and a migration")  # fmt: skip


@check("schema.indexed_order", needs="code")
def indexed_order(code: Code) -> Iterator[Finding]:
    """A column of its own by which a list is sorted at first has an index, unless the rows are few (Public)."""
    for screens in code.contributed(Screens):
        model: type[Record] = screens.model
        for name in screens.list.sort[:1]:
            column = name.lstrip("-")
            own = column in model.__table__.c and column not in SHARED_FIELDS
            few = isinstance(model.__record__.visible, Public)
            if own and not few and not _is_indexed(model.__table__, column):  # type: ignore[arg-type]
                yield Finding(f"the list is sorted by {column}, which has no index", f"{model.__name__}.{column}", "give index=True, and a migration")  # fmt: skip


def _is_indexed(table: Table, column: str) -> bool:
    groups = [list(index.columns) for index in table.indexes]
    groups += [list(c.columns) for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
    return bool(table.c[column].unique) or any(group and group[0].name == column for group in groups)


@check("schema.exact_amounts", needs="code")
def exact_amounts(code: Code) -> Iterator[Finding]:
    """No column holds a binary fraction: amounts and quantities are exact."""
    for table in _tables(code):
        for column in table.columns:
            if isinstance(column.type, Float):
                yield Finding(f"{column.name} is a binary fraction", f"{table.name}.{column.name}", "declare it with money(), decimal() or percent()")  # fmt: skip


@check("schema.moments", needs="code")
def moments(code: Code) -> Iterator[Finding]:
    """Moments are kept with their zone, in UTC."""
    for table in _tables(code):
        for column in table.columns:
            if isinstance(column.type, DateTime) and not isinstance(column.type, UtcDateTime):
                yield Finding(
                    f"{column.name} has no time zone", f"{table.name}.{column.name}", "declare it with moment()"
                )


@check("schema.clock", needs="source")
def clock(source: Source) -> Iterator[Finding]:
    """The time is asked of the context: ``ctx.now()``, ``ctx.today()``."""
    for place, call in source.calls(*NAIVE):
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if owner.split(".")[-1] in ("datetime", "date", "dt"):
            yield Finding(f"it calls {owner}.{called(call)}()", place, "take ctx.now() or ctx.today()")


@check("schema.owned", needs="code")
def own_key(code: Code) -> Iterator[Finding]:
    """Foreign keys lead only to its own tables, to those of base and of what it requires, and to users and teams."""
    allowed = {*OWNED.values()}
    prefixes = tuple(f"{name}_" for name in (code.source.name, "base", *code.source.available.requires))
    for table in _tables(code):
        for key in table.foreign_keys:
            target = key.target_fullname.partition(".")[0]
            if target not in allowed and not target.startswith(prefixes):
                yield Finding(f"{key.parent.name} points at {target}", f"{table.name}.{key.parent.name}", "require the plugin that the table belongs to")  # fmt: skip
