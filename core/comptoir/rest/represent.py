"""Records as JSON objects: own fields flat, an extension's under its module, references as ids with the object beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from comptoir.db.record import Record
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Field
from comptoir.records import query as queries
from comptoir.records.declared import DeclaredType
from comptoir.records.history import as_json
from comptoir.records.query.paths import resolve
from comptoir.reports import Answer, Figure
from comptoir.rest.schemas import line_fields

if TYPE_CHECKING:
    from comptoir.context import Context

PLAIN = ("id", "version", "created_by", "updated_by")
"""What every object holds besides the declared fields."""


def included(ctx: Context, declared: DeclaredType, text: str) -> dict[str, str]:
    """The references that ``include=contact,owner`` names: wire name by name of the object."""
    known = {
        described.path: name
        for name, described in declared.references()
        if "." not in name and name not in declared.hidden_fields(ctx.actor.grants)
    }
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        if part not in known:
            raise RuleViolation(
                "core.unknown_include",
                _(
                    "There is no reference “{name}” here. Known: {known}.",
                    name=part[:60],
                    known=", ".join(known) or "–",
                ),
                field="include",
            )
        found[part] = known[part]
    return found


def record_object(ctx: Context, record: Record, *, is_new: bool = False) -> dict[str, Any]:
    """Everything of a record that the actor may read."""
    declared = ctx.registry.record_type(type(record))
    hidden = declared.hidden_fields(ctx.actor.grants)
    found: dict[str, Any] = {name: getattr(record, name) for name in PLAIN}
    for name, described in declared.fields.items():
        if name in hidden or "." in name:
            continue
        if not described.kind.lined:
            found[name] = _on_wire(described, getattr(record, name))
            continue
        # the lines of a new record that were never touched are none; asking would be a query
        lines = () if is_new and name not in record.__dict__ else getattr(record, name)
        inner = line_fields(described.line, ctx.actor.grants)
        found[name] = [
            {"id": line.id, **{key: _on_wire(field, getattr(line, key)) for key, field in inner.items()}}
            for line in lines
        ]
    for extension in declared.extensions:
        row = extension.with_defaults(record) if is_new and not _holds(record, extension) else record.ext(extension)
        for name, described in declared.fields.items():
            module, _dot, inner_name = name.rpartition(".")
            if module and name not in hidden and declared.extension_of(module) is extension:
                found.setdefault(module, {})[described.name or inner_name] = _on_wire(
                    described, getattr(row, inner_name)
                )
    return found


def _on_wire(described: Field, value: Any) -> Any:
    return value if described.kind.plain or value is None else described.kind.to_json(value)


def _holds(record: Record, extension: type[Any]) -> bool:
    return extension in record.__dict__.get("_extensions", {})


def objects_of(ctx: Context, declared: DeclaredType, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a query with dotted names nested; rows without any are used as they are."""
    dotted = [name for name in rows[0] if "." in name] if rows else []
    written = [
        (name, described)
        for name in (rows[0] if rows else ())
        if name not in PLAIN and not (described := resolve(ctx, declared, name).field).kind.plain
    ]
    for row in rows if written else ():
        for name, described in written:
            row[name] = _on_wire(described, row[name])
    for row in rows if dotted else ():
        for name in dotted:
            value = row.pop(name)
            target = row
            *path, last = name.split(".")
            for step in path:
                target = target.setdefault(step, {})
            target[last] = value
    return list(rows)


def add_included(
    ctx: Context, declared: DeclaredType, objects: Iterable[dict[str, Any]], include: Mapping[str, str]
) -> None:
    """Put ``{id, title, url}`` of the named references beside their ids; one query per table that they point at."""
    if not include:
        return
    objects = list(objects)
    wanted: dict[str, set[int]] = {}
    for wire in include.values():
        ids = {row[wire] for row in objects if row.get(wire) is not None}
        wanted.setdefault(str(declared.fields[wire].target), set()).update(ids)
    titles = queries.titles(ctx, {table: ids for table, ids in wanted.items() if ids})
    for path, wire in include.items():
        table = str(declared.fields[wire].target)
        target = ctx.registry.target_of(table)
        known = titles.get(table, {})
        for row in objects:
            referred = row.get(wire)
            shown = None
            if referred is not None and referred in known and target is not None:
                shown = {"id": referred, "title": known[referred], "url": f"{target.api_path}/{referred}"}
            held = row.get(path)
            row[path] = {**shown, **held} if shown is not None and isinstance(held, dict) else shown


def pivot_object(answer: Answer) -> dict[str, Any]:
    """A pivot: figures by the names of the measures, amounts by currency, and of each row the filter of its records."""

    def figures(found: Mapping[str, Figure]) -> dict[str, Any]:
        return {
            name: {code: as_json(amount) for code, amount in figure.items()} if isinstance(figure, Mapping)
            else as_json(figure)
            for name, figure in found.items()
        }  # fmt: skip

    return {
        "currency": answer.currency,
        "measures": [{"name": m.name, "label": str(m.label)} for m in answer.pivot.measures],
        "columns": [{"key": heading.key, "label": heading.label} for heading in answer.headings],
        "rows": [
            {
                "key": line.key,
                "label": line.label,
                "others": line.is_others,
                "figures": figures(line.figures),
                "cells": [figures(cell) for cell in line.cells],
                "filter": dict(queries.to_pairs(line.drill)),
            }
            for line in answer.lines
        ],
        "totals": figures(answer.totals),
        "column_totals": [figures(found) for found in answer.column_totals],
    }
