"""The API described for people: the OpenAPI document of this generation as a page, without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response

from comptoir.i18n import _
from comptoir.rest import routes
from comptoir.rest.openapi import build_document
from comptoir.web.frame import page
from comptoir.web.session import current_visit
from comptoir.web.view_models import ApiDocsPage, ApiGroup, ApiOperation, ApiParameter

pages = Blueprint("api_docs", __name__)

METHODS = ("get", "post", "patch", "put", "delete")


@pages.get("/api/docs")
def docs() -> Response:
    """What the API of the enabled modules offers, by record type."""
    ctx = current_visit().context
    document = build_document(ctx.registry, routes(ctx.registry), ctx.actor.grants)
    groups: dict[str, list[ApiOperation]] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                made = _operation(method, path, item[method], item.get("parameters", []))
                groups.setdefault((item[method].get("tags") or ["core"])[0], []).append(made)
    facts = document.get("info", {})
    model = ApiDocsPage(
        str(facts.get("title", "API")),
        str(facts.get("version", "")),
        str(facts.get("description", "")),
        "/api/v1/openapi.json",
        tuple(ApiGroup(name, "g-" + _anchor(name), tuple(found)) for name, found in groups.items()),
        tuple(
            (name, "s-" + _anchor(name), json.dumps(schema, indent=2, ensure_ascii=False))
            for name, schema in document.get("components", {}).get("schemas", {}).items()
        ),
    )
    return page("api_docs.html", model, crumbs=[_("API")])


def _anchor(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)


def _operation(method: str, path: str, found: Mapping[str, Any], shared: list[Mapping[str, Any]]) -> ApiOperation:
    body = found.get("requestBody", {}).get("content", {})
    schema = next((content.get("schema", {}) for content in body.values()), None)
    return ApiOperation(
        method.upper(),
        path,
        str(found.get("summary", "")),
        str(found.get("description", "")),
        f"o-{method}-{_anchor(path)}",
        tuple(_parameters([*shared, *found.get("parameters", [])])),
        json.dumps(schema, indent=2, ensure_ascii=False) if schema else "",
        tuple(
            (str(status), str(answer.get("description", ""))) for status, answer in found.get("responses", {}).items()
        ),
    )


def _parameters(found: list[Mapping[str, Any]]) -> Iterator[ApiParameter]:
    for parameter in found:
        if "name" not in parameter:
            continue
        kind = parameter.get("schema", {}).get("type", "")
        yield ApiParameter(
            str(parameter["name"]),
            str(parameter.get("in", "")),
            ", ".join(kind) if isinstance(kind, list) else str(kind),
            bool(parameter.get("required")),
            str(parameter.get("description", "")),
        )
