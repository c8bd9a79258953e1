"""The OpenAPI 3.1 description of exactly what a generation serves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from comptoir import __version__
from comptoir.access.permissions import ADMINISTER
from comptoir.contributions import Route as Contributed
from comptoir.db.fields import Field
from comptoir.db.workflow import Workflow
from comptoir.kinds import MAX_ID
from comptoir.records.declared import DeclaredType
from comptoir.rest.bulk import LIMIT, OPERATIONS
from comptoir.rest.contributed import describe
from comptoir.rest.problems import MEDIA_TYPE, TITLES
from comptoir.rest.represent import PLAIN
from comptoir.rest.resources import HISTORY_LIMIT, Resource
from comptoir.rest.schemas import LINES_LIMIT, line_fields
from comptoir.rest.security import PATH as SECURITY_PATH
from comptoir.rest.security import description as describe_security

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.registry.registry import Registry
    from comptoir.rest.routes import Route

Json = dict[str, Any]
DESCRIPTION = """\
Every record type of the enabled modules. Send `Authorization: Bearer TOKEN`; the token acts for its user.

Lists filter by `filter[field]=value` and `filter[field][operator]=value`, follow references by a dot
(`filter[contact.city]=Cluj`), group by `filter[or][0][…]` and negate by `filter[not][…]`. They sort by
`sort=-amount,name`, cut to `fields=name,amount`, and page by `page[size]`, `page[number]` or `page[after]`.

