"""The API as a Flask blueprint with explicit rules: what a generation does not have is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.rest.call import Answer, Call, Desk
from comptoir.rest.openapi import build_document
from comptoir.rest.problems import problem_of
from comptoir.rest.reader import reader_page
from comptoir.rest.routes import OF_COLLECTION, PREFIX, Route, routes
from comptoir.rest.schemas import LARGEST_ID
from comptoir.rest.wire import dump
from comptoir.web.frame import page

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

DOCUMENT_PATH = f"{PREFIX}/openapi.json"


class RecordConverter(BaseConverter):
    """Anything in the place of a record's number but the names that a collection keeps for itself.

    Those answer 405 to a method they do not know.  Whether the rest is a number is looked at later: a converter would
    fail on one of thousands of digits.
    """

    regex = rf"(?!(?:{'|'.join(OF_COLLECTION)})\Z)[^/]+"


def create_blueprint(deployment: Deployment, registry: Registry) -> Blueprint:
    """The API of one generation and the page that explains it, to be registered without a prefix.

    What is not here is answered by the application, which knows that paths below ``/api/v1/`` want problems.
    """
    blueprint = Blueprint("api", __name__)
    blueprint.record(lambda state: state.app.url_map.converters.update(record=RecordConverter))
    desk = Desk(deployment, registry)
    table = routes(registry)

    @cache
    def document() -> dict[str, Any]:
        return build_document(registry, table)

    for position, route in enumerate([*table, _document_route(registry, document)]):
        rule = route.path.replace("{id}", "<record:record_id>").replace("{action}", "<name>")
        blueprint.add_url_rule(rule, f"r{position}", _view(desk, route), methods=[route.method])

    def reader() -> Response:
        return page("api_docs.html", reader_page(document(), DOCUMENT_PATH), crumbs=[_("API")])

    blueprint.add_url_rule("/api/docs", "reader", reader)
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
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= LARGEST_ID):
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
