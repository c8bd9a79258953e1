"""Operations: what each method of each path asks for and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from comptoir.contributions import Route as Contributed
from comptoir.rest.contributed import describe
from comptoir.rest.openapi.parameters import (
    action_names,
    filter_parameters,
    include_parameter,
    list_parameters,
    parameter,
    shared,
)
from comptoir.rest.openapi.schemas import (
    Json,
    action_body,
    bulk_result,
    component,
    object_of,
    page_schema,
    ref,
    transitions_schema,
)
from comptoir.rest.resources import HISTORY_LIMIT

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.rest.routes import Route


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


def _contributed(route: Route, contributed: Contributed) -> Json:
    found = describe(contributed, route.module)
    found["operationId"] = f"{route.module}.{route.method.lower()}{re.sub('[^a-z0-9]+', '_', contributed.path)}"
    statuses = (400, 401, 403, 404, 413, 415, 422, 500, 503)
    found["responses"] |= {str(status): ref("responses", f"Problem{status}") for status in statuses}
    return found


def operation(route: Route, grants: Grants | None) -> Json:
    """One method of one path."""
    if route.contributed is not None:
        return _contributed(route, route.contributed)
    assert route.resource is not None
    declared = route.resource.declared
    label, plural = str(declared.declaration.label), str(declared.declaration.plural)
    record = ref("schemas", component(declared))
    refusals = [401, 403, 422, 500, 503]
    found: Json = {"tags": [declared.name], "operationId": f"{declared.name}.{route.kind}"}
    one = _success(record, label, tagged=True)
    match route.kind:
        case "list":
            found["summary"] = f"{plural}: list"
            found["parameters"] = list_parameters(declared, grants)
            answers = {"200": _success(page_schema(record), plural)}
        case "aggregate":
            found["summary"] = f"{plural}: counts and sums"
            found["parameters"] = [
                parameter("group", {"type": "string"}, "Field names by comma; of dates also closed_on:month."),
                parameter("measures", {"type": "string"}, "count, amount:sum, amount:avg, amount:min, amount:max."),
                *filter_parameters(declared, grants),
            ]
            answers = {
                "200": _success(object_of({"data": {"type": "array", "items": {"type": "object"}}}, ["data"]), "Groups")
            }
        case "pivot":
            found["summary"] = f"{plural}: rows, columns and measures"
            found["parameters"] = [
                parameter(
                    "rows", {"type": "string"}, "A field name, of dates also closed_on:month; without it only totals."
                ),
                parameter("columns", {"type": "string"}, "A field name as in rows."),
                parameter(
                    "measures",
                    {"type": "string"},
                    "count, amount:sum, amount:avg, amount:median, amount:weighted:probability; several by comma.",
                ),
                parameter("period", {"type": "string"}, "this_month, last_quarter and the like."),
                parameter("date", {"type": "string"}, "The date that lies in the period; the first one without it."),
                parameter("from", {"type": "string", "format": "date"}, "The first day of a period."),
                parameter("to", {"type": "string", "format": "date"}, "The last day of a period."),
                parameter("compare", {"type": "string", "enum": ["1"]}, "Adds the change to the period before."),
                parameter("sort", {"type": "string"}, "A measure, with - the greatest first; or rows."),
                parameter("top", {"type": "integer"}, "So many rows, the others added up."),
                *filter_parameters(declared, grants),
            ]
            answers = {"200": _success(object_of({"data": {"type": "object"}}, ["data"]), "The pivot")}
        case "create":
            found["summary"] = f"{label}: create"
            found["parameters"] = [*include_parameter(declared, grants), *shared("IdempotencyKey")]
            found["requestBody"] = {"required": True, "content": _json(ref("schemas", component(declared, "create")))}
            answers = {"201": _success(record, label, tagged=True, placed=True)}
            refusals += [400, 409, 413, 415]
        case "bulk":
            found["summary"] = f"{plural}: many changes at once, all or none"
            found["parameters"] = shared("IdempotencyKey")
            found["requestBody"] = {"required": True, "content": _json(ref("schemas", component(declared, "bulk")))}
            answers = {"200": _success(bulk_result(), "What was done")}
            refusals += [400, 409, 412, 413, 415, 428]
        case "read":
            found["summary"] = f"{label}: read"
            found["parameters"] = [*include_parameter(declared, grants), *shared("IfNoneMatch")]
            answers = {"200": one, "304": {"description": "The version is the one that If-None-Match names."}}
            refusals += [404]
        case "update":
            found["summary"] = f"{label}: change"
            found["parameters"] = [*include_parameter(declared, grants), *shared("IfMatch")]
            found["requestBody"] = {"required": True, "content": _json(ref("schemas", component(declared, "update")))}
            answers = {"200": one}
            refusals += [400, 404, 409, 412, 413, 415, 428]
        case "delete":
            found["summary"] = f"{label}: delete"
            found["parameters"] = shared("IfMatch")
            answers = {"204": {"description": "Deleted"}}
            refusals += [404, 409, 412, 428]
        case "history" | "timeline" as told:
            of_changes = told == "history"
            found["summary"] = f"{label}: who changed what" if of_changes else f"{label}: what happened with it"
            size: Json = {"type": "integer", "minimum": 1, "maximum": HISTORY_LIMIT}
            cursor: Json = {"type": "integer", "minimum": 1} if of_changes else {"type": "string"}
            found["parameters"] = [
                parameter("page[size]", size, "Entries per page."),
                parameter("page[after]", cursor, "The cursor of the last answer."),
            ]
            answers = {"200": _success(ref("schemas", f"PageOf{told.capitalize()}"), told.capitalize())}
            refusals += [404]
        case "transitions":
            found["summary"] = f"{label}: the moves that are possible now"
            answers = {"200": _success(transitions_schema(), "Moves")}
            refusals += [404]
        case _:
            body: Json = {"type": "object"}
            if route.action is not None:
                body = action_body(route.action, grants)
                found["operationId"] += f".{route.action.name}"
                found["summary"] = f"{label}: {route.action.label}"
            else:
                names = action_names(route.resource)
                found["summary"] = f"{label}: act"
                found["description"] = "The body holds what the action asks for." + (
                    f" Actions: {', '.join(names)}." if names is not None else " See its transitions for the moves."
                )
            found["parameters"] = [*include_parameter(declared, grants), *shared("IfMatch", "IdempotencyKey")]
            found["requestBody"] = {"required": "required" in body, "content": _json(body)}
            answers = {"200": _success({"type": "object"}, "The record, or the one that the action made")}
            refusals += [400, 404, 409, 412, 413, 415, 428]
    found["responses"] = {**answers, **{str(s): ref("responses", f"Problem{s}") for s in sorted(refusals)}}
    return found
