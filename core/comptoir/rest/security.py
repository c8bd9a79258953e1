"""``GET /api/v1/security-events``: the security log for administrators' programs."""

from __future__ import annotations

from typing import Any

from comptoir.access.permissions import ADMINISTER
from comptoir.access.security_log import KINDS, EventFilter, list_events
from comptoir.context import unrestricted
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.rest.call import Answer, Call
from comptoir.rest.routes import PREFIX, Route

PATH = f"{PREFIX}/security-events"
SIZE = 80
LIMIT = 500
PARAMETERS = ("person", "kind", "from", "to", "page[size]", "page[after]")


def security_route() -> Route:
    """The one operation there is: the log is read."""
    return Route("GET", PATH, "core", ADMINISTER, False, "security", list_security_events)


def list_security_events(call: Call) -> Answer:
    """A page of events, the newest first; days are those of the caller's time zone."""
    call.check_parameters(*PARAMETERS)
    ctx, given = call.context, call.request.args
    ctx.require(ADMINISTER)
    size = _whole(given.get("page[size]"), "page[size]", LIMIT) or SIZE
    before = _whole(given.get("page[after]"), "page[after]", 2**63 - 1)
    found = list_events(
        unrestricted(ctx, "security log"), EventFilter.of(given, ctx.timezone), size=size + 1, before_id=before
    )
    shown = found[:size]
    rows = [
        {
            "id": event.id, "at": event.at, "kind": event.kind, "user_id": event.user_id, "actor": event.actor,
            "person_id": event.person_id, "about": event.about, "address": event.address, "details": event.details,
        }
        for event in shown
    ]  # fmt: skip
    following = str(shown[-1].id) if len(found) > size else None
    return Answer({"data": rows, "meta": {"page": {"size": size, "next": following}}})


def _whole(text: str | None, name: str, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= most):
        raise RuleViolation("core.out_of_range", _("Give a whole number from 1 to {most}.", most=most), field=name)
    return int(text)


def description() -> dict[str, Any]:
    """The operation as OpenAPI describes it, to those who may call it."""
    schemas: dict[str, dict[str, Any]] = {
        "person": {"type": "string", "maxLength": 200}, "kind": {"type": "string", "enum": list(KINDS)},
        "from": {"type": "string", "format": "date"}, "to": {"type": "string", "format": "date"},
        "page[size]": {"type": "integer", "minimum": 1, "maximum": LIMIT}, "page[after]": {"type": "integer", "minimum": 1},
    }  # fmt: skip
    texts = {
        "person": "Words of who acted or whom or what it concerns.", "kind": "What happened.", "from": "The first day.",
        "to": "The last day.", "page[size]": "Events per page.", "page[after]": "The cursor of the last answer.",
    }  # fmt: skip
    answer = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {"type": "object"}}, "meta": {"type": "object"}},
    }
    refusals = {
        str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in (401, 403, 422, 500, 503)
    }
    return {
        "get": {
            "tags": ["core"],
            "operationId": "core.security-events",
            "summary": "Security log: list",
            "parameters": [
                {"name": name, "in": "query", "schema": schema, "description": texts[name]} for name, schema in schemas.items()
            ],
            "responses": {"200": {"description": "Events", "content": {"application/json": {"schema": answer}}}, **refusals},
        }
    }  # fmt: skip
