"""Who calls: the user of a bearer token, or of the browser session with its CSRF token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from flask import Request

from comptoir.access.models import ApiToken, User
from comptoir.access.permissions import Actor, actor_of, system_actor
from comptoir.access.sessions import find_session
from comptoir.access.tokens import find_bearer, is_due_for_touch, is_refusal_logged, log_refusal, touch_token
from comptoir.context import Context, unrestricted
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.edge import perform
from comptoir.errors import SignInRequired
from comptoir.i18n import _
from comptoir.web.security import SAFE_METHODS, require_csrf_token, require_own_origin
from comptoir.web.session import COOKIE, cookie_name

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

SCHEME = "bearer "
KEPT_ACTORS = 2_000


class TokenRefused(SignInRequired):
    """A token opens nothing: it is unknown or has ended, or its user may not enter."""

    def __init__(self, plain: str) -> None:
        super().__init__(_("The token is not known, has expired or was revoked. Create another."))
        self.plain = plain


class Caller(NamedTuple):
    """Who calls, and with which credential: ``token:7``, or ``session`` of a browser."""

    actor: Actor
    credential: str


class Callers:
    """The actors of one generation by user and scopes; thrown away when anybody's rights change."""

    def __init__(self, deployment: Deployment, registry: Registry) -> None:
        self._deployment = deployment
        self._registry = registry
        self._known: dict[tuple[int, tuple[str, ...]], tuple[int, int, Actor]] = {}

    def check_presence(self, request: Request) -> None:
        """Refuse a request without any credentials before anything of it is read."""
        if "Authorization" not in request.headers and cookie_name(COOKIE) not in request.cookies:
            raise SignInRequired(_("Send a token: Authorization: Bearer ct_…"))

    def identify(self, request: Request, uow: UnitOfWork) -> Caller:
        """Who sends the request, by one query; raises `SignInRequired` or, for a forged page, `NotAllowed`."""
        header = request.headers.get("Authorization")
        if header is not None:
            return self._of_token(header, uow)
        signed_in = find_session(uow.system, request.cookies.get(cookie_name(COOKIE), ""), self._deployment.clock())
        if signed_in is None:
            raise SignInRequired(_("Your session has ended. Sign in again."))
        if request.method not in SAFE_METHODS:
            require_own_origin(request)
            require_csrf_token(request, signed_in.row.csrf_token)
        user = signed_in.user
        return Caller(self._actor(uow, user.id, user.version, signed_in.stamp, ()), "session")

    def _of_token(self, header: str, uow: UnitOfWork) -> Caller:
        if header[: len(SCHEME)].lower() != SCHEME:
            raise SignInRequired(_("Send a token: Authorization: Bearer ct_…"))
        now = self._deployment.clock()
        plain = header[len(SCHEME) :].strip()
        found = find_bearer(uow.connection, plain, now)
        if found is None:
            raise TokenRefused(plain)
        if is_due_for_touch(found, now):
            token_id = found.token_id
            uow.on_commit(lambda: self._touch(token_id))
        actor = self._actor(uow, found.user_id, found.user_version, found.stamp, tuple(found.scopes.split()))
        return Caller(actor, f"token:{found.token_id}")

    def log_refusal(self, refused: TokenRefused, address: str) -> None:
        """Keep a refused token in the security log, once the transaction that refused it has ended."""

        def is_logged(ctx: Context) -> bool:
            return is_refusal_logged(unrestricted(ctx, "refused token"), address, ctx.now())

        def log(ctx: Context) -> None:
            log_refusal(unrestricted(ctx, "refused token"), refused.plain, address, ctx.now())

        who = system_actor("token")
        if perform(self._deployment, who, is_logged, write=False, registry=self._registry):
            perform(self._deployment, who, log, registry=self._registry)

    def _touch(self, token_id: int) -> None:
        """Note the use of a token, in a short write of its own, every five minutes at most."""
        perform(self._deployment, system_actor("token"), lambda ctx: _touch(ctx, token_id), registry=self._registry)

    def _actor(self, uow: UnitOfWork, user_id: int, version: int, stamp: int, scopes: tuple[str, ...]) -> Actor:
        known = self._known.get((user_id, scopes))
        if known is not None and known[:2] == (stamp, version):
            return known[2]
        user = uow.system.get_one(User, user_id)
        actor = actor_of(uow.system, user, self._registry.permissions)
        actor = replace(actor, grants=actor.grants.cut_down_to(scopes))
        if len(self._known) >= KEPT_ACTORS:
            self._known.clear()
        self._known[user_id, scopes] = (stamp, version, actor)
        return actor


def _touch(ctx: Context, token_id: int) -> None:
    row = unrestricted(ctx, "use of a token").get(ApiToken, token_id)
    if row is not None:
        touch_token(unrestricted(ctx, "use of a token"), row, ctx.now())
