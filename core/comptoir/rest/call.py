"""One request of the API: its unit of work, its retries, its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Request, Response

from comptoir.access.permissions import Actor
from comptoir.context import Context
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.edge import perform
from comptoir.errors import Overtaken, PreconditionFailed, PreconditionRequired, RuleViolation
from comptoir.i18n import _, current_language, speaking
from comptoir.modules.crashes import plugin_failure
from comptoir.rest import idempotency
from comptoir.rest.authentication import Callers, TokenRefused
from comptoir.rest.problems import problem_of
from comptoir.rest.wire import dump, read_json

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

JSON = "application/json"
READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back: a status, a value for JSON (None for an empty body) and headers."""

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer over HTTP."""
        if self.content is None:
            return Response(status=self.status, headers=dict(self.headers), content_type=None)
        body = self.content if isinstance(self.content, bytes) else dump(self.content)
        return Response(body, self.status, dict(self.headers), content_type=JSON)


@dataclass(slots=True)
class Call:
    """One request with its context; ``body`` is what its JSON says, None where it has none."""

    request: Request
    context: Context
    credential: str
    body: Any = None

    def body_object(self, *, optional: bool = False) -> dict[str, Any]:
        """The body, which must be an object."""
        content = {} if self.body is None and optional else self.body
        if not isinstance(content, dict):
            raise RuleViolation("core.invalid", _("Give an object."))
        return content

    def check_parameters(self, *known: str) -> None:
        """Refuse parameters of the query string that the operation does not know."""
        for name in self.request.args:
            if name not in known:
                raise RuleViolation(
                    "core.unknown_parameter",
                    _(
                        "There is no parameter “{name}” here. Known: {known}.",
                        name=name[:60],
                        known=", ".join(known) or "–",
                    ),
                    field=name[:60],
                )

    @property
    def names_a_version(self) -> bool:
        """Whether the caller said which version it has seen; where not, the change is made on the present one."""
        return names_version(self.request, self.body)

    def check_version(self, record: Any) -> None:
        """Refuse a change made on a version that is no longer the current one, or on none where the deployment asks for it."""
        if self.context.settings.require_versions and not self.names_a_version:
            raise PreconditionRequired(
                _("Say which version you have seen: send its ETag as If-Match, or “version” in the body.")
            )
        match = self.request.if_match
        tag = etag(record)
        stale = bool("If-Match" in self.request.headers) and not match.star_tag and not match.contains(tag)
        seen = self.body.get("version") if isinstance(self.body, dict) else None
        if stale or (seen is not None and seen != record.version):
            raise PreconditionFailed(
                _("Somebody changed it meanwhile. Load it again, compare and send your change once more."),
                current={"version": record.version},
            )


def names_version(request: Request, body: Any) -> bool:
    """Whether a request says on which version of the record it builds."""
    return "If-Match" in request.headers or (isinstance(body, dict) and body.get("version") is not None)


def etag(record: Any) -> str:
    """The entity tag of a record, without its quotes: ``7-3`` is the third version of record 7."""
    return f"{record.id}-{record.version}"


Handler = Callable[..., Answer]


class Desk:
    """Answers the requests of one generation."""

    def __init__(self, deployment: Deployment, registry: Registry) -> None:
        self.deployment = deployment
        self.registry = registry
        self.callers = Callers(deployment, registry)

    def answer(self, request: Request, handler: Handler, values: Mapping[str, Any], *, body: str) -> Response:
        """Run a handler in a unit of work of the caller; whatever goes wrong becomes a problem in their language."""
        language, credential = current_language(), ""
        write = request.method not in READS

        def identify(uow: UnitOfWork) -> Actor:
            nonlocal language, credential
            actor, credential = self.callers.identify(request, uow)
            language = actor.language
            uow.system.info["address"] = request.remote_addr or ""
            return actor

        try:
            self.callers.check_presence(request)
            content = read_json(request, optional=body == "optional") if body != "none" else None
            try:
                return perform(
                    self.deployment,
                    identify,
                    lambda ctx: _respond(Call(request, ctx, credential, content), handler, values),
                    write=write,
                    registry=self.registry,
                )
            except TokenRefused as refused:
                self.callers.log_refusal(refused, request.remote_addr or "")
                raise
        except Exception as error:  # noqa: BLE001 - the last resort, which logs what nobody foresaw
            with speaking(language):
                return problem_of(plugin_failure(self.deployment, self.registry, error) or error).response()


def _respond(call: Call, handler: Handler, values: Mapping[str, Any]) -> Response:
    posted = call.request.method == "POST"
    response = idempotency.replayed(call) if posted else None
    if response is not None:
        return response
    try:
        response = handler(call, **values).response()
    except Overtaken as overtaken:
        if call.names_a_version:
            raise PreconditionFailed(overtaken.message) from None
        raise
    if posted:
        idempotency.remember(call, response)
    return response
