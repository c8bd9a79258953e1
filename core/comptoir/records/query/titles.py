"""Names of the records that rows refer to: one statement for each table, however many rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, inspect, select

from comptoir.kinds import Field
from comptoir.records.query.compile import shapes_of
from comptoir.records.query.paths import OPEN_TABLES, resolve

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

CHUNK = 500


def titles(ctx: Context, references: Mapping[str, Collection[int]]) -> dict[str, dict[int, str]]:
    """Titles by table (or record type) and id; what the actor may not see, or what is gone, is missing."""
    found: dict[str, dict[int, str]] = {}
    for table, ids in references.items():
        target = ctx.registry.target_of(table)
        if target is None or not ids:
            found[table] = {}
            continue
        readable = table in OPEN_TABLES or ctx.actor.grants.scope(target.permission("read")) is not None
        found[table] = _titles(ctx, target, sorted(ids)) if readable else {}
    return found


def _titles(ctx: Context, target: DeclaredType, ids: list[int]) -> dict[int, str]:
    title = target.title
    if title in target.hidden_fields(ctx.actor.grants):
        title = "id"

    def build() -> Select[Any]:
        key = inspect(target.model).column_attrs[title].columns[0].key
        columns = target.table.c
        return select(columns.id, columns[key]).where(columns.id.in_(bindparam("ids", expanding=True)))

    statement = shapes_of(target).get(("titles", title), build)
    found: dict[int, str] = {}
    for start in range(0, len(ids), CHUNK):
        for record_id, name in ctx.session.execute(statement, {"ids": ids[start : start + CHUNK]}):
            named = title != "id" and name
            found[record_id] = str(name) if named else f"{target.declaration.label} {record_id}"
    return found


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
