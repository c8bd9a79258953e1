"""One request of the API: its unit of work, its retries, its answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Request, Response
from sqlalchemy.exc import DBAPIError

from comptoir.context import Context
from comptoir.db.unit_of_work import UnitOfWork, is_busy
from comptoir.errors import Conflict, PreconditionFailed, PreconditionRequired, RuleViolation
from comptoir.i18n import _, speaking
from comptoir.registry.policies import policy_for
from comptoir.rest import idempotency
from comptoir.rest.authentication import Callers
from comptoir.rest.problems import problem_of
from comptoir.rest.wire import dump, read_json

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

ATTEMPTS = 5
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
    def has_precondition(self) -> bool:
        """Whether the caller said which version it has seen."""
        return names_version(self.request, self.body)

    def check_version(self, record: Any) -> None:
        """Refuse a change made on a version that is no longer the current one, or on none where the deployment asks for it."""
        if self.context.settings.require_versions and not self.has_precondition:
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
        """Run a handler in a unit of work of the caller; whatever goes wrong becomes a problem."""
        with ExitStack() as stack:
            try:
                self.callers.check_presence(request)
                content = read_json(request, optional=body == "optional") if body != "none" else None
                return self._try(request, handler, values, content, stack)
            except Exception as error:  # noqa: BLE001 - the last resort, which logs what nobody foresaw
                return problem_of(error).response()

    def _try(
        self, request: Request, handler: Handler, values: Mapping[str, Any], body: Any, stack: ExitStack
    ) -> Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(request, handler, values, body, stack)
            except DBAPIError as error:
                if not is_busy(error) or attempt == ATTEMPTS:
                    raise
            except idempotency.AnsweredMeanwhile:
                if attempt == ATTEMPTS:
                    raise
            except PreconditionFailed:
                raise
            except Conflict as conflict:
                if conflict.code != "core.stale":
                    raise
                if names_version(request, body):
                    raise PreconditionFailed(conflict.message) from None
                if attempt == ATTEMPTS:
                    raise
            time.sleep(random.uniform(0.005, 0.02 * 2**attempt))
        raise AssertionError("unreachable")

    def _once(
        self, request: Request, handler: Handler, values: Mapping[str, Any], body: Any, stack: ExitStack
    ) -> Response:
        write = request.method not in READS
        with UnitOfWork(self.deployment.engine, write=write) as uow:
            actor, credential = self.callers.identify(request, uow)
            stack.enter_context(speaking(actor.language))
            # the policy follows from the credentials that the same connection just looked up
            uow.policy, uow.user_id = policy_for(self.registry, actor.grants), actor.id
            ctx = self.deployment.context_in(uow, actor, self.registry)
            uow.system.info["address"] = request.remote_addr or ""
            call = Call(request, ctx, credential, body)
            response = idempotency.replayed(call) if request.method == "POST" else None
            if response is None:
                response = handler(call, **values).response()
                if write:
                    ctx.write_outbox()
                if request.method == "POST":
                    idempotency.remember(call, response)
            return response
