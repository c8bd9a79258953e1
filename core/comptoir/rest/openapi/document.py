"""The OpenAPI 3.1 description of exactly what a generation serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from comptoir import __version__
from comptoir.access.permissions import ADMINISTER
from comptoir.rest.openapi.operations import operation
from comptoir.rest.openapi.parameters import path_parameters, shared_parameters
from comptoir.rest.openapi.schemas import (
    Json,
    change_schema,
    happening_schema,
    parts_of,
    problem_response,
    problem_schema,
    ref,
    reference_schema,
    schemas_of,
)
from comptoir.rest.problems import TITLES
from comptoir.rest.security import PATH as SECURITY_PATH
from comptoir.rest.security import description as describe_security

if TYPE_CHECKING:
    from comptoir.access.permissions import Grants
    from comptoir.registry.registry import Registry
    from comptoir.rest.routes import Route


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
    schemas: Json = {"Problem": problem_schema(), "Reference": reference_schema(), "Change": change_schema()}
    schemas["PageOfHistory"] = parts_of(ref("schemas", "Change"))
    schemas["PageOfTimeline"] = parts_of(happening_schema())
    seen: set[str] = set()
    for route in table:
        if route.resource is not None and route.resource.declared.name not in seen:
            seen.add(route.resource.declared.name)
            schemas.update(schemas_of(route.resource.declared, grants))
        item = paths.setdefault(route.path, {})
        if "{" in route.path and "parameters" not in item:
            item["parameters"] = path_parameters(route)
        item[route.method.lower()] = operation(route, grants)
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
            "responses": {f"Problem{status}": problem_response(status) for status in TITLES},
            "parameters": shared_parameters(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "comptoir",
                    "description": "The browser session; unsafe methods also send its token as X-CSRF-Token.",
                },
            },
        },
    }  # fmt: skip
