"""The API as a Flask blueprint with explicit rules: what a generation does not have is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.rest.call import Answer, Call, Desk
from comptoir.rest.openapi import build_document
from comptoir.rest.problems import problem_of
from comptoir.rest.routes import PREFIX, Route, routes
from comptoir.rest.schemas import LARGEST_ID
from comptoir.rest.wire import dump

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
DOCUMENT_PATH = f"{PREFIX}/openapi.json"


def create_blueprint(deployment: Deployment, registry: Registry) -> Blueprint:
    """The API of one generation, to be registered by the application without a prefix."""
    blueprint = Blueprint("api", __name__)
    desk = Desk(deployment, registry)
    table = routes(registry)
    by_path: dict[str, dict[str, Route]] = {}
    for route in [*table, _document_route(registry, table)]:
        by_path.setdefault(route.path, {})[route.method] = route
    for position, (path, methods) in enumerate(by_path.items()):
        blueprint.add_url_rule(
            _rule(path), f"r{position}", _view(desk, methods), methods=METHODS, provide_automatic_options=False
        )
    blueprint.add_url_rule(f"{PREFIX}/", "absent", _absent, methods=METHODS, provide_automatic_options=False)
    blueprint.add_url_rule(
        f"{PREFIX}/<path:anything>", "absent_below", _absent, methods=METHODS, provide_automatic_options=False
    )
    return blueprint


def _rule(path: str) -> str:
    # a converter of werkzeug would fail on a number of thousands of digits, and answer in HTML on a text
    return path.replace("{id}", "<string:record_id>").replace("{action}", "<string:name>")


def _values(found: dict[str, str]) -> dict[str, Any]:
    """The parts of the path; the number of a record as a number."""
    text = found.get("record_id")
    if text is None:
        return dict(found)
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= LARGEST_ID):
        raise NotFound(_("“{text}” is not the number of a record.", text=text[:60]))
    return {**found, "record_id": int(text)}


def _view(desk: Desk, methods: dict[str, Route]) -> Any:
    allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})

    def view(**values: str) -> Response:
        if request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(allowed)})
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return problem_of(
                MethodNotAllowed(allowed, str(_("Not here. Allowed: {methods}.", methods=", ".join(allowed))))
            ).response()
        try:
            arguments = _values(values)
        except NotFound as error:
            return problem_of(error).response()
        return desk.answer(request, route.handler, arguments, body=route.body)

    view.is_public = True  # type: ignore[attr-defined]  # the desk asks for credentials itself
    return view


def _absent(**_values: Any) -> Response:
    return problem_of(
        NotFound(_("There is nothing at this path. See /api/v1/openapi.json for what there is."))
    ).response()


_absent.is_public = True  # type: ignore[attr-defined]


def _document_route(registry: Registry, table: list[Route]) -> Route:
    made: list[bytes] = []

    def document(call: Call) -> Answer:
        call.check_parameters()
        if not made:
            made.append(dump(build_document(registry, table)))
        return Answer(made[0], headers={"ETag": f'"{registry.generation}"'})

    return Route("GET", DOCUMENT_PATH, "core", None, False, "document", document)
