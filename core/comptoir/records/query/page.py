"""Running a list: one page of core rows, where the next one begins, and how many there are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, bindparam, func, inspect, or_, select

from comptoir.access.guard import Policy, Through
from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.records.query import cursor as cursors
from comptoir.records.query.compile import Builder, Shape, dialect_of, lower_query, shapes_of
from comptoir.records.query.parse import check_sortable
from comptoir.records.query.paths import Path, names, resolve
from comptoir.records.query.tree import Query

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_COUNT = 10_000
MANY_SECONDS = 30
MANY_KEPT = 1_000
"""That a list has more rows than are counted is remembered for so long, for so many lists: it rarely changes at once."""

ALL, VALUED, EMPTY = "all", "valued", "empty"
"""Which rows a statement reads: all, those with a value in the first sort column, those without.

An index serves each of the last two in order; it does not serve "empty ones last" on both engines.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by wire name; ``total`` is None where it was not asked for and stops at 10,000, then ``capped`` is true.

    ``next`` is the cursor of the following page, None on the last.
    """

    rows: list[dict[str, Any]]
    total: int | None
    capped: bool
    next: str | None


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of the order."""

    path: Path
    descending: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A built statement; a row holds the values of ``keys``, then those of the sort that are not among them."""

    statement: Select[Any]
    keys: tuple[str, ...]
    sort_places: tuple[int, ...]


def run(ctx: Context, declared: DeclaredType, query: Query, *, total: bool = True) -> Page:
    """The rows of a query that the actor may see; ``total`` counts them all, up to 10,000."""
    values: list[Any] = []
    where, words = lower_query(ctx, declared, query, values)
    sorts = _sorts(ctx, declared, query)
    filled = {f"v{number}": value for number, value in enumerate(values)}
    dialect = dialect_of(ctx)
    shapes = shapes_of(declared)
    paths, lines, computed = _columns(ctx, declared, query.fields)
    columns = tuple(path.name for path in paths)
    order = tuple((sort.path.name, sort.descending) for sort in sorts)
    by_value = bool(sorts) and _may_be_null(ctx, declared, sorts[0].path)

    offset = (query.number - 1) * query.size
    after: tuple[bool, ...] | None = None
    segments = [VALUED, EMPTY] if by_value and not offset else [ALL]
    if query.after is not None:
        place, filled["after_id"] = cursors.decode(query.after, query.sort, [sort.path for sort in sorts])
        filled |= {f"after{position}": value for position, value in enumerate(place) if value is not None}
        after = tuple(value is None for value in place)
        if by_value and after[0]:
            segments = [EMPTY]
    if offset:
        filled["offset"] = offset

    found: list[Any] = []
    plan: Plan | None = None
    for segment in segments:
        filled["size"] = query.size + 1 - len(found)
        continues = after if segment != EMPTY or segments[0] == EMPTY else None
        shape = (dialect, columns, order, where, words, query.archived, segment, continues, bool(offset))
        plan = shapes.get(
            shape,
            lambda segment=segment, continues=continues: _plan(  # type: ignore[misc]
                Builder(ctx, declared, dialect),
                paths,
                sorts,
                where,
                words,
                query.archived,
                segment,
                continues,
                offset=bool(offset),
            ),
        )
        found += ctx.session.execute(plan.statement, filled).all()
        if len(found) > query.size:
            break
    assert plan is not None

    more = len(found) > query.size
    rows = found[: query.size]
    following = None
    if more:
        last = rows[-1]
        following = cursors.encode(query.sort, [last[place] for place in plan.sort_places], last[0])
    keys = plan.keys
    page = [dict(zip(keys, row, strict=False)) for row in rows]
    if lines:
        _add_lines(ctx, declared, lines, page)
    if computed:
        _compute(page, paths, computed, query.fields)
    counted, capped = None, False
    if total:
        if not more and query.after is None and (rows or not offset):
            counted = offset + len(rows)
        else:
            counted, capped = _count(ctx, declared, where, words, query.archived, values)
        if counted > MAX_COUNT:
            counted, capped = MAX_COUNT, True
    return Page(page, counted, capped, following)


def count(ctx: Context, declared: DeclaredType, query: Query) -> tuple[int, bool]:
    """How many rows a query has, and whether counting stopped at 10,000."""
    values: list[Any] = []
    where, words = lower_query(ctx, declared, query, values)
    return _count(ctx, declared, where, words, query.archived, values)


def _count(
    ctx: Context, declared: DeclaredType, where: Shape | None, words: Shape | None, archived: str, values: list[Any]
) -> tuple[int, bool]:
    dialect = dialect_of(ctx)
    shape = ("count", dialect, where, words, archived)
    asked = (shape, ctx.actor, *(tuple(value) if isinstance(value, list) else value for value in values))
    many: dict[Shape, float] = declared._cache.setdefault("many", {})
    if many.get(asked, 0) > time.monotonic():
        return MAX_COUNT, True

    def build() -> Select[Any]:
        builder = Builder(ctx, declared, dialect)
        conditions = builder.conditions(where, words, archived)
        some = (
            select(declared.table.c.id)
            .select_from(builder.source)
            .where(*conditions)
            .limit(bindparam("limit", type_=Integer()))
            .subquery("counted")
        )
        return select(func.count()).select_from(some)

    statement = shapes_of(declared).get(shape, build)
    filled = {f"v{number}": value for number, value in enumerate(values)}
    found = ctx.session.execute(statement, {**filled, "limit": MAX_COUNT + 1}).scalar_one()
    if found <= MAX_COUNT:
        return found, False
    if len(many) >= MANY_KEPT:
        many.clear()
    many[asked] = time.monotonic() + MANY_SECONDS
    return MAX_COUNT, True


# -- what is asked for --------------------------------------------------------------------------------------------------


def _sorts(ctx: Context, declared: DeclaredType, query: Query) -> list[Sort]:
    found = []
    for part in query.sort:
        path = resolve(ctx, declared, part.removeprefix("-"), "sort")
        check_sortable(path)
        found.append(Sort(path, part.startswith("-")))
    return found


Columns = tuple[tuple[Path, ...], tuple[Path, ...], tuple["Formula", ...]]


def _columns(ctx: Context, declared: DeclaredType, fields: tuple[str, ...]) -> Columns:
    """The columns to read, id and version first, the lines, and what is computed from the columns."""
    key = ("columns", ctx.actor.grants, fields)
    kept: Columns | None = declared._cache.get(key) if not fields else None
    if kept is not None:
        return kept
    asked = fields or tuple(n for n in names(ctx, declared) if not declared.fields[n].kind.lined)
    paths = [resolve(ctx, declared, name, "fields") for name in ("id", "version", *asked)]
    columns = {path.key: path for path in paths if not path.field.kind.lined and path.field.computed is None}
    lines = {path.key: path for path in paths if path.field.kind.lined}
    formulas = []
    for path in paths:
        if path.field.computed is not None:
            prefix = path.name[: -len(path.field.name)]
            sources = [resolve(ctx, declared, prefix + name, "fields") for name in path.field.computed.sources]
            columns |= {source.key: source for source in sources if source.key not in columns}
            formulas.append(Formula(path.key, path.field.computed.by, tuple(source.key for source in sources)))
    found = (tuple(columns.values()), tuple(lines.values()), tuple(formulas))
    if not fields:
        declared._cache[key] = found
    return found


@dataclass(frozen=True, slots=True)
class Formula:
    """A computed field of a row and the columns that it follows from."""

    key: str
    by: Callable[..., Any]
    sources: tuple[str, ...]


def _compute(
    rows: list[dict[str, Any]], paths: Sequence[Path], formulas: Sequence[Formula], fields: tuple[str, ...]
) -> None:
    """Add the computed fields to the rows; columns that were read only for them leave again."""
    asked = {"id", "version", *fields}
    extra = [path.key for path in paths if fields and path.key not in asked and path.name not in asked]
    for row in rows:
        for formula in formulas:
            row[formula.key] = formula.by(*(row[name] for name in formula.sources))
        for name in extra:
            del row[name]


def _may_be_null(ctx: Context, declared: DeclaredType, path: Path) -> bool:
    if path.steps or path.extension is not None:
        return Builder(ctx, declared, "").column(path)[1]
    return bool(declared.table.c[path.column].nullable)


# -- the statement ------------------------------------------------------------------------------------------------------


def _plan(
    builder: Builder,
    paths: Sequence[Path],
    sorts: Sequence[Sort],
    where: Shape | None,
    words: Shape | None,
    archived: str,
    segment: str,
    after: tuple[bool, ...] | None,
    *,
    offset: bool,
) -> Plan:
    if segment == VALUED:
        builder.require(sorts[0].path)
    conditions = builder.conditions(where, words, archived)
    columns = [builder.column(path)[0] for path in paths]
    keys = tuple(path.key for path in paths)
    places: list[int] = []
    ordered: list[tuple[ColumnElement[Any], bool, bool]] = []
    for sort in sorts:
        column, nullable = builder.column(sort.path)
        if sort.path.key in keys:
            places.append(keys.index(sort.path.key))
        else:
            places.append(len(columns))
            columns.append(column)
        ordered.append((column, sort.descending, nullable))
    if segment != ALL:
        first = ordered[0][0]
        conditions.append(first.is_(None) if segment == EMPTY else first.is_not(None))
        ordered[0] = (first, ordered[0][1], False)
    record_id = builder.declared.table.c.id
    # equal rows follow the direction of the last key, so that an index on one column holds the whole order
    backwards = bool(sorts) and sorts[-1].descending
    if after is not None:
        pending = list(enumerate(ordered))[1 if segment == EMPTY else 0 :]
        conditions += _behind(pending, after, record_id, backwards=backwards)
    if segment == EMPTY:
        del ordered[0]
    order: list[Any] = []
    for column, descending, nullable in ordered:
        direction = column.desc() if descending else column.asc()
        order.append(direction.nulls_last() if nullable else direction)
    statement = (
        select(*(column.label(f"c{place}") for place, column in enumerate(columns)))
        .select_from(builder.source)
        .where(*conditions)
        .order_by(*order, record_id.desc() if backwards else record_id)
        .limit(bindparam("size", type_=Integer()))
    )
    if offset:
        statement = statement.offset(bindparam("offset", type_=Integer()))
    return Plan(statement, keys, tuple(places))


def _behind(
    pending: Sequence[tuple[int, tuple[ColumnElement[Any], bool, bool]]],
    after: tuple[bool, ...],
    record_id: ColumnElement[Any],
    *,
    backwards: bool,
) -> list[ColumnElement[bool]]:
    """The rows behind the place of the cursor, with empty values last; the bound of the first key lets an index jump."""
    last = bindparam("after_id", type_=BigInteger())
    alternatives: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for position, (column, descending, nullable) in pending:
        if after[position]:
            same.append(column.is_(None))
            continue
        place = bindparam(f"after{position}", type_=column.type)
        behind = column < place if descending else column > place
        alternatives.append(and_(*same, or_(behind, column.is_(None)) if nullable else behind))
        same.append(column == place)
    found = [or_(*alternatives, and_(*same, record_id < last if backwards else record_id > last))]
    if pending:
        position, (column, descending, nullable) = pending[0]
        if not nullable and not after[position]:
            place = bindparam(f"after{position}", type_=column.type)
            found.append(column <= place if descending else column >= place)
    return found


def _add_lines(ctx: Context, declared: DeclaredType, lines: Sequence[Path], rows: list[dict[str, Any]]) -> None:
    """The lines of the page's records under their field, one statement for each field."""
    ids = [row["id"] for row in rows]
    for path in lines:
        line: Any = inspect(declared.model).relationships[path.field.name].mapper.class_
        readable = [
            name
            for name, described in fields_of(line).items()
            if not described.kind.lined
            and (described.read is None or ctx.actor.grants.scope(described.read) is not None)
        ]

        def build(line: Any = line, readable: list[str] = readable) -> Select[Any]:
            table = line.__table__
            columns = inspect(line).column_attrs
            return (
                select(
                    table.c[line.__parent__], table.c.id, *(table.c[columns[name].columns[0].key] for name in readable)
                )
                .where(table.c[line.__parent__].in_(bindparam("ids", expanding=True)))
                .order_by(table.c[line.__parent__], table.c.position, table.c.id)
            )

        statement = shapes_of(declared).get(("lines", path.key, tuple(readable)), build)
        held: dict[int, list[dict[str, Any]]] = defaultdict(list)
        if ids:
            session = unrestricted(ctx, "lines") if _goes_with_record(ctx, declared, line) else ctx.session
            for parent, *cells in session.execute(statement, {"ids": ids}):
                held[parent].append(dict(zip(("id", *readable), cells, strict=True)))
        for row in rows:
            row[path.key] = held.get(row["id"], [])


def _goes_with_record(ctx: Context, declared: DeclaredType, line: Any) -> bool:
    """Whether a line is seen by whoever sees its record, whole; then of records just read under their rule, all lines are seen."""
    policy: Policy | None = getattr(ctx.session.get_bind(), "policy", None)
    if policy is None:
        return True
    rule = policy.rule_of(line.__tablename__)
    return rule.read == Through(line.__parent__, declared.table.name) and not rule.hidden
