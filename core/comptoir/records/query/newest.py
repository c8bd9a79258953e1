"""The newest records of several types as one list, read in one statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Select, bindparam, cast, literal, null, select, union_all

from comptoir.records.query.compile import Builder, Shape, dialect_of, lower, shapes_of
from comptoir.records.query.paths import Path, resolve
from comptoir.records.query.tree import WITHOUT, Filter

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

AT = ""
"""The key of the moment among the columns; no field has it for a name."""


@dataclass(frozen=True, slots=True)
class Strand:
    """The records of one type in such a list: which, the field that dates them, and those that are shown."""

    declared: DeclaredType
    where: Filter | None
    moment: str
    fields: Sequence[str]


def newest(
    ctx: Context, strands: Sequence[Strand], size: int
) -> list[tuple[DeclaredType, dt.datetime, dict[str, Any]]]:
    """The newest records that the actor may see, with type, moment and fields; of one moment in the order of the strands."""
    if not strands:
        return []
    values: list[Any] = []
    wheres = tuple(lower(ctx, strand.declared, strand.where, values) for strand in strands)
    paths = [
        {AT: resolve(ctx, s.declared, s.moment, "fields")}
        | {name: resolve(ctx, s.declared, name, "fields") for name in ("id", *s.fields)}
        for s in strands
    ]
    dialect = dialect_of(ctx)
    shown = tuple(
        (s.declared.name, *((n, p.name) for n, p in of.items())) for s, of in zip(strands, paths, strict=True)
    )
    statement, places = shapes_of(strands[0].declared).get(
        ("newest", dialect, shown, wheres), lambda: _statement(ctx, strands, wheres, paths, dialect)
    )
    filled = {f"v{number}": value for number, value in enumerate(values)}
    found = []
    for row in ctx.session.execute(statement, {**filled, "size": size}):
        shown_in = {name: row[place] for name, place in places[row[0]].items()}
        found.append((strands[row[0]].declared, shown_in.pop(AT), shown_in))
    return found


def _statement(
    ctx: Context,
    strands: Sequence[Strand],
    wheres: Sequence[Shape | None],
    paths: Sequence[Mapping[str, Path]],
    dialect: str,
) -> tuple[Select[Any], list[dict[str, int]]]:
    """Each type's newest by its own index, and of these the newest; and where each strand finds its fields in a row.

    Types share a column where they call a field alike and it is of one type; elsewhere theirs is empty.
    """
    numbers: Iterator[int] = count()
    size = bindparam("size", type_=Integer())
    builders = [Builder(ctx, strand.declared, dialect, numbers) for strand in strands]
    held = [
        {
            (AT, "") if name == AT else (name, repr(column.type)): column
            for name, column in ((name, builder.column(path)[0]) for name, path in of.items())
        }
        for builder, of in zip(builders, paths, strict=True)
    ]
    types = {key: column.type for of in held for key, column in of.items()}
    order = {key: place for place, key in enumerate(types, start=1)}
    parts = []
    for number, (builder, where, of) in enumerate(zip(builders, wheres, held, strict=True)):
        cells = [of.get(key, cast(null(), type_)).label(f"c{order[key]}") for key, type_ in types.items()]
        own = {name: column for (name, _type), column in of.items()}
        part = (
            select(literal(number, Integer()).label("strand"), *cells)
            .where(*builder.conditions(where, None, WITHOUT))
            .select_from(builder.source)
            .order_by(own[AT].desc(), own["id"].desc())
            .limit(size)
        )
        parts.append(select(part.subquery()))
    found = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()
    at = found.c[f"c{order[AT, '']}"]
    id_ = found.c[f"c{next(place for (name, _type), place in order.items() if name == 'id')}"]
    statement = select(found).order_by(at.desc(), found.c.strand, id_.desc()).limit(size)
    return statement, [{name: order[name, type_] for name, type_ in of} for of in held]
