"""The atoms of a report's groups, computed by the database: a fixed number of statements, however many groups there are.

Counts and sums take one statement; each weight and each field whose values are needed takes one more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, bindparam, case, func, literal, select
from sqlalchemy.exc import DBAPIError

from comptoir.i18n import _
from comptoir.records.query import buckets
from comptoir.records.query.aggregate import Group, read_group, scalar
from comptoir.records.query.compile import Builder, Shape, dialect_of, lower, lower_query, shapes_of
from comptoir.records.query.paths import Path, refuse
from comptoir.records.query.summarised import Figure, Grouping, summarised
from comptoir.records.query.tree import Query
from comptoir.reports.measures import HUNDRED, Atom, Cell
from comptoir.texts import shown

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_CELLS = 50_000
"""Groups and values that one statement may give; beyond that a person reads no figures."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """The groups by their keys, and how many records each currency has."""

    cells: dict[Key, Cell]
    currencies: Counter[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An atom with its fields resolved."""

    atom: Atom
    path: Path | None
    currency: Path | None
    weight: Path | None


def compute(ctx: Context, declared: DeclaredType, query: Query, groups: Sequence[str], atoms: Iterable[Atom]) -> Cells:
    """The atoms of every group of the records that the query leaves and the actor may see."""
    keys = [read_group(ctx, declared, name) for name in groups]
    found = Cells({}, Counter())
    passes: dict[str, list[_Asked]] = defaultdict(list)
    for atom in dict.fromkeys(atoms):
        asked = _resolved(ctx, declared, atom)
        extra = atom.path if atom.operation == "values" else atom.weight
        passes[extra].append(asked)
    for extra, of_pass in sorted(passes.items()):
        _run(ctx, declared, query, keys, extra, of_pass, found)
    return found


def _resolved(ctx: Context, declared: DeclaredType, atom: Atom) -> _Asked:
    if not atom.path:
        return _Asked(atom, None, None, None)
    path = scalar(ctx, declared, atom.path, "measures")
    if not path.field.kind.numeric and atom.operation != "count":
        raise refuse(
            "core.not_a_number", _("{name} is no number that can be summed.", name=shown(path.name)), "measures"
        )
    weight = None
    if atom.weight:
        weight = scalar(ctx, declared, atom.weight, "measures")
        if not weight.field.kind.numeric:
            raise refuse(
                "core.not_a_number", _("{name} is no number that can weigh.", name=shown(weight.name)), "measures"
            )
    return _Asked(atom, path, _currency_of(ctx, declared, path), weight)


def _currency_of(ctx: Context, declared: DeclaredType, path: Path) -> Path | None:
    """The field that says in which currency an amount is."""
    if not path.field.currency:
        return None
    sibling = path.field.currency
    wire = f"{path.key[: -len(path.field.name)]}{sibling}" if not path.steps else ""
    if not path.steps and wire not in path.declared.fields:
        return None
    if path.steps and sibling not in path.declared.fields:
        return None
    return scalar(ctx, declared, path.name[: -len(path.field.path)] + sibling, "measures")


def _run(
    ctx: Context,
    declared: DeclaredType,
    query: Query,
    keys: Sequence[Group],
    extra: str,
    asked: Sequence[_Asked],
    found: Cells,
) -> None:
    extras = {a.currency.name: a.currency for a in asked if a.currency is not None}
    for a in asked:
        path = a.path if a.atom.operation == "values" else a.weight
        if path is not None:
            extras[path.name] = path
    values: list[Any] = []
    where, words = lower_query(ctx, declared, query, values)
    conditions = [lower(ctx, declared, a.atom.where, values) for a in asked]
    try:
        rows = _summarised(ctx, declared, query, where, values, keys, extras, asked, conditions)
        if rows is None:
            rows = _counted(ctx, declared, query, where, words, values, keys, extras, asked, conditions)
    except DBAPIError as error:
        if "integer overflow" not in str(error.orig):
            raise
        raise refuse("core.out_of_range", _("The sum is too large to be computed."), "measures") from None
    if len(rows) > MAX_CELLS:
        raise refuse(
            "core.too_many_groups",
            _("These are more than {limit} groups. Choose a coarser group or a filter.", limit=f"{MAX_CELLS:,}"),
            "rows",
        )
    places = {name: len(keys) + place for place, name in enumerate(extras)}
    first = len(keys) + len(extras)
    plain = ctx.settings.currency
    for row in rows:
        key = tuple(buckets.label(value, g.part) if g.part else value for g, value in zip(keys, row, strict=False))
        cell = found.cells.get(key)
        if cell is None:
            cell = found.cells[key] = Cell()
        for place, a in enumerate(asked, start=first + 1):
            currency = (row[places[a.currency.name]] or plain) if a.currency is not None else ""
            if a.currency is not None and not extra:
                found.currencies[currency] += row[first]
            _gather(cell, a, row, places, currency, row[place])


