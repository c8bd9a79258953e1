"""Schemas: what records, problems and answers look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from comptoir.db.fields import Field
from comptoir.kinds import MAX_ID
from comptoir.records.declared import DeclaredType
from comptoir.rest.bulk import LIMIT, OPERATIONS
from comptoir.rest.problems import MEDIA_TYPE, TITLES
from comptoir.rest.schemas import LINES_LIMIT, line_fields

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.contributions import Action

Json = dict[str, Any]
VERSION: Json = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1, "title": "Version"}


def component(declared: DeclaredType, purpose: str = "") -> str:
    """The name of a schema of a record type: ``sales.deal.create``."""
    return declared.name + (f".{purpose}" if purpose else "")


def ref(kind: str, name: str) -> Json:
    """A pointer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def field_schema(declared: Field, *, writing: bool) -> Json:
    """The JSON type of one field."""
    schema: Json = declared.kind.schema(declared, writing=writing)
    if not writing or not (declared.required or declared.kind.never_null):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    schema["title"] = str(declared.label)
    if declared.help is not None:
        schema["description"] = str(declared.help)
    return schema


def object_of(properties: Mapping[str, Json], required: Iterable[str] = (), *, closed: bool = False) -> Json:
    """The schema of an object; a ``closed`` one has no other members."""
    found: Json = {"type": "object", "properties": dict(properties)}
    names = list(required)
    if names:
        found["required"] = names
    if closed:
        found["additionalProperties"] = False
    return found


def _properties(declared: DeclaredType, grants: Grants | None, *, writing: bool) -> Json:
    own: Json = {}
    by_module: dict[str, Json] = {}
    for name, described in declared.visible_fields(grants).items():
        if writing and described.server:
            continue
        module, _dot, inner = name.rpartition(".")
        target = by_module.setdefault(module, {}) if module else own
        if described.kind.lined:
            target[inner] = _lines(described, grants, writing=writing)
        else:
            target[inner] = field_schema(described, writing=writing)
    for module, inner_fields in by_module.items():
        own[module] = object_of(inner_fields, closed=writing)
    return own


def _lines(described: Field, grants: Grants | None, *, writing: bool) -> Json:
    inner = line_fields(described.line, grants)
    required = [name for name, field in inner.items() if field.required and field.default is None] if writing else []
    number: Json = {"type": ["integer", "null"] if writing else "integer", "minimum": 1, "maximum": MAX_ID}
    fields = {name: field_schema(field, writing=writing) for name, field in inner.items()}
    line = object_of({"id": number, **fields}, required, closed=writing)
    found: Json = {"type": "array", "items": line, "title": str(described.label)}
    if writing:
        found["maxItems"] = LINES_LIMIT
    return found


def schemas_of(declared: DeclaredType, grants: Grants | None) -> Json:
    """What a record type reads, creates, changes and takes in bulk."""
    plain: Json = {
        "id": {"type": "integer", "minimum": 1},
        "version": {"type": "integer", "minimum": 1},
        "created_by": {"type": ["integer", "null"]},
        "updated_by": {"type": ["integer", "null"]},
    }
    read = {**plain, **_properties(declared, grants, writing=False)}
    for path, name in includable(declared, grants).items():
        read[path] = {
            "anyOf": [ref("schemas", "Reference"), {"type": "null"}],
            "description": f"With include={path}: {name}.",
        }
    write = _properties(declared, grants, writing=True)
    required = [
        name
        for name, described in declared.visible_fields(grants).items()
        if "." not in name and described.required and described.default is None and not described.server
    ]
    label = str(declared.declaration.label)
    create = object_of(write, required, closed=True)
    update = object_of({**write, "version": VERSION}, closed=True)
    return {
        component(declared): {**object_of(read), "title": label},
        component(declared, "create"): {**create, "title": f"{label}: new"},
        component(declared, "update"): {**update, "title": f"{label}: change"},
        component(declared, "bulk"): _bulk_schema(declared),
    }


def action_body(action: Action, grants: Grants | None) -> Json:
    """What an action asks for."""
    asked = action.asked(grants)
    required = [name for name, described in asked.items() if described.required and described.default is None]
    inputs = {name: field_schema(described, writing=True) for name, described in asked.items()}
    return {**object_of({**inputs, "version": VERSION}, required, closed=True), "title": str(action.label)}


