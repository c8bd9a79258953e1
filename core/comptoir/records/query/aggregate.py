"""Counts, sums and averages of the records that the actor may see, in groups or as the totals of a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from comptoir.i18n import _
from comptoir.records.query import buckets
from comptoir.records.query.compile import Builder, Shape, dialect_of, lower_query, shapes_of
from comptoir.records.query.paths import Path, refuse, resolve, unknown
from comptoir.records.query.summarised import Grouping, summarised
from comptoir.records.query.tree import WITHOUT, Filter, Query
from comptoir.texts import shown

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_GROUPS = 5_000
MAX_KEYS = 5
MAX_MEASURES = 20
PLACES = Decimal("0.0001")

SUMMING = ("sum", "avg")
MEASURES = ("count", "count_distinct", "min", "max", *SUMMING)


@dataclass(frozen=True, slots=True)
class Group:
    """One key to group by: a path, and the part of a date."""

    name: str
    path: Path
    part: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: what is computed of which field; the count of all rows has no field."""

    name: str
    operation: str
    path: Path | None


def aggregate(
    ctx: Context,
    declared: DeclaredType,
    where: Filter | Query | None = None,
    group: Sequence[str] = (),
    measures: Sequence[str] = ("count",),
    *,
    archived: str = WITHOUT,
) -> list[dict[str, Any]]:
    """One dictionary for each group, by the names asked for, in the order of the groups with the empty one last.

    ``group`` takes paths (``stage``, ``team.parent``) and parts of dates (``closed_on:month``, days in the actor's zone);
    ``measures`` takes ``count`` and ``<path>:sum|avg|min|max|count|count_distinct``.  Amounts are exact; a mean is rounded
    to four places.  References come as ids: `titles` names them.
    """
    groups = [read_group(ctx, declared, name) for name in _several(group, MAX_KEYS, "group")]
    figures = [_read_measure(ctx, declared, name) for name in _several(measures, MAX_MEASURES, "measures")]
    query = where if isinstance(where, Query) else Query(where=where, archived=archived)
    rows = _execute(ctx, declared, query, groups, figures)
    found = [
        {
            **{g.name: buckets.label(key, g.part) if g.part else key for g, key in zip(groups, row, strict=False)},
            **_figures(figures, row[len(groups) :]),
        }
        for row in rows
    ]
    found.sort(key=lambda row: [(row[g.name] is None, 0 if row[g.name] is None else row[g.name]) for g in groups])
    return found


def totals(ctx: Context, declared: DeclaredType, query: Query, names: Iterable[str]) -> dict[str, Any]:
    """The sums of these fields over all rows of a query, and their exact number as ``count``; one statement."""
    asked = list(names)
    figures = [Measure("count", "count", None), *(_read_measure(ctx, declared, f"{name}:sum") for name in asked)]
    (row,) = _execute(ctx, declared, query, [], figures)
    found = _figures(figures, row)
    return {"count": found["count"], **{name: found[f"{name}:sum"] for name in asked}}


# -- reading names ------------------------------------------------------------------------------------------------------


def _several(names: Sequence[str], limit: int, parameter: str) -> list[str]:
    found = list(dict.fromkeys([names] if isinstance(names, str) else names))
    if len(found) > limit:
        raise refuse("core.too_many_names", _("Give at most {limit} names.", limit=limit), parameter)
    return found


def read_group(ctx: Context, declared: DeclaredType, text: str) -> Group:
    """What a name such as ``stage`` or ``closed_on:month`` groups by; a violation of ``group`` where it cannot."""
    name, separator, part = text.partition(":")
    path = scalar(ctx, declared, name, "group")
    if not path.field.kind.groups:
        raise refuse("core.not_groupable", _("Records cannot be grouped by {name}.", name=shown(name)), "group")
    if not separator:
        if path.field.kind.zoned:
            raise refuse(
                "core.part_missing",
                _("Say by which part of the time: {name}:day, week, month, quarter or year.", name=shown(name)),
                "group",
            )
        return Group(text, path, None)
    if not path.field.kind.dated or part not in buckets.PARTS:
        known = buckets.PARTS if path.field.kind.dated else ()
        raise unknown("core.unknown_part", _("part"), part, known, "group")
    return Group(text, path, part)


def _read_measure(ctx: Context, declared: DeclaredType, text: str) -> Measure:
    if text == "count":
        return Measure(text, "count", None)
    name, _separator, operation = text.partition(":")
    path = scalar(ctx, declared, name, "measures")
    if operation not in MEASURES:
        raise unknown("core.unknown_measure", _("measure"), operation, MEASURES, "measures")
    if operation in SUMMING and not path.field.kind.numeric:
        raise refuse("core.not_a_number", _("{name} is no number that can be summed.", name=shown(name)), "measures")
    if operation in ("min", "max") and not path.field.kind.ordered:
        raise refuse("core.not_ordered", _("{name} has no least and no greatest.", name=shown(name)), "measures")
    return Measure(text, operation, path)


