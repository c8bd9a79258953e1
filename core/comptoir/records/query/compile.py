"""From the tree to SQL: each statement shape is built once and kept, values are filled in when it runs.

A query is first *lowered* to a shape — operators and names without values — and the list of its values.  Shapes are
keys of a cache of statements, so that neither building nor compiling SQL is repeated while people page, type and filter.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    FromClause,
    LargeBinary,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    inspect,
    literal,
    not_,
    or_,
    select,
)

from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.db.search import Fragment, SearchEntry, have_planned_anew, holds, words_of
from comptoir.db.types import fold
from comptoir.records.query.paths import Path, resolve
from comptoir.records.query.tree import ONLY, WITH, All, Any_, Compare, Filter, Not, Query
from comptoir.records.query.values import check_operator, coerce
from comptoir.records.query.words import conditions, shape_of, values_of, words_in

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

Shape = tuple[Any, ...]
S = TypeVar("S")

KEPT_SHAPES = 256


class Shapes:
    """The built statements of one record type, the least used ones dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Shape, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, shape: Shape, build: Callable[[], S]) -> S:
        """The statement of this shape, built if it is new."""
        with self._lock:
            kept: S | None = self._kept.get(shape)
            if kept is not None:
                self._kept.move_to_end(shape)
                return kept
        built = build()
        with self._lock:
            self._kept[shape] = built
            if len(self._kept) > KEPT_SHAPES:
                self._kept.popitem(last=False)
        return built


def shapes_of(declared: DeclaredType) -> Shapes:
    """The statements built for a record type in this generation."""
    found: Shapes | None = declared._cache.get("shapes")
    return found if found is not None else declared._cache.setdefault("shapes", Shapes())


def dialect_of(ctx: Context) -> str:
    """``sqlite`` or ``postgresql``."""
    name: str = ctx.session.get_bind().dialect.name
    return name


# -- lowering -----------------------------------------------------------------------------------------------------------


def lower(ctx: Context, declared: DeclaredType, node: Filter | None, values: list[Any]) -> Shape | None:
    """The shape of a filter; its values are appended in the order in which the builder asks for them."""
    match node:
        case None:
            return None
        case Compare():
            return _lower_comparison(ctx, declared, node, values)
        case Not(part):
            return ("not", lower(ctx, declared, part, values))
        case All(parts):
            return ("all", *(lower(ctx, declared, part, values) for part in parts))
        case Any_(parts):
            return ("any", *(lower(ctx, declared, part, values) for part in parts))


NEGATED = {"ne": "eq", "nin": "in", "has_not": "has"}


def _lower_comparison(ctx: Context, declared: DeclaredType, node: Compare, values: list[Any]) -> Shape:
    parameter = f"filter[{node.path}]"
    path = resolve(ctx, declared, node.path, parameter)
    check_operator(path, node.operator, parameter)
    value = coerce(path.field, node.operator, node.value, parameter)
    if node.operator in NEGATED:
        return ("not", _lower_checked(ctx, path, NEGATED[node.operator], value, values))
    return _lower_checked(ctx, path, node.operator, value, values)


def _lower_checked(ctx: Context, path: Path, operator: str, value: Any, values: list[Any]) -> Shape:
    if operator == "is_null":
        shape: Shape = ("null", path.name)
        return shape if value else ("not", shape)
    if operator in ("contains", "starts"):
        return _lower_text(path, operator, value, values)
    if path.field.normalise is not None and operator in ("eq", "in"):
        normalise = partial(path.field.normalise, ctx)
        value = tuple(map(normalise, value)) if operator == "in" else normalise(value)
    lowered, compared = path.field.kind.compare(operator, value, ctx)
    values += compared
    return (lowered, path.name)


def like(text: str, *, start: bool = False) -> str:
    """The pattern of a LIKE that finds exactly this text, anywhere or at the start."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%" if start else f"%{escaped}%"


_ASCII_LOWER = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _lower_text(path: Path, operator: str, value: str, values: list[Any]) -> Shape:
    start = operator == "starts"
    folded = fold(value)
    if in_search_key(path) and folded:
        first = _leads_search_key(path)
        words = words_of(folded)
        has_grams = len(words) >= 3
        values += [words] if has_grams else []
        values += [like(folded, start=start and first), like(folded, start=start)]
        return ("folded", path.name, has_grams)
    variants = {value.lower(), value.upper(), value.capitalize(), value.title()}
    patterns = sorted({like(variant.translate(_ASCII_LOWER), start=start) for variant in variants})
    values += patterns
    return ("like", path.name, len(patterns))


def in_search_key(path: Path) -> bool:
    """Whether the record's search key holds the field, folded."""
    field = path.field
    return (field.title or field.search) and field.read is None and path.extension is None and path.lines is None