def includable(declared: DeclaredType, grants: Grants | None) -> dict[str, str]:
    """The references that ``include`` may name, by their paths."""
    visible = declared.visible_fields(grants)
    return {described.path: name for name, described in declared.references() if "." not in name and name in visible}


def _bulk_schema(declared: DeclaredType) -> Json:
    number = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    version = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}

    def step(op: Json, more: Json, required: list[str]) -> Json:
        return object_of({"op": op, **more}, ["op", *required], closed=True)

    operation = {
        "oneOf": [
            step({"const": "create"}, {"values": ref("schemas", component(declared, "create"))}, ["values"]),
            step(
                {"const": "update"},
                {"id": number, "version": version, "values": ref("schemas", component(declared, "update"))},
                ["id", "values"],
            ),
            step({"enum": ["delete", "archive", "restore"]}, {"id": number, "version": version}, ["id"]),
        ]
    }
    listed = {"type": "array", "items": operation, "minItems": 1, "maxItems": LIMIT}
    return object_of({"operations": listed}, ["operations"], closed=True)


def problem_schema() -> Json:
    """Problem details, RFC 9457."""
    return object_of(
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
            "current": {"type": "object"},
            "number": {"type": "string"},
        },
        ["type", "title", "status", "detail"],
    )


def reference_schema() -> Json:
    """A record that another one points at."""
    return object_of(
        {"id": {"type": "integer"}, "title": {"type": "string"}, "url": {"type": "string"}}, ["id", "title", "url"]
    )


def change_schema() -> Json:
    """An entry of the history."""
    return object_of(
        {
            "id": {"type": "integer"},
            "action": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "user_id": {"type": ["integer", "null"]},
            "actor": {"type": "string"},
            "changes": {
                "type": "object",
                "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2},
                "description": "By field: the value before and the value after.",
            },
        },
        ["id", "action", "at", "actor", "changes"],
    )


def happening_schema() -> Json:
    """An entry of the timeline."""
    return object_of(
        {
            "at": {"type": "string", "format": "date-time"},
            "change": {"anyOf": [ref("schemas", "Change"), {"type": "null"}]},
            "type": {"type": ["string", "null"], "description": "The type of the record that is about it."},
            "record": {"type": ["object", "null"], "description": "What that record tells, as far as it may be read."},
        },
        ["at", "change", "type", "record"],
    )


def parts_of(entry: Json) -> Json:
    """A list that goes on behind a cursor."""
    page = object_of({"size": {"type": "integer"}, "next": {"type": ["string", "null"]}}, ["size", "next"])
    return object_of(
        {"data": {"type": "array", "items": entry}, "meta": object_of({"page": page}, ["page"])}, ["data", "meta"]
    )


def page_schema(record: Json) -> Json:
    """A page of a list."""
    page = object_of(
        {"size": {"type": "integer"}, "number": {"type": ["integer", "null"]}, "next": {"type": ["string", "null"]}},
        ["size", "number", "next"],
    )
    meta = object_of(
        {"total": {"type": ["integer", "null"]}, "capped": {"type": "boolean"}, "page": page}, ["total", "page"]
    )
    return object_of({"data": {"type": "array", "items": record}, "meta": meta}, ["data", "meta"])


def bulk_result() -> Json:
    """What each step of a bulk request did."""
    result = object_of(
        {"op": {"enum": list(OPERATIONS)}, "id": {"type": "integer"}, "version": {"type": "integer"}}, ["op", "id"]
    )
    return object_of({"data": {"type": "array", "items": result}, "meta": {"type": "object"}}, ["data", "meta"])


def transitions_schema() -> Json:
    """The moves of a record."""
    ask = object_of({"name": {"type": "string"}, "label": {"type": "string"}, "kind": {"type": "string"}}, ["name"])
    move = object_of(
        {
            "name": {"type": "string"}, "label": {"type": "string"}, "target": {"type": "string"},
            "asks": {"type": "array", "items": ask},
        },
        ["name", "label", "target", "asks"],
    )  # fmt: skip
    return object_of({"data": {"type": "array", "items": move}}, ["data"])


def problem_response(status: int) -> Json:
    """The answer of a refusal."""
    return {"description": str(TITLES[status]), "content": {MEDIA_TYPE: {"schema": ref("schemas", "Problem")}}}
