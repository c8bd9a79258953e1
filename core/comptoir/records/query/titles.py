"""Names of the records that rows refer to: one statement, however many rows of however many tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CompoundSelect,
    Integer,
    Select,
    String,
    bindparam,
    cast,
    inspect,
    literal,
    null,
    select,
    union_all,
)

from comptoir.kinds import Field
from comptoir.records.query.compile import shapes_of
from comptoir.records.query.paths import OPEN_TABLES, resolve

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

CHUNK = 500


def titles(ctx: Context, references: Mapping[str, Collection[int]]) -> dict[str, dict[int, str]]:
    """Titles by table (or record type) and id; what the actor may not see, or what is gone, is missing."""
    found: dict[str, dict[int, str]] = {table: {} for table in references}
    left = {}
    for table, ids in references.items():
        target = ctx.registry.target_of(table)
        may_read = target is not None and (
            table in OPEN_TABLES or ctx.actor.grants.scope(target.permission("read")) is not None
        )
        if may_read and ids:
            left[table] = (target, sorted(ids))
    while left:
        asked = [(table, target, ids[:CHUNK]) for table, (target, ids) in left.items()]
        chosen = tuple((target, _shown_title(ctx, target)) for _table, target, _ids in asked)
        shape = ("titles", *((target.name, title) for target, title in chosen))
        statement = shapes_of(chosen[0][0]).get(shape, partial(_statement, chosen))
        filled = {f"ids{number}": ids for number, (_table, _target, ids) in enumerate(asked)}
        for number, record_id, name in ctx.session.execute(statement, filled):
            table, target, _ids = asked[number]
            found[table][record_id] = str(name) if name else f"{target.declaration.label} {record_id}"
        left = {table: (target, ids[CHUNK:]) for table, (target, ids) in left.items() if len(ids) > CHUNK}
    return found


def _shown_title(ctx: Context, target: DeclaredType) -> str:
    """The field of a type's titles; its id, which names nothing, where the reader may not see that field."""
    return "id" if target.title in target.hidden_fields(ctx.actor.grants) else target.title


def _statement(chosen: Sequence[tuple[DeclaredType, str]]) -> Select[Any] | CompoundSelect[Any]:
    """The titles of each type, with its place among them."""
    parts = []
    for number, (target, title) in enumerate(chosen):
        columns = target.table.c
        column = columns[inspect(target.model).column_attrs[title].columns[0].key]
        name = column if isinstance(column.type, String) else cast(null() if title == "id" else column, String)
        wanted = columns.id.in_(bindparam(f"ids{number}", expanding=True))
        parts.append(select(literal(number, Integer()).label("place"), columns.id, name.label("title")).where(wanted))
    return union_all(*parts) if len(parts) > 1 else parts[0]


def references_of(ctx: Context, declared: DeclaredType, rows: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """The ids that rows refer to, by table: what `titles` takes. Rows of lists and of aggregates alike."""
    found: dict[str, set[int]] = defaultdict(set)
    fields: dict[str, Field | None] = {}
    for row in rows:
        for key, value in row.items():
            if key not in fields:
                fields[key] = None if ":" in key or key == "count" else resolve(ctx, declared, key).field
            field = fields[key]
            referred = field.kind.refers_to(field, value) if field is not None and value is not None else None
            if referred is not None:
                found[referred[0]].add(referred[1])
    return dict(found)