Amounts are decimal texts, days and moments ISO 8601. Errors are problem details (RFC 9457) with messages by field.
"""


def build_document(registry: Registry, table: Iterable[Route], grants: Grants | None = None) -> Json:
    """The description as the holder of these grants may know it, without them the whole, as a value for JSON."""
    paths: dict[str, Json] = {}
    schemas: Json = {"Problem": _problem_schema(), "Reference": _reference_schema(), "Change": _change_schema()}
    schemas["PageOfHistory"] = _parts_of(_ref("schemas", "Change"))
    schemas["PageOfTimeline"] = _parts_of(_happening_schema())
    seen: set[str] = set()
    for route in table:
        if route.resource is not None and route.resource.declared.name not in seen:
            seen.add(route.resource.declared.name)
            schemas.update(_schemas_of(route.resource.declared, grants))
        item = paths.setdefault(route.path, {})
        if "{" in route.path and "parameters" not in item:
            item["parameters"] = _path_parameters(route)
        item[route.method.lower()] = _operation(route, grants)
    if grants is None or grants.scope(ADMINISTER) is not None:
        paths[SECURITY_PATH] = describe_security()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Comptoir", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [
            {"name": declared.name, "description": str(declared.declaration.plural)}
            for declared in registry.record_types.values()
        ]
        + ([{"name": "core", "description": "Platform"}] if SECURITY_PATH in paths else []),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {f"Problem{status}": _problem_response(status) for status in TITLES},
            "parameters": _shared_parameters(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "comptoir",
                    "description": "The browser session; unsafe methods also send its token as X-CSRF-Token.",
                },
            },
        },
    }  # fmt: skip


# -- schemas ------------------------------------------------------------------------------------------------------------


def _component(declared: DeclaredType, purpose: str = "") -> str:
    return declared.name + (f".{purpose}" if purpose else "")


def _ref(kind: str, name: str) -> Json:
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


def _object(properties: Mapping[str, Json], required: Iterable[str] = (), *, closed: bool = False) -> Json:
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
        own[module] = _object(inner_fields, closed=writing)
    return own


def _lines(described: Field, grants: Grants | None, *, writing: bool) -> Json:
    inner = line_fields(described.line, grants)
    required = [name for name, field in inner.items() if field.required and field.default is None] if writing else []
    line = _object(
        {name: field_schema(field, writing=writing) for name, field in inner.items()}, required, closed=writing
    )
    found: Json = {"type": "array", "items": line, "title": str(described.label)}
    if writing:
        found["maxItems"] = LINES_LIMIT
    return found


def _schemas_of(declared: DeclaredType, grants: Grants | None) -> Json:
    plain: Json = {
        "id": {"type": "integer", "minimum": 1},
        "version": {"type": "integer", "minimum": 1},
        "created_by": {"type": ["integer", "null"]},
        "updated_by": {"type": ["integer", "null"]},
    }
    read = {**plain, **_properties(declared, grants, writing=False)}
    for path, name in _includable(declared, grants).items():
        read[path] = {
            "anyOf": [_ref("schemas", "Reference"), {"type": "null"}],
            "description": f"With include={path}: {name}.",
        }
    write = _properties(declared, grants, writing=True)
    required = [
        name
        for name, described in declared.visible_fields(grants).items()
        if "." not in name and described.required and described.default is None and not described.server
    ]
    label = str(declared.declaration.label)
    version = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1, "title": "Version"}
    create = _object(write, required, closed=True)
    update = _object({**write, "version": version}, closed=True)
    return {
        _component(declared): {**_object(read), "title": label},
        _component(declared, "create"): {**create, "title": f"{label}: new"},
        _component(declared, "update"): {**update, "title": f"{label}: change"},
        _component(declared, "bulk"): _bulk_schema(declared),
    }


def _includable(declared: DeclaredType, grants: Grants | None) -> dict[str, str]:
    visible = declared.visible_fields(grants)
    return {described.path: name for name, described in declared.references() if "." not in name and name in visible}


def _bulk_schema(declared: DeclaredType) -> Json:
    number = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    version = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}

    def step(op: Json, more: Json, required: list[str]) -> Json:
        return _object({"op": op, **more}, ["op", *required], closed=True)

    operation = {
        "oneOf": [
            step({"const": "create"}, {"values": _ref("schemas", _component(declared, "create"))}, ["values"]),
            step(
                {"const": "update"},
                {"id": number, "version": version, "values": _ref("schemas", _component(declared, "update"))},
                ["id", "values"],
            ),
            step({"enum": ["delete", "archive", "restore"]}, {"id": number, "version": version}, ["id"]),
        ]
    }
    listed = {"type": "array", "items": operation, "minItems": 1, "maxItems": LIMIT}
    return _object({"operations": listed}, ["operations"], closed=True)


def _problem_schema() -> Json:
    return _object(
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


def _reference_schema() -> Json:
    return _object(
        {"id": {"type": "integer"}, "title": {"type": "string"}, "url": {"type": "string"}}, ["id", "title", "url"]
    )


def _change_schema() -> Json:
    return _object(
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


def _happening_schema() -> Json:
    return _object(
        {
            "at": {"type": "string", "format": "date-time"},
            "change": {"anyOf": [_ref("schemas", "Change"), {"type": "null"}]},
            "type": {"type": ["string", "null"], "description": "The type of the record that is about it."},
            "record": {"type": ["object", "null"], "description": "What that record tells, as far as it may be read."},
        },
        ["at", "change", "type", "record"],
    )


def _parts_of(entry: Json) -> Json:
    """A list that goes on behind a cursor."""
    page = _object({"size": {"type": "integer"}, "next": {"type": ["string", "null"]}}, ["size", "next"])
    return _object(
        {"data": {"type": "array", "items": entry}, "meta": _object({"page": page}, ["page"])}, ["data", "meta"]
    )


# -- parameters -----------------------------------------------------------------------------------------------------------


def _parameter(name: str, schema: Json, description: str, place: str = "query") -> Json:
    return {"name": name, "in": place, "schema": schema, "description": description}


def _shared_parameters() -> Json:
    return {
        "Text": _parameter("q", {"type": "string", "maxLength": 200}, "Words to look for in the searchable fields."),
        "Archived": _parameter(
            "archived", {"type": "string", "enum": ["without", "only", "with"]}, "What to do with archived records."
        ),
        "Size": _parameter(
            "page[size]", {"type": "integer", "minimum": 1, "maximum": 500}, "Records per page; 80 without it."
        ),
        "Number": _parameter("page[number]", {"type": "integer", "minimum": 1}, "The page, from 1."),
        "After": _parameter("page[after]", {"type": "string"}, "The cursor of the last answer (meta.page.next)."),
        "IfMatch": _parameter(
            "If-Match",
            {"type": "string"},
            "The ETag of the version that was read; 412 when there is a newer one.",
            "header",
        ),
        "IfNoneMatch": _parameter("If-None-Match", {"type": "string"}, "304 when the version is this one.", "header"),
        "IdempotencyKey": _parameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            "Sent again with the same key, the request does its work once and answers alike.",
            "header",
        ),
    }


def _path_parameters(route: Route) -> list[Json]:
    found: list[Json] = [
        {
            "name": "id", "in": "path", "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_ID}, "description": "The number of the record.",
        }
    ]  # fmt: skip
    if route.contributed is not None:
        parts = [name for name in re.findall(r"\{(\w+)\}", route.path) if name != "id"]
        texts = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parts]
        return [*(found if "{id}" in route.path else ()), *texts]
    if "{action}" in route.path:
        assert route.resource is not None
        names = action_names(route.resource)
        schema: Json = {"type": "string", "enum": names} if names is not None else {"type": "string"}
        found.append({"name": "action", "in": "path", "required": True, "schema": schema, "description": "What to do."})
    return found


def action_names(resource: Resource) -> list[str] | None:
    """The actions of a resource that are known beforehand; None where stages are rows of a table."""
    workflow = resource.workflow
    if workflow is not None and type(workflow) is not Workflow:
        return None
    moves = workflow.transitions(None) if workflow is not None else ()
    return list(dict.fromkeys(["archive", "restore", *resource.actions, *(move.name for move in moves)]))


def _names_parameter(name: str, known: Iterable[str], description: str, *, most: int, dotted: bool = False) -> Json:
    """A list of names by comma; ``dotted`` ones may follow references."""
    items: Json = {"enum": list(known)}
    if dotted:
        items = {"anyOf": [items, {"type": "string", "pattern": r"^-?[a-z_]+(\.[a-z_]+){1,4}$"}]}
    schema = {"type": "array", "items": items, "maxItems": most, "uniqueItems": True}
    return {**_parameter(name, schema, description), "style": "form", "explode": False}


def _include_parameter(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    known = _includable(declared, grants)
    description = "References whose objects stand beside their ids."
    return [_names_parameter("include", known, description, most=len(known))] if known else []


def _list_parameters(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    visible = declared.visible_fields(grants)
    lines = [name for name, described in visible.items() if described.kind.lined]
    names = [*PLAIN, *(name for name in visible if name not in lines), *lines]
    sortable = [name[: -len(described.name)] + described.path for name, described in visible.items() if described.sorts]
    orders = [sign + name for name in sortable for sign in ("", "-")]
    return [
        _names_parameter("sort", orders, "Fields; a minus before a name turns its order.", most=5, dotted=True),
        _names_parameter("fields", names, "Fields; without it all but lines.", most=100, dotted=True),
        *_include_parameter(declared, grants),
        *_shared("Text", "Archived", "Size", "Number", "After"),
        *_filter_parameters(declared, grants),
    ]


def _filter_parameters(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    found = []
    for name, described in declared.visible_fields(grants).items():
        if described.kind.lined:
            assert described.line is not None
            prefix = name
            inner = {f"{prefix}.{f.path}": f for f in line_fields(described.line, grants).values()}
        else:
            inner = {name[: -len(described.name)] + described.path: described}
        for path, field in inner.items():
            operators = ", ".join(field.operators)
            if not operators:
                continue
            found.append(
                _parameter(
                    f"filter[{path}]", field.kind.filter_schema(field), f"{field.label}. Operators: {operators}."
                )
            )
    return found


# -- operations -----------------------------------------------------------------------------------------------------------


def _problem_response(status: int) -> Json:
    return {"description": str(TITLES[status]), "content": {MEDIA_TYPE: {"schema": _ref("schemas", "Problem")}}}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _success(schema: Json, text: str, *, tagged: bool = False, placed: bool = False) -> Json:
    found: Json = {"description": text, "content": _json(schema)}
    headers: Json = {}
    if tagged:
        headers["ETag"] = {"schema": {"type": "string"}, "description": "The version of the record."}
    if placed:
        headers["Location"] = {"schema": {"type": "string"}, "description": "Where the record is."}
    if headers:
        found["headers"] = headers
    return found


def _shared(*names: str) -> list[Json]:
    return [_ref("parameters", name) for name in names]


def _contributed(route: Route, contributed: Contributed) -> Json:
    found = describe(contributed, route.module)
    found["operationId"] = f"{route.module}.{route.method.lower()}{re.sub('[^a-z0-9]+', '_', contributed.path)}"
    statuses = (400, 401, 403, 404, 413, 415, 422, 500, 503)
    found["responses"] |= {str(status): _ref("responses", f"Problem{status}") for status in statuses}
    return found


def _operation(route: Route, grants: Grants | None) -> Json:
    if route.contributed is not None:
        return _contributed(route, route.contributed)
    assert route.resource is not None
    declared = route.resource.declared
    label, plural = str(declared.declaration.label), str(declared.declaration.plural)
    record = _ref("schemas", _component(declared))
    refusals = [401, 403, 422, 500, 503]
    found: Json = {"tags": [declared.name], "operationId": f"{declared.name}.{route.kind}"}
    one = _success(record, label, tagged=True)
    match route.kind:
        case "list":
            found["summary"] = f"{plural}: list"
            found["parameters"] = _list_parameters(declared, grants)
            answers = {"200": _success(_page_schema(record), plural)}
        case "aggregate":
            found["summary"] = f"{plural}: counts and sums"
            found["parameters"] = [
                _parameter("group", {"type": "string"}, "Field names by comma; of dates also closed_on:month."),
                _parameter("measures", {"type": "string"}, "count, amount:sum, amount:avg, amount:min, amount:max."),
                *_filter_parameters(declared, grants),
            ]
            answers = {
                "200": _success(_object({"data": {"type": "array", "items": {"type": "object"}}}, ["data"]), "Groups")
            }
        case "pivot":
            found["summary"] = f"{plural}: rows, columns and measures"
            found["parameters"] = [
                _parameter(
                    "rows", {"type": "string"}, "A field name, of dates also closed_on:month; without it only totals."
                ),
                _parameter("columns", {"type": "string"}, "A field name as in rows."),
                _parameter(
                    "measures",
                    {"type": "string"},
                    "count, amount:sum, amount:avg, amount:median, amount:weighted:probability; several by comma.",
                ),
                _parameter("period", {"type": "string"}, "this_month, last_quarter and the like."),
                _parameter("date", {"type": "string"}, "The date that lies in the period; the first one without it."),
                _parameter("from", {"type": "string", "format": "date"}, "The first day of a period."),
                _parameter("to", {"type": "string", "format": "date"}, "The last day of a period."),
                _parameter("compare", {"type": "string", "enum": ["1"]}, "Adds the change to the period before."),
                _parameter("sort", {"type": "string"}, "A measure, with - the greatest first; or rows."),
                _parameter("top", {"type": "integer"}, "So many rows, the others added up."),
                *_filter_parameters(declared, grants),
            ]
            answers = {"200": _success(_object({"data": {"type": "object"}}, ["data"]), "The pivot")}
        case "create":
            found["summary"] = f"{label}: create"
            found["parameters"] = [*_include_parameter(declared, grants), *_shared("IdempotencyKey")]
            found["requestBody"] = {"required": True, "content": _json(_ref("schemas", _component(declared, "create")))}
            answers = {"201": _success(record, label, tagged=True, placed=True)}
            refusals += [400, 409, 413, 415]
        case "bulk":
            found["summary"] = f"{plural}: many changes at once, all or none"
            found["parameters"] = _shared("IdempotencyKey")
            found["requestBody"] = {"required": True, "content": _json(_ref("schemas", _component(declared, "bulk")))}
            answers = {"200": _success(_bulk_result(), "What was done")}
            refusals += [400, 409, 412, 413, 415, 428]
        case "read":
            found["summary"] = f"{label}: read"
            found["parameters"] = [*_include_parameter(declared, grants), *_shared("IfNoneMatch")]
            answers = {"200": one, "304": {"description": "The version is the one that If-None-Match names."}}
            refusals += [404]
        case "update":
            found["summary"] = f"{label}: change"
            found["parameters"] = [*_include_parameter(declared, grants), *_shared("IfMatch")]
            found["requestBody"] = {"required": True, "content": _json(_ref("schemas", _component(declared, "update")))}
            answers = {"200": one}
            refusals += [400, 404, 409, 412, 413, 415, 428]
        case "delete":
            found["summary"] = f"{label}: delete"
            found["parameters"] = _shared("IfMatch")
            answers = {"204": {"description": "Deleted"}}
            refusals += [404, 409, 412, 428]
        case "history" | "timeline" as told:
            of_changes = told == "history"
            found["summary"] = f"{label}: who changed what" if of_changes else f"{label}: what happened with it"
            size: Json = {"type": "integer", "minimum": 1, "maximum": HISTORY_LIMIT}
            cursor: Json = {"type": "integer", "minimum": 1} if of_changes else {"type": "string"}
            found["parameters"] = [
                _parameter("page[size]", size, "Entries per page."),
                _parameter("page[after]", cursor, "The cursor of the last answer."),
            ]
            answers = {"200": _success(_ref("schemas", f"PageOf{told.capitalize()}"), told.capitalize())}
            refusals += [404]
        case "transitions":
            found["summary"] = f"{label}: the moves that are possible now"
            answers = {"200": _success(_transitions_schema(), "Moves")}
            refusals += [404]
        case _:
            names = action_names(route.resource)
            found["summary"] = f"{label}: act"
            found["description"] = "The body holds what the action asks for." + (
                f" Actions: {', '.join(names)}." if names is not None else " See its transitions for the moves."
            )
            found["parameters"] = [*_include_parameter(declared, grants), *_shared("IfMatch", "IdempotencyKey")]
            found["requestBody"] = {"required": False, "content": _json({"type": "object"})}
            answers = {"200": _success({"type": "object"}, "The record, or the one that the action made")}
            refusals += [400, 404, 409, 412, 413, 415, 428]
    found["responses"] = {**answers, **{str(s): _ref("responses", f"Problem{s}") for s in sorted(refusals)}}
    return found


def _page_schema(record: Json) -> Json:
    page = _object(
        {"size": {"type": "integer"}, "number": {"type": ["integer", "null"]}, "next": {"type": ["string", "null"]}},
        ["size", "number", "next"],
    )
    meta = _object(
        {"total": {"type": ["integer", "null"]}, "capped": {"type": "boolean"}, "page": page}, ["total", "page"]
    )
    return _object({"data": {"type": "array", "items": record}, "meta": meta}, ["data", "meta"])


def _bulk_result() -> Json:
    result = _object(
        {"op": {"enum": list(OPERATIONS)}, "id": {"type": "integer"}, "version": {"type": "integer"}}, ["op", "id"]
    )
    return _object({"data": {"type": "array", "items": result}, "meta": {"type": "object"}}, ["data", "meta"])


def _transitions_schema() -> Json:
    ask = _object({"name": {"type": "string"}, "label": {"type": "string"}, "kind": {"type": "string"}}, ["name"])
    move = _object(
        {
            "name": {"type": "string"}, "label": {"type": "string"}, "target": {"type": "string"},
            "asks": {"type": "array", "items": ask},
        },
        ["name", "label", "target", "asks"],
    )  # fmt: skip
    return _object({"data": {"type": "array", "items": move}}, ["data"])


__all__ = ["PLAIN", "action_names", "build_document", "field_schema"]
