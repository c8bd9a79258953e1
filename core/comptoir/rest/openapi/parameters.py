"""Parameters: what the paths and queries of operations take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from comptoir.db.workflow import Workflow
from comptoir.kinds import MAX_ID
from comptoir.records.declared import DeclaredType
from comptoir.rest.openapi.schemas import Json, includable, ref
from comptoir.rest.represent import PLAIN
from comptoir.rest.resources import Resource
from comptoir.rest.schemas import line_fields

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.rest.routes import Route


def parameter(name: str, schema: Json, description: str, place: str = "query") -> Json:
    """A parameter of an operation."""
    return {"name": name, "in": place, "schema": schema, "description": description}


def shared_parameters() -> Json:
    """The parameters that several operations take, by the names of their components."""
    return {
        "Text": parameter("q", {"type": "string", "maxLength": 200}, "Words to look for in the searchable fields."),
        "Archived": parameter(
            "archived", {"type": "string", "enum": ["without", "only", "with"]}, "What to do with archived records."
        ),
        "Size": parameter(
            "page[size]", {"type": "integer", "minimum": 1, "maximum": 500}, "Records per page; 80 without it."
        ),
        "Number": parameter("page[number]", {"type": "integer", "minimum": 1}, "The page, from 1."),
        "After": parameter("page[after]", {"type": "string"}, "The cursor of the last answer (meta.page.next)."),
        "IfMatch": parameter(
            "If-Match",
            {"type": "string"},
            "The ETag of the version that was read; 412 when there is a newer one.",
            "header",
        ),
        "IfNoneMatch": parameter("If-None-Match", {"type": "string"}, "304 when the version is this one.", "header"),
        "IdempotencyKey": parameter(
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            "Sent again with the same key, the request does its work once and answers alike.",
            "header",
        ),
    }


def path_parameters(route: Route) -> list[Json]:
    """What stands in braces in a path."""
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
    return {**parameter(name, schema, description), "style": "form", "explode": False}


def include_parameter(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    """The references of a record type to read along; none where it has none."""
    known = includable(declared, grants)
    description = "References whose objects stand beside their ids."
    return [_names_parameter("include", known, description, most=len(known))] if known else []


def list_parameters(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    """What a list takes."""
    visible = declared.visible_fields(grants)
    lines = [name for name, described in visible.items() if described.kind.lined]
    names = [*PLAIN, *(name for name in visible if name not in lines), *lines]
    sortable = [name[: -len(described.name)] + described.path for name, described in visible.items() if described.sorts]
    orders = [sign + name for name in sortable for sign in ("", "-")]
    return [
        _names_parameter("sort", orders, "Fields; a minus before a name turns its order.", most=5, dotted=True),
        _names_parameter("fields", names, "Fields; without it all but lines.", most=100, dotted=True),
        *include_parameter(declared, grants),
        *shared("Text", "Archived", "Size", "Number", "After"),
        *filter_parameters(declared, grants),
    ]


def filter_parameters(declared: DeclaredType, grants: Grants | None) -> list[Json]:
    """A filter for every field and every field of a line."""
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
                parameter(f"filter[{path}]", field.kind.filter_schema(field), f"{field.label}. Operators: {operators}.")
            )
    return found


def shared(*names: str) -> list[Json]:
    """Pointers to `shared_parameters`."""
    return [ref("parameters", name) for name in names]
