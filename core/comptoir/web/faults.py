"""Errors as people and programs see them: one table for both, never a traceback."""

from __future__ import annotations

import json
import logging
import uuid
from urllib.parse import quote

from flask import Flask, Request, Response, g, render_template, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NoRoute

from comptoir.db.outages import refusal_of
from comptoir.errors import ComptoirError, NotFound, SignInRequired
from comptoir.i18n import Text, _, speaking
from comptoir.modules.crashes import plugin_failure
from comptoir.rest.problems import problem_of
from comptoir.web.frame import frame, is_kept_form, is_partial, toast_value
from comptoir.web.models.faults import ErrorPage
from comptoir.web.models.shell import Action, Toast
from comptoir.web.session import in_visit, preferred_language

log = logging.getLogger("comptoir.web")

TITLES: dict[int, Text] = {
    400: _("This request could not be read"),
    401: _("Sign in first"),
    403: _("You may not do this"),
    404: _("There is no such page here"),
    405: _("This address does not do that"),
    409: _("Somebody else was faster"),
    412: _("Somebody else was faster"),
    413: _("This is too large"),
    422: _("This could not be saved"),
    500: _("Something failed here"),
    503: _("Comptoir is busy"),
}
NAMED: dict[str, Text] = {
    "core.module_paused": _("This module is off"),
    "core.upgrade_needed": _("Comptoir is being brought up to date"),
}
"""Titles of errors that say more than their status."""


def as_comptoir_error(error: Exception) -> ComptoirError | None:
    """The error for people that a database or web error amounts to; None for a fault of ours."""
    if isinstance(error, ComptoirError):
        return error
    return refusal_of(error)


def install_errors(app: Flask) -> None:
    """Answer every error by the one table."""

    @app.errorhandler(ComptoirError)
    def refused(error: ComptoirError) -> Response:
        return answer(app, error)

    @app.errorhandler(HTTPException)
    def not_http(error: HTTPException) -> Response:
        if isinstance(error, NoRoute) and (paused := _paused_module(app)) is not None:
            return answer(app, paused)
        if is_api(request):
            return problem_of(error).response()
        status = error.code or 500
        if status < 400:
            return Response(status=status, headers={"Location": getattr(error, "new_url", "/")})
        if isinstance(error, NoRoute):
            message: Text = _("The address is wrong, the record is gone, or you may not see it.")
        elif isinstance(error, RequestEntityTooLarge):
            message = _("Send at most 32 MB at once.")
        elif isinstance(error, MethodNotAllowed):
            message = _("It answers to: {methods}.", methods=", ".join(sorted(error.valid_methods or ())))
        else:
            message = error.description or ""
        shown = ComptoirError(message, code=f"core.http_{status}")
        shown.status = status
        found = answer(app, shown)
        for name, value in error.get_headers():
            if name not in {"Content-Type", "Content-Length"}:
                found.headers[name] = value
        return found

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        known = as_comptoir_error(error)
        if is_api(request):
            return problem_of(error).response()
        if known is not None:
            return answer(app, known)
        if app.debug:
            raise error
        state = app.extensions["comptoir"]
        failed = plugin_failure(state.deployment, state.registry, error)
        if failed is not None:
            return answer(app, failed, number=failed.number)
        number = uuid.uuid4().hex[:8].upper()
        log.error("error %s at %s %s", number, request.method, request.path, exc_info=error)
        shown = ComptoirError(
            _("It is logged under the number below. Try again; if it stays, tell your administrator.")
        )
        return answer(app, shown, number=number)


def _paused_module(app: Flask) -> NotFound | None:
    """Why nothing is here where the address belongs to a module that is switched off for the moment."""
    name = module_addressed(request)
    deployment = app.extensions["comptoir"].deployment
    if not name or name in app.extensions["comptoir"].registry.plugins:
        return None
    plugin = deployment.registry_with_paused().plugins.get(name)
    if plugin is None:
        return None
    return NotFound(
        _(
            "{module} is switched off at the moment. Nothing is lost: its records are kept, and an administrator can"
            " switch it on again under Modules and settings.",
            module=plugin.manifest.title,
        ),
        code="core.module_paused",
    )


def module_addressed(incoming: Request) -> str:
    """The name that stands where an address has its module."""
    steps = [step for step in incoming.path.split("/") if step]
    return "".join((steps[2:] if is_api(incoming) else steps)[:1])


def is_api(incoming: Request) -> bool:
    """Whether a program asks, which gets a problem instead of a page."""
    return incoming.path.startswith("/api/v1/")


def answer(app: Flask, error: ComptoirError, *, number: str = "") -> Response:
    """The page or the problem for an error."""
    with speaking(preferred_language()):
        if is_api(request):
            return problem_of(error).response()
        found = _to_sign_in(app) if isinstance(error, SignInRequired) else _page(app, error, number)
    if error.status == 503:
        found.headers["Retry-After"] = "1"
    return found


def _to_sign_in(app: Flask) -> Response:
    target = f"/login?next={quote(_way_back(app))}".removesuffix("?next=/")
    if is_kept_form():
        return Response(status=401)
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": target} if request.method == "GET" else None)
    return Response(status=303, headers={"Location": target})


def _way_back(app: Flask) -> str:
    """The page to return to after signing in: this one, or the nearest above it that can be opened."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    addresses, path = app.url_map.bind(request.host), request.path
    while path != "/":
        try:
            addresses.match(path, method="GET")
        except HTTPException:
            path = path.rpartition("/")[0] or "/"
        else:
            return path
    return path


def _page(app: Flask, error: ComptoirError, number: str) -> Response:
    status = error.status

    def render() -> tuple[str, str]:
        message = str(error)  # in the language of whoever reads it, which is known inside the visit
        title = str(NAMED.get(error.code) or TITLES.get(status, TITLES[500]))
        home = Action(str(_("To the start page")), "/", "home", tone="primary")
        model = ErrorPage(status, title, message, number, (home,))
        return message, render_template("error.html", shell=frame(crumbs=[title]), page=model)

    state = app.extensions["comptoir"]
    try:
        if g.get("visit") is not None:
            message, html = render()
        else:
            message, html = in_visit(state.deployment, state.registry, state.actors, render, write=False)
    except (ComptoirError, DBAPIError):
        message, html = render()
    if is_partial() or is_kept_form():
        answered = Response(status=status)
        # in ASCII, because that is what headers can carry
        answered.headers["HX-Trigger"] = json.dumps({"toast": toast_value(Toast(message, tone="bad"))})
        answered.headers["Comptoir-Error"] = error.code
        if status == 404 and is_partial():
            answered.headers["HX-Refresh"] = "true"
        return answered
    return Response(html, status=status, mimetype="text/html")
