"""The API described for people: the OpenAPI document of this generation as a page, without scripts."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response

from comptoir.i18n import _
from comptoir.rest import routes
from comptoir.rest.blueprint import DOCUMENT_PATH
from comptoir.rest.openapi import build_document
from comptoir.web.frame import page
from comptoir.web.models.api import ApiDocsPage, ApiGroup, ApiOperation, ApiParameter
from comptoir.web.session import Visit, visited

pages = Blueprint("api_docs", __name__)
Json = dict[str, Any]


@pages.get("/api/docs")
@visited
def docs(visit: Visit) -> Response:
    """What the API of the enabled modules offers, by record type."""
    registry = visit.registry
    return page("api_docs.html", _reader(build_document(registry, routes(registry))), crumbs=[_("API")])


def _reader(document: Json) -> ApiDocsPage:
    """Operations by record type, then the schemas."""
    groups = []
    for tag in document["tags"]:
        operations = tuple(
            _operation(document, path, method, operation, item.get("parameters", []))
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters" and tag["name"] in operation["tags"]
        )
        groups.append(ApiGroup(f"{tag['description']} ({tag['name']})", _anchor(tag["name"]), operations))
    schemas = tuple(
        (name, _anchor("schema", name), _text(schema)) for name, schema in document["components"]["schemas"].items()
    )
    info = document["info"]
    return ApiDocsPage(info["title"], info["version"], info["description"], DOCUMENT_PATH, tuple(groups), schemas)


def _anchor(*parts: str) -> str:
    return "-".join(parts).replace(".", "-")


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _operation(document: Json, path: str, method: str, operation: Json, shared: list[Json]) -> ApiOperation:
    parameters = [_resolved(document, p) for p in [*shared, *operation.get("parameters", [])]]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return ApiOperation(
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        anchor=_anchor(operation["operationId"]),
        parameters=tuple(
            ApiParameter(p["name"], p["in"], _type(p["schema"]), bool(p.get("required")), p.get("description", ""))
            for p in parameters
        ),
        body=_text(body) if body is not None else "",
        answers=tuple(
            (status, _resolved(document, answer)["description"]) for status, answer in operation["responses"].items()
        ),
    )


def _resolved(document: Json, value: Json) -> Json:
    """The component that a reference names, or the value itself."""
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    resolved: Json = found
    return resolved


def _type(schema: Json) -> str:
    kind = schema.get("type", "")
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