def _leads_search_key(path: Path) -> bool:
    leading = next((f for f in fields_of(path.declared.model).values() if f.search), None)
    return leading is not None and leading.name == path.field.name


def lower_query(
    ctx: Context, declared: DeclaredType, query: Query, values: list[Any]
) -> tuple[Shape | None, Shape | None]:
    """The shapes of a query's filter and of its words; their values are appended in that order."""
    where = lower(ctx, declared, query.where, values)
    words = words_in(query.text)
    values += values_of(words or ())
    if words is not None or _has_grams(where):
        have_planned_anew(unrestricted(ctx, "search").connection())
    return where, None if words is None else shape_of(words)


def _has_grams(shape: Shape | None) -> bool:
    match shape:
        case ("folded", _, has_grams):
            return bool(has_grams)
        case ("not" | "all" | "any", *parts):
            return any(map(_has_grams, parts))
        case _:
            return False


# -- building -----------------------------------------------------------------------------------------------------------


class Builder:
    """Collects the joins that the columns of one statement need; numbers its values as lowering did; builders of one statement share the numbers."""

    def __init__(
        self, ctx: Context, declared: DeclaredType, dialect: str, numbers: Iterator[int] | None = None
    ) -> None:
        self.ctx = ctx
        self.declared = declared
        self.dialect = dialect
        self.source: FromClause = declared.table
        self._aliases: dict[Shape, FromClause] = {(): declared.table}
        self._needed: set[Shape] = set()
        self._numbers = count() if numbers is None else numbers

    def require(self, path: Path) -> None:
        """Leave out rows without the records that the path leads over; a database then joins in either direction."""
        reached: Shape = ()
        for step in path.steps:
            if step.extension is not None:
                self._needed.add((*reached, step.extension))
            reached = (*reached, step.extension, step.column)
            self._needed.add(reached)

    def resolve(self, name: str) -> Path:
        """The path with this name; it was resolved before."""
        return resolve(self.ctx, self.declared, name)

    def value(self, type_: Any, *, several: bool = False) -> ColumnElement[Any]:
        """The place of the next value."""
        return bindparam(f"v{next(self._numbers)}", type_=type_, expanding=several)

    def column(self, path: Path) -> tuple[ColumnElement[Any], bool]:
        """The column of a path, and whether it may be NULL."""
        record = self._record(path)
        if path.extension is None:
            column = record.c[path.column]
            return column, bool(path.steps) or bool(column.nullable)
        side = self._side(path.steps, path.extension, record)
        column = side.c[path.column]
        declared = path.extension.__table__.c[path.column].default
        if declared is None or not declared.is_scalar:
            return column, True
        filled = func.coalesce(column, literal(declared.arg, column.type), type_=column.type)
        if not path.steps:
            return filled, False
        return case((record.c.id.is_not(None), filled)), True

    def _record(self, path: Path) -> FromClause:
        reached: Shape = ()
        here: FromClause = self.declared.table
        for step in path.steps:
            source = here if step.extension is None else self._side_at(reached, step.extension, here)
            reached = (*reached, step.extension, step.column)
            found = self._aliases.get(reached)
            if found is None:
                found = self._aliases[reached] = step.target.table.alias(f"r{len(self._aliases)}")
                self._join(found, found.c.id == source.c[step.column], reached)
            here = found
        return here

    def _side(self, steps: Sequence[Any], extension: type[Any], record: FromClause) -> FromClause:
        reached: Shape = tuple(part for step in steps for part in (step.extension, step.column))
        return self._side_at(reached, extension, record)

    def _side_at(self, reached: Shape, extension: type[Any], record: FromClause) -> FromClause:
        key = (*reached, extension)
        found = self._aliases.get(key)
        if found is None:
            table: Any = extension.__table__
            found = self._aliases[key] = table.alias(f"r{len(self._aliases)}")
            self._join(found, found.c.record_id == record.c.id, key)
        return found

    def _join(self, found: FromClause, on: ColumnElement[bool], key: Shape) -> None:
        self.source = self.source.join(found, on, isouter=key not in self._needed)

    # -- conditions -------------------------------------------------------------------------------------------------------

    def conditions(self, where: Shape | None, words: Shape | None, archived: str) -> list[ColumnElement[bool]]:
        """What the rows must fulfil."""
        found: list[ColumnElement[bool]] = []
        if where is not None:
            found.append(self.condition(where))
        if words is not None:
            entry = SearchEntry.__table__
            found.append(self._entered(self.declared, self.declared.table, *conditions(entry, words, self.value)))
        archived_at = self.declared.table.c.archived_at
        if archived != WITH:
            found.append(archived_at.is_not(None) if archived == ONLY else archived_at.is_(None))
        return found

    def _entered(
        self, declared: DeclaredType, record: FromClause, *holding: ColumnElement[bool]
    ) -> ColumnElement[bool]:
        """Whether the record's entry in the search table fulfils the conditions."""
        entry: Any = SearchEntry.__table__
        kind = entry.c.record_type
        if self.dialect == "sqlite":  # it must not begin with all entries of the type, by their index
            kind = kind.concat("")
        return record.c.id.in_(select(entry.c.record_id).where(kind == declared.name, *holding))

    def condition(self, shape: Shape, negated: bool = False) -> ColumnElement[bool]:
        """The SQL of a shape; a negation goes down to the comparisons, so that NULL never makes one unknown."""
        match shape[0]:
            case "not":
                return self.condition(shape[1], not negated)
            case "all" | "any":
                joined = and_ if (shape[0] == "all") is not negated else or_
                return joined(*(self.condition(part, negated) for part in shape[1:]))
            case _:
                path = self.resolve(shape[1])
                if path.lines is not None or path.field.kind.lined:
                    return self._line_condition(shape, path, negated)
                column, nullable = self.column(path)
                if shape[0] == "null":
                    return column.is_not(None) if negated else column.is_(None)
                holds = self._comparison(shape, path, column)
                if not negated:
                    return holds
                return or_(not_(holds), column.is_(None)) if nullable else not_(holds)

    def _comparison(self, shape: Shape, path: Path, column: ColumnElement[Any]) -> ColumnElement[bool]:
        type_ = column.type
        match shape[0]:
            case "eq":
                return column == self.value(type_)
            case "lt":
                return column < self.value(type_)
            case "lte":
                return column <= self.value(type_)
            case "gt":
                return column > self.value(type_)
            case "gte":
                return column >= self.value(type_)
            case "in":
                return column.in_(self.value(type_, several=True))
            case "between":
                return and_(column >= self.value(type_), column < self.value(type_))
            case "like":
                lowered = func.lower(column)
                return or_(*(lowered.like(self.value(String()), escape="\\") for _n in range(shape[2])))
            case "folded":
                record, entry = self._record(path), SearchEntry.__table__
                found = [self._entered(path.declared, record, holds(entry, self.value(Fragment())))] if shape[2] else []
                key = record.c.search_key.like(self.value(String()), escape="\\")
                exact = func.lower(column).like(self.value(String()), escape="\\")
                return and_(*found, key, or_(exact, self._beyond_ascii(column)))
            case own:
                return path.field.kind.condition(own, column, self.value, self.dialect)

    def _beyond_ascii(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a text holds letters that only the folded search key can compare."""
        if self.dialect == "sqlite":
            return func.length(cast(column, LargeBinary)) != func.length(column)
        return column.regexp_match("[^ -~]")

    def _line_condition(self, shape: Shape, path: Path, negated: bool) -> ColumnElement[bool]:
        """Whether some line of the record fulfils the comparison."""
        record = self._record(path)
        attribute = path.lines or path.field.name
        line: Any = inspect(path.declared.model).relationships[attribute].mapper.class_
        row = line.__table__.alias()
        inner: list[ColumnElement[bool]] = []
        some = shape[0] != "null"
        if shape[0] != "null":
            inner.append(self._comparison(shape, path, row.c[path.column]))
        elif not path.field.kind.lined:
            inner.append(row.c[path.column].is_not(None))
        if some is not negated:  # a database begins with the lines it finds by their own index
            return record.c.id.in_(select(row.c[line.__parent__]).where(*inner))
        return not_(exists().where(row.c[line.__parent__] == record.c.id, *inner).correlate(record))


__all__ = ["Builder", "Shape", "dialect_of", "like", "lower_query", "shapes_of"]