def _summarised(
    ctx: Context,
    declared: DeclaredType,
    query: Query,
    where: Shape | None,
    values: Sequence[Any],
    keys: Sequence[Group],
    extras: Mapping[str, Path],
    asked: Sequence[_Asked],
    conditions: Sequence[Shape | None],
) -> Sequence[Any] | None:
    wanted = [*(Grouping(group.path, group.part) for group in keys), *map(Grouping, extras.values())]
    figures = [
        Figure(a.path if a.atom.operation != "values" else None, a.atom.operation == "sum", condition)
        for a, condition in zip(asked, conditions, strict=True)
    ]
    return summarised(ctx, declared, query, where, values, wanted, figures, MAX_CELLS + 1)


def _counted(
    ctx: Context,
    declared: DeclaredType,
    query: Query,
    where: Shape | None,
    words: Shape | None,
    values: Sequence[Any],
    keys: Sequence[Group],
    extras: Mapping[str, Path],
    asked: Sequence[_Asked],
    conditions: Sequence[Shape | None],
) -> Sequence[Any]:
    dialect = dialect_of(ctx)
    zone = ctx.timezone if any(g.part and g.path.field.kind.zoned for g in keys) else ZoneInfo("UTC")
    shape = (
        "cells", dialect, zone.key, where, words, query.archived, tuple((g.path.name, g.part) for g in keys),
        tuple(extras), tuple((a.atom.operation, a.path and a.path.name, c) for a, c in zip(asked, conditions, strict=True)),
    )  # fmt: skip
    statement = shapes_of(declared).get(
        shape,
        lambda: _statement(
            Builder(ctx, declared, dialect), where, words, query.archived, keys, list(extras.values()), asked,
            conditions, zone,
        ),
    )  # fmt: skip
    filled = {f"v{number}": value for number, value in enumerate(values)} | {"limit": MAX_CELLS + 1}
    return ctx.session.execute(statement, filled).all()


def _gather(cell: Cell, a: _Asked, row: Any, places: dict[str, int], currency: str, value: Any) -> None:
    atom = a.atom
    if atom.operation == "count" and not atom.path:
        cell.counts[atom] = cell.counts.get(atom, 0) + int(value or 0)
    elif atom.operation == "values":
        assert a.path is not None
        held = row[places[a.path.name]]
        if held is not None and value:
            histogram = cell.values.setdefault(atom, {}).setdefault(currency, {})
            number = Decimal(held)
            histogram[number] = histogram.get(number, 0) + int(value)
    elif value is not None:
        amount = Decimal(value)
        if a.weight is not None:
            factor = Decimal(row[places[a.weight.name]] or 0)
            amount = amount * factor / HUNDRED if a.weight.field.kind.look == "percent" else amount * factor
        sums = cell.sums.setdefault(atom, {})
        sums[currency] = sums.get(currency, Decimal(0)) + amount


def _statement(
    builder: Builder,
    where: Shape | None,
    words: Shape | None,
    archived: str,
    keys: Sequence[Group],
    extras: Sequence[Path],
    asked: Sequence[_Asked],
    conditions: Sequence[Shape | None],
    zone: ZoneInfo,
) -> Select[Any]:
    narrowed = builder.conditions(where, words, archived)
    named: list[ColumnElement[Any]] = []
    for group in keys:
        column, _nullable = builder.column(group.path)
        if group.part is not None:
            column = buckets.bucket(column, group.part, builder.dialect, zone if group.path.field.kind.zoned else None)
        named.append(column.label(f"k{len(named)}"))
    for path in extras:
        named.append(builder.column(path)[0].label(f"k{len(named)}"))
    figures: list[ColumnElement[Any]] = [func.count().label("n")]
    for place, (a, condition) in enumerate(zip(asked, conditions, strict=True)):
        figures.append(_figure(builder, a, condition).label(f"m{place}"))
    statement = select(*named, *figures).select_from(builder.source).where(*narrowed)
    if not named:
        return statement.limit(bindparam("limit", type_=Integer()))
    return statement.group_by(*(key.name for key in named)).limit(bindparam("limit", type_=Integer()))


def _figure(builder: Builder, a: _Asked, condition: Shape | None) -> ColumnElement[Any]:
    holds = builder.condition(condition) if condition is not None else None
    if a.atom.operation != "sum":
        if a.atom.operation == "count" and a.path is not None:
            column, _nullable = builder.column(a.path)
            return func.count(column if holds is None else case((holds, column)))
        return func.count() if holds is None else func.count(case((holds, literal(1, Integer()))))
    assert a.path is not None
    column, _nullable = builder.column(a.path)
    return func.sum(column if holds is None else case((holds, column)))
