"""Grouped figures answered from the summaries of a record type, where one of them knows everything that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true

from comptoir.access.guard import Everything, Own
from comptoir.access.guard import Team as OfTeam
from comptoir.context import unrestricted
from comptoir.db.summary import ALL, BEGINNINGS, OWN, TEAM, Summary, SummaryRow, ready_summaries, text_of
from comptoir.records.query import buckets
from comptoir.records.query.compile import Shape
from comptoir.records.query.paths import Path, resolve
from comptoir.records.query.tree import WITHOUT, Query

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

_table: Any = SummaryRow.__table__


@dataclass(frozen=True, slots=True)
class Grouping:
    """What to group by: a path, and the part of a date."""

    path: Path
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """How many records, or of a field how many values or their ``sum``; only of records that fulfil ``condition``."""

    path: Path | None = None
    is_sum: bool = False
    condition: Shape | None = None


class _Unknown(Exception):
    """The summary cannot tell."""


def summarised(
    ctx: Context,
    declared: DeclaredType,
    query: Query,
    where: Shape | None,
    values: Sequence[Any],
    keys: Sequence[Grouping],
    figures: Sequence[Figure],
    limit: int,
) -> list[tuple[Any, ...]] | None:
    """The keys, the number of records and the figures of each group; None where only the records themselves can tell.

    ``values`` are those of ``where`` and then of the conditions in their order.
    """
    summaries = declared.declaration.summaries
    if not summaries or query.text or query.archived != WITHOUT:
        return None
    reach = _reach(ctx, declared)
    if reach is None:
        return None
    session = unrestricted(ctx, "summaries")
    for summary in summaries:
        try:
            columns, conditions, measured = _Asking(ctx, declared, summary, iter(values)).asked(where, keys, figures)
        except _Unknown:
            continue
        if summary.name not in ctx.once(("summaries", declared.name), lambda: ready_summaries(session, declared.name)):
            continue
        number = func.sum(_table.c.records)
        statement = select(*columns, func.coalesce(number, 0), *measured).where(
            _table.c.record_type == declared.name, _table.c.summary == summary.name, reach, *conditions
        )
        if columns:
            statement = statement.group_by(*columns).having(number != 0)
        rows = session.execute(statement.limit(limit)).all()
        return [_read(row, keys, figures) for row in rows]
    return None


def _reach(ctx: Context, declared: DeclaredType) -> ColumnElement[bool] | None:
    """The rows that stand for what the actor may see; None where a rule decides by more than owner and team."""
    rule: Any = Everything()
    if not ctx.actor.is_system:
        rule = ctx.session.get_bind().policy.rule_of(declared.table.name).read  # type: ignore[union-attr]
    me, teams = ctx.actor.id, list(ctx.actor.team_ids)
    everyone: ColumnElement[bool] = _table.c.reach == ALL
    own = and_(_table.c.reach == OWN, _table.c.owner_id == me)
    match rule:
        case Everything():
            return everyone
        case Own("owner_id"):
            return own
        case OfTeam("owner_id", "team_id"):
            of_teams = and_(_table.c.reach == TEAM, _table.c.team_id.in_(teams))
            return or_(of_teams, and_(own, _table.c.team_id.not_in(teams)))
    return None


class _Asking:
    """One question put to one summary; raises `_Unknown` where it does not know a field, or not as finely as it is asked."""

    def __init__(self, ctx: Context, declared: DeclaredType, summary: Summary, values: Iterator[Any]) -> None:
        self._ctx, self._declared, self._summary, self._values = ctx, declared, summary, values
        self._left = summary.among is None

    def asked(
        self, where: Shape | None, keys: Sequence[Grouping], figures: Sequence[Figure]
    ) -> tuple[list[Any], list[ColumnElement[bool]], list[ColumnElement[Any]]]:
        """The columns to group by, what rows must fulfil, and what is summed up."""
        conditions = [self._condition(where, at_top=True)] if where is not None else []
        if not self._left:
            raise _Unknown
        return [self._key(key.path, key.part) for key in keys], conditions, [self._figure(f) for f in figures]

    def _key(self, path: Path, part: str | None) -> ColumnElement[Any]:
        if path.steps or path.extension is not None or path.lines is not None:
            raise _Unknown
        name = f"{path.column}:{part}" if part else path.column
        if name not in self._summary.keys:
            raise _Unknown
        return _table.c[f"k{self._summary.keys.index(name)}"]  # type: ignore[no-any-return]

    def _figure(self, figure: Figure) -> ColumnElement[Any]:
        holds = self._condition(figure.condition) if figure.condition is not None else true()

        def total(column: Any) -> Any:
            return func.sum(column if figure.condition is None else case((holds, column)), type_=column.type)

        if figure.path is None:
            return func.coalesce(total(_table.c.records), 0)
        path = figure.path
        if path.steps or path.extension is not None or path.column not in self._summary.sums:
            raise _Unknown
        place = self._summary.sums.index(path.column)
        number = total(_table.c[f"c{place}"])
        if not figure.is_sum:
            return func.coalesce(number, 0)
        return case((number != 0, total(_table.c[f"s{place}"])))

    def _condition(self, shape: Shape, *, at_top: bool = False) -> ColumnElement[bool]:
        match shape:
            case ("all", *parts):
                return and_(*(self._condition(part, at_top=at_top) for part in parts))
            case ("eq" | "in" as operator, name):
                path, value = self._path(name), next(self._values)
                column = self._key(path, None)
                wanted = value if operator == "in" else (value,)
                if at_top and self._summary.among is not None and path.column == self._summary.among[0]:
                    self._left |= set(wanted) <= set(self._summary.among[1])
                return column.in_(list(map(text_of, wanted)))
            case ("gte" | "lt" as operator, name):
                column, (edge,) = self._parts(name, 1)
                return column >= edge if operator == "gte" else and_(column < edge, column != "")
            case ("between", name):
                column, (first, after) = self._parts(name, 2)
                return and_(column >= first, column < after)
        raise _Unknown

    def _path(self, name: str) -> Path:
        return resolve(self._ctx, self._declared, name)

    def _parts(self, name: str, number: int) -> tuple[ColumnElement[bool], list[str]]:
        """The months or weeks of a date, and of these the ones that begin with the next so many values."""
        path, days = self._path(name), [next(self._values) for _place in range(number)]
        for part, begins in BEGINNINGS.items():
            if f"{path.column}:{part}" in self._summary.keys and all(map(begins, days)):
                return self._key(path, part), [text_of(buckets.label(day, part)) for day in days]
        raise _Unknown


def _read(row: Any, keys: Sequence[Grouping], figures: Sequence[Figure]) -> tuple[Any, ...]:
    width = len(keys)
    values = [_value(text, key) for text, key in zip(row, keys, strict=False)]
    return (*values, row[width], *(_whole(cell, f) for cell, f in zip(row[width + 1 :], figures, strict=True)))


def _value(text: str, key: Grouping) -> Any:
    """A key as the column itself would give it."""
    if not text:
        return None
    read: Callable[[str], Any] = str if key.part else key.path.field.kind.python_type
    return read(text[1:])


def _whole(cell: Any, figure: Figure) -> Any:
    if cell is None or figure.path is None or figure.path.field.kind.python_type is Decimal:
        return cell
    return int(cell)
