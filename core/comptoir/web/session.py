"""A visit: who is signed in, the unit of work of the request, and what plugins' views find of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from flask import Flask, Response, current_app, g, request
from flask_login import LoginManager, UserMixin

from comptoir.access.models import SignInSession, User
from comptoir.access.permissions import Actor, actor_of, system_actor
from comptoir.access.sessions import SignedIn, find_session, is_due_for_touch, touch_session
from comptoir.context import Context, unrestricted
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.edge import perform
from comptoir.errors import SignInRequired
from comptoir.formats import Formats
from comptoir.i18n import LANGUAGES, _
from comptoir.web.security import (
    SAFE_METHODS,
    is_secure,
    mask_token,
    new_token,
    require_csrf_token,
    require_own_origin,
)

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry

COOKIE = "comptoir"
FORM_COOKIE = "comptoir-form"
DEVICE_COOKIE = "comptoir-device"
T = TypeVar("T")
P = ParamSpec("P")
View = TypeVar("View", bound=Callable[..., Any])


class SignedInUser(UserMixin):  # type: ignore[misc]  # flask-login has no types
    """The user as flask-login knows them; the session itself is a row of the database."""

    def __init__(self, user: User) -> None:
        self.id = user.id
        self.name = user.name
        self.email = user.email


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a signed-in user."""

    context: Context
    user: User
    session: SignInSession
    formats: Formats
    preferences: dict[str, Any]

    @property
    def registry(self) -> Registry:
        """What the generation of this request knows, contributions and screens included."""
        return cast("Registry", self.context.registry)


def public(view: View) -> View:
    """Let everybody see this page, without a session and without a unit of work."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def requires(permission: str) -> Callable[[View], View]:
    """State the permission of a page; whoever lacks it gets the reason and who can grant it."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            current_visit().context.require(permission)
            return view(*args, **kwargs)

        checked.permission = permission  # type: ignore[attr-defined]
        return cast("View", checked)

    return decorate


def cookie_name(base: str) -> str:
    """The cookie's name; over https its prefix ties it to this host and path."""
    return f"__Host-{base}" if is_secure(current_deployment().settings) else base


def set_cookie(response: Response, base: str, value: str, lifetime: dt.timedelta | None = None) -> None:
    """Set a cookie that scripts cannot read and other sites do not send."""
    response.set_cookie(
        cookie_name(base), value, max_age=lifetime, path="/", httponly=True, samesite="Lax",
        secure=is_secure(current_deployment().settings),
    )  # fmt: skip


def current_deployment() -> Deployment:
    """The deployment that answers this request."""
    return cast("Deployment", current_app.extensions["comptoir"].deployment)


def current_registry() -> Registry:
    """The generation that answers this request."""
    return cast("Registry", current_app.extensions["comptoir"].registry)


def current_visit() -> Visit:
    """The visit of this request; `SignInRequired` where nobody is signed in."""
    found: Visit | None = g.get("visit")
    if found is None:
        raise SignInRequired(_("Sign in to see this page."))
    return found


def visited(view: Callable[Concatenate[Visit, P], T]) -> Callable[P, T]:
    """Hand a page the visit of its request: the one place where a visit becomes an argument."""

    @wraps(view)
    def handed(*args: P.args, **kwargs: P.kwargs) -> T:
        return view(current_visit(), *args, **kwargs)

    return handed


def form_token() -> str:
    """The token that forms of this page carry: the session's, or before sign-in that of a cookie."""
    visit: Visit | None = g.get("visit")
    if visit is not None:
        return visit.session.csrf_token
    if "form_token" not in g:
        g.form_token = request.cookies.get(cookie_name(FORM_COOKIE)) or new_token()
    return str(g.form_token)


def masked_form_token() -> str:
    """`form_token` as pages carry it: masked anew for every page, and the same in all forms of one."""
    if "masked_token" not in g:
        g.masked_token = mask_token(form_token())
    return str(g.masked_token)


def preferred_language() -> str:
    """The language of somebody who is not signed in."""
    wished = request.accept_languages.best_match(list(LANGUAGES))
    return wished or current_deployment().settings.language


class Actors:
    """The actors of this generation by user, thrown away when anybody's rights change."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[int, tuple[int, int, Actor]] = {}

    def of(self, uow: UnitOfWork, user: User, stamp: int) -> Actor:
        """The actor that a user is under this access stamp."""
        known = self._known.get(user.id)
        if known is not None and known[:2] == (stamp, user.version):
            return known[2]
        actor = actor_of(uow.system, user, self._registry.permissions)
        self._known[user.id] = (stamp, user.version, actor)
        return actor


def in_visit(deployment: Deployment, registry: Registry, actors: Actors, view: Callable[[], T], *, write: bool) -> T:
    """What the view answers in the visit of whoever is signed in; committed before it is given back."""
    token = request.cookies.get(cookie_name(COOKIE))
    if not token:
        raise SignInRequired(_("Sign in to see this page."))
    now = deployment.clock()
    found: SignedIn | None = None

    def identify(uow: UnitOfWork) -> Actor:
        nonlocal found
        found = find_session(uow.system, token, now)
        if found is None:
            raise SignInRequired(_("Your session has ended. Sign in again."))
        if write:
            require_own_origin(request)
            require_csrf_token(request, found.row.csrf_token)
        uow.system.info["address"] = request.remote_addr or ""
        return actors.of(uow, found.user, found.stamp)

    def visit(context: Context) -> tuple[T, bool]:
        assert found is not None
        row, user, _stamp = found
        formats = Formats(context.actor.language, context.timezone, deployment.settings.currency, now)
        g.visit = Visit(context, user, row, formats, json.loads(user.preferences or "{}"))
        for sent in request.files.values() if request.files else ():
            sent.stream.seek(0)  # a view that is tried again reads its files again
        try:
            return view(), is_due_for_touch(row, now)
        finally:
            g.pop("visit")

    answer, is_due = perform(deployment, identify, visit, write=write, registry=registry)
    if is_due:
        perform(deployment, system_actor("visit"), lambda context: _touch(context, token), registry=registry)
    return answer


def _touch(context: Context, token: str) -> None:
    found = find_session(unrestricted(context, "use of a session"), token, context.now())
    if found is not None:
        touch_session(unrestricted(context, "use of a session"), found.row, context.now())


def install_sign_in(app: Flask) -> None:
    """Tell flask-login where the current user comes from."""
    manager = LoginManager(app)
    manager.session_protection = None

    @manager.request_loader  # type: ignore[untyped-decorator]
    def load(_request: Any) -> SignedInUser | None:
        visit: Visit | None = g.get("visit")
        return SignedInUser(visit.user) if visit is not None else None


def is_write(method: str) -> bool:
    """Whether a request with this method may change something."""
    return method not in SAFE_METHODS
