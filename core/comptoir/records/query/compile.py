"""From the tree to SQL: each statement shape is built once and kept, values are filled in when it runs.

A query is first *lowered* to a shape — operators and names without values — and the list of its values.  Shapes are
keys of a cache of statements, so that neither building nor compiling SQL is repeated while people page, type and filter.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
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

from comptoir.db.fields import Kind, fields_of
from comptoir.db.types import fold
from comptoir.i18n import _
from comptoir.records.query.paths import Path, refuse, resolve
from comptoir.records.query.tree import ONLY, WITH, All, Any_, Compare, Filter, Not
from comptoir.records.query.values import ME, MY_TEAMS, check_operator, coerce, day_of, period_bounds, start_of

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

Shape = tuple[Any, ...]
S = TypeVar("S")

KEPT_SHAPES = 256
MAX_WORDS = 10


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


NEGATED = {"ne": "eq", "nin": "in"}


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
    kind = path.field.kind
    if kind is Kind.REFERENCE:
        return _lower_reference(ctx, path, operator, value, values)
    if operator in ("contains", "starts"):
        return _lower_text(path, operator, value, values)
    if operator == "within":
        first, end = period_bounds(ctx.today(), value)
        values += [first, end] if kind is Kind.DATE else [start_of(ctx, first), start_of(ctx, end)]
        return ("between", path.name)
    if kind is Kind.DATE:
        value = tuple(day_of(ctx, v) for v in value) if operator == "in" else day_of(ctx, value)
    elif kind is Kind.MOMENT:
        return _lower_moment(ctx, path, operator, value, values)
    elif path.field.normalise is not None and operator in ("eq", "in"):
        normalise = partial(path.field.normalise, ctx)
        value = tuple(map(normalise, value)) if operator == "in" else normalise(value)
    values.append(list(value) if operator == "in" else value)
    return (operator, path.name)


def _lower_reference(ctx: Context, path: Path, operator: str, value: Any, values: list[Any]) -> Shape:
    given = value if operator == "in" else (value,)
    ids: list[int] = []
    for one in given:
        if one == MY_TEAMS:
            ids += sorted(ctx.actor.team_ids)
        elif one != ME:
            ids.append(one)
        elif ctx.actor.id is not None:
            ids.append(ctx.actor.id)
    if operator == "eq" and len(ids) == 1:
        values.append(ids[0])
        return ("eq", path.name)
    values.append(ids)
    return ("in", path.name)


def _lower_moment(ctx: Context, path: Path, operator: str, value: Any, values: list[Any]) -> Shape:
    """A day stands for all its moments where the actor is: after it means from the next day on."""
    if value == "now":
        value = ctx.now()
    if isinstance(value, dt.datetime):
        values.append(value)
        return (operator, path.name)
    day = day_of(ctx, value)
    begin, end = start_of(ctx, day), start_of(ctx, day + dt.timedelta(days=1))
    if operator == "eq":
        values += [begin, end]
        return ("between", path.name)
    values.append(begin if operator in ("gte", "lt") else end)
    return ({"gt": "gte", "lte": "lt"}.get(operator, operator), path.name)


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
        values += [like(folded, start=start and first), like(folded, start=start)]
        return ("folded", path.name)
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


TEL_ADDRESS = re.compile(r"\s*tel:([^;]*).*\Z", re.IGNORECASE | re.DOTALL)
NUMBER_MARKS = {ord(mark): None for mark in "+()-./"}


def lower_words(text: str, values: list[Any]) -> Shape | None:
    """The shape of a full-text search: every word somewhere in the search key; numbers also without their leading zeros."""
    text = TEL_ADDRESS.sub(r"\1", text.replace("\x00", " "))
    words = fold(text).split()
    if not words:
        return None
    if len(words) > MAX_WORDS:
        raise refuse("core.too_many_words", _("Look for at most {limit} words.", limit=MAX_WORDS), "q")
    if len(number := "".join(words).translate(NUMBER_MARKS)) >= 6 and number.isdecimal() and number.isascii():
        words = ["".join(words)]  # a telephone number as people write it
    shape = []
    for word in words:
        spellings = {word}
        # from abroad the zero in brackets is not dialled, except in Italy
        for written in {word, word.replace("(0)", "")}:
            bare = written.translate(NUMBER_MARKS)
            if bare.isdecimal() and bare.isascii() and len(bare) >= 6:
                spellings |= {bare, bare.lstrip("0") or bare}
        values += [like(spelling) for spelling in sorted(spellings)]
        shape.append(len(spellings))
    return tuple(shape)


# -- building -----------------------------------------------------------------------------------------------------------


class Builder:
    """Collects the joins that the columns of one statement need; numbers its values as lowering did."""

    def __init__(self, ctx: Context, declared: DeclaredType, dialect: str) -> None:
        self.ctx = ctx
        self.declared = declared
        self.dialect = dialect
        self.source: FromClause = declared.table
        self._aliases: dict[Shape, FromClause] = {(): declared.table}
        self._needed: set[Shape] = set()
        self._numbers = count()

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
        key = self.declared.table.c.search_key
        found += [
            or_(*(key.like(self.value(String()), escape="\\") for _n in range(spellings))) for spellings in words or ()
        ]
        archived_at = self.declared.table.c.archived_at
        if archived != WITH:
            found.append(archived_at.is_not(None) if archived == ONLY else archived_at.is_(None))
        return found

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
                if path.lines is not None or path.field.kind is Kind.LINES:
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
            case _:  # folded
                key = self._record(path).c.search_key.like(self.value(String()), escape="\\")
                exact = func.lower(column).like(self.value(String()), escape="\\")
                return and_(key, or_(exact, self._beyond_ascii(column)))

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
        elif path.field.kind is not Kind.LINES:
            inner.append(row.c[path.column].is_not(None))
        if some is not negated:  # a database begins with the lines it finds by their own index
            return record.c.id.in_(select(row.c[line.__parent__]).where(*inner))
        return not_(exists().where(row.c[line.__parent__] == record.c.id, *inner).correlate(record))


__all__ = ["Builder", "Shape", "dialect_of", "like", "lower", "lower_words", "shapes_of"]
