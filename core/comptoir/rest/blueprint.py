"""The API as a Flask blueprint with explicit rules: what a generation does not have is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.kinds import MAX_ID
from comptoir.rest.call import Answer, Call, Desk
from comptoir.rest.openapi import build_document
from comptoir.rest.problems import problem_of
from comptoir.rest.routes import PREFIX, Route, routes
from comptoir.rest.wire import dump

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

DOCUMENT_PATH = f"{PREFIX}/openapi.json"


def create_blueprint(deployment: Deployment, registry: Registry) -> Blueprint:
    """The API of one generation, to be registered without a prefix.

    What is not here is answered by the application, which knows that paths below ``/api/v1/`` want problems.
    """
    blueprint = Blueprint("api", __name__)
    desk = Desk(deployment, registry)
    table = routes(registry)

    @cache
    def document() -> dict[str, Any]:
        return build_document(registry, table)

    for position, route in enumerate([*table, _document_route(registry, document)]):
        # a converter would fail on a number of thousands of digits
        rule = route.path.replace("{id}", "<record_id>").replace("{action}", "<name>")
        blueprint.add_url_rule(rule, f"r{position}", _view(desk, route), methods=[route.method])

    return blueprint


def _view(desk: Desk, route: Route) -> Any:
    def view(**values: str) -> Response:
        try:
            arguments = _arguments(values)
        except NotFound as error:
            return problem_of(error).response()
        return desk.answer(request, route.handler, arguments, body=route.body)

    view.checks_credentials = True  # type: ignore[attr-defined]  # so that the application opens no visit around it
    view.permission = route.permission  # type: ignore[attr-defined]
    return view


def _arguments(found: dict[str, str]) -> dict[str, Any]:
    """The parts of the path; the number of a record as a number."""
    text = found.get("record_id")
    if text is None:
        return dict(found)
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= MAX_ID):
        raise NotFound(_("“{text}” is not the number of a record.", text=text[:60]))
    return {**found, "record_id": int(text)}


def _document_route(registry: Registry, document: Callable[[], dict[str, Any]]) -> Route:
    @cache
    def packed() -> bytes:
        return dump(document())

    def answer(call: Call) -> Answer:
        call.check_parameters()
        return Answer(packed(), headers={"ETag": f'"{registry.generation}"'})

    return Route("GET", DOCUMENT_PATH, "core", None, False, "document", answer)