def scalar(ctx: Context, declared: DeclaredType, name: str, parameter: str) -> Path:
    """A path that has one value for each record."""
    path = resolve(ctx, declared, name, parameter)
    if path.lines is not None or path.field.kind.lined:
        raise refuse("core.not_a_column", _("{name} has several values for one record.", name=shown(name)), parameter)
    if path.field.computed is not None:
        raise refuse("core.not_a_column", _("{name} is computed and kept nowhere.", name=shown(name)), parameter)
    return path


# -- the statement ------------------------------------------------------------------------------------------------------


def _execute(
    ctx: Context, declared: DeclaredType, query: Query, groups: Sequence[Group], figures: Sequence[Measure]
) -> Sequence[Any]:
    values: list[Any] = []
    where, words = lower_query(ctx, declared, query, values)
    if [figure.name for figure in figures] == ["count"]:
        keys = [Grouping(group.path, group.part) for group in groups]
        rows = summarised(ctx, declared, query, where, values, keys, [], MAX_GROUPS + 1)
        if rows is not None:
            return _limited(rows)
    dialect = dialect_of(ctx)
    zone = ctx.timezone if any(g.part and g.path.field.kind.zoned for g in groups) else ZoneInfo("UTC")
    shape = (
        "aggregate",
        dialect,
        zone.key,
        where,
        words,
        query.archived,
        tuple((g.path.name, g.part) for g in groups),
        tuple((f.operation, f.path.name if f.path is not None else None) for f in figures),
    )
    statement = shapes_of(declared).get(
        shape,
        lambda: _statement(Builder(ctx, declared, dialect), where, words, query.archived, groups, figures, zone),
    )
    filled = {f"v{number}": value for number, value in enumerate(values)}
    if groups:
        filled["limit"] = MAX_GROUPS + 1
    try:
        return _limited(ctx.session.execute(statement, filled).all())
    except DBAPIError as error:
        if "integer overflow" not in str(error.orig):
            raise
        raise refuse("core.out_of_range", _("The sum is too large to be computed."), "measures") from None


def _limited(rows: Sequence[Any]) -> Sequence[Any]:
    if len(rows) > MAX_GROUPS:
        raise refuse(
            "core.too_many_groups",
            _("These are more than {limit} groups. Choose a coarser group or a filter.", limit=f"{MAX_GROUPS:,}"),
            "group",
        )
    return rows


def _statement(
    builder: Builder,
    where: Shape | None,
    words: Shape | None,
    archived: str,
    groups: Sequence[Group],
    figures: Sequence[Measure],
    zone: ZoneInfo,
) -> Select[Any]:
    conditions = builder.conditions(where, words, archived)
    keys: list[ColumnElement[Any]] = []
    for group in groups:
        column, _nullable = builder.column(group.path)
        if group.part is not None:
            column = buckets.bucket(column, group.part, builder.dialect, zone if group.path.field.kind.zoned else None)
        keys.append(column.label(f"k{len(keys)}"))
    columns = [column for figure in figures for column in _cells(builder, figure)]
    # the keys are named once, below: values within them would otherwise make two expressions of one
    names = [column.label(f"m{place}") for place, column in enumerate(columns)]
    statement = select(*keys, *names).select_from(builder.source).where(*conditions)
    if not keys:
        return statement
    return statement.group_by(*(key.name for key in keys)).limit(bindparam("limit", type_=Integer()))


def _cells(builder: Builder, figure: Measure) -> list[ColumnElement[Any]]:
    if figure.path is None:
        return [func.count()]
    column, _nullable = builder.column(figure.path)
    match figure.operation:
        case "count":
            return [func.count(column)]
        case "count_distinct":
            return [func.count(column.distinct())]
        case "sum":
            return [func.sum(column)]
        case "avg":
            return [func.sum(column), func.count(column)]
        case "min":
            return [func.min(column)]
        case _:
            return [func.max(column)]


def _figures(figures: Sequence[Measure], cells: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest = iter(cells)
    for figure in figures:
        path = figure.path
        whole = path is not None and path.field.kind.python_type is int
        if figure.operation == "sum":
            total = next(rest)
            found[figure.name] = int(total or 0) if whole else (total if total is not None else Decimal(0))
        elif figure.operation == "avg":
            total, number = next(rest), next(rest)
            mean = (Decimal(total) / number).quantize(PLACES, rounding=ROUND_HALF_EVEN) if number else None
            found[figure.name] = mean
        else:
            found[figure.name] = next(rest)
    return found
