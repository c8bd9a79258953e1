"""The API as a Flask blueprint with explicit rules: what a generation does not have is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from comptoir.access.permissions import ADMINISTER
from comptoir.db.fields import fields_of
from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.kinds import MAX_ID
from comptoir.rest.call import Answer, Call, Desk
from comptoir.rest.openapi import build_document
from comptoir.rest.problems import problem_of
from comptoir.rest.routes import OF_COLLECTION, PREFIX, Route, routes
from comptoir.rest.security import security_route
from comptoir.rest.wire import dump

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
    """The API of one generation, to be registered without a prefix.

    What is not here is answered by the application, which knows that paths below ``/api/v1/`` want problems.
    """
    blueprint = Blueprint("api", __name__)
    blueprint.record(lambda state: state.app.url_map.converters.update(record=RecordConverter))
    desk = Desk(deployment, registry)
    table = routes(registry)

    for position, route in enumerate([*table, security_route(), _document_route(registry, table)]):
        rule = route.path.replace("{id}", "<record:record_id>").replace("{action}", "<name>")
        rule = rule.replace("{", "<").replace("}", ">")
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


def _document_route(registry: Registry, table: Sequence[Route]) -> Route:
    rights = _rights_that_tell(registry, table)
    packed: dict[frozenset[str], bytes] = {}

    def answer(call: Call) -> Answer:
        call.check_parameters()
        grants = call.context.actor.grants
        held = frozenset(right for right in rights if grants.scope(right) is not None)
        if held not in packed:
            packed[held] = dump(build_document(registry, table, grants))
        version = hashlib.sha256(" ".join(sorted(held)).encode()).hexdigest()[:12]
        return Answer(packed[held], headers={"ETag": f'"{registry.generation}-{version}"'})

    return Route("GET", DOCUMENT_PATH, "core", None, False, "document", answer)


def _rights_that_tell(registry: Registry, table: Sequence[Route]) -> frozenset[str]:
    """The permissions by which the document differs, those of single fields above all: callers who hold the same ones see one document."""
    fields = [field for declared in registry.record_types.values() for field in declared.fields.values()]
    fields += [inner for field in fields if field.line is not None for inner in fields_of(field.line).values()]
    asked = [field for route in table if route.action is not None for field in route.action.asked(None).values()]
    rights = {*(field.read for field in (*fields, *asked)), *(field.write for field in asked)}
    return frozenset({ADMINISTER, *(right for right in rights if right is not None)})
