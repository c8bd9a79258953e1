"""Pages of plugins: what they may use, and how the pages that they contribute are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, g, render_template, request

from comptoir.access.permissions import Actor
from comptoir.context import Context
from comptoir.contributions import View
from comptoir.edge import perform
from comptoir.errors import NotAllowed
from comptoir.formats import Formats
from comptoir.i18n import Text, _
from comptoir.registry.deadlines import into
from comptoir.web.frame import frame, redirect_with
from comptoir.web.models.shell import Toast
from comptoir.web.security import require_csrf_token, require_own_origin
from comptoir.web.session import (
    FORM_COOKIE,
    Visit,
    cookie_name,
    form_token,
    is_write,
    preferred_language,
    set_cookie,
    visited,
)

if TYPE_CHECKING:
    from comptoir.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class PublicVisit:
    """One request of somebody who is not signed in: a context without any right, and the forms of their language."""

    context: Context
    formats: Formats


def page(
    visit: Visit | PublicVisit,
    template: str,
    values: Mapping[str, Any] | None = None,
    *,
    title: Text,
    crumbs: Sequence[tuple[Text, str] | Text] = (),
    status: int = 200,
) -> Response:
    """A whole page in its frame: the template extends ``plugin.html`` and fills its block ``content``.

    ``crumbs`` are the pages above this one, each a label with its path; the title stands behind them.
    """
    shell = frame(crumbs=[*crumbs, title])
    html = render_template(template, shell=shell, title=str(title), formats=visit.formats, **(values or {}))
    return Response(html, status=status, mimetype="text/html")


def part(visit: Visit | PublicVisit, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200) -> Response:  # fmt: skip
    """A part of a page, for htmx."""
    html = render_template(template, formats=visit.formats, **(values or {}))
    return Response(html, status=status, mimetype="text/html")


def redirect(path: str, said: Text = "") -> Response:
    """Go on to another page of this deployment after a change, and say there what was done."""
    if not path.startswith("/") or path[1:2] in ("/", "\\"):
        raise NotAllowed(_("A page leads only to pages of this deployment, not to {path}.", path=path[:60]))
    return redirect_with(path, Toast(str(said)) if said else None)


def add_views(app: Flask, registry: Registry) -> None:
    """Serve the pages that the plugins contribute, below their names."""
    for plugin, view in registry.contributions(View):
        rule = f"/{plugin.name}" + view.path.replace("{id}", "<int:id>").replace("{", "<").replace("}", ">")
        function = into(plugin, view.function)
        serve = _public(view, function) if view.public else _signed_in(view, function)
        app.add_url_rule(rule, f"{plugin.name}:{'+'.join(view.methods)} {view.path}", serve, methods=list(view.methods))


def _signed_in(view: View, function: Callable[..., Any]) -> Callable[..., Response]:
    @visited
    def serve(visit: Visit, /, **parts: Any) -> Response:
        visit.context.require(str(view.permission))
        return current_app.make_response(function(visit, **parts))

    serve.permission = view.permission  # type: ignore[attr-defined]
    return serve


def _public(view: View, function: Callable[..., Any]) -> Callable[..., Response]:
    def serve(**parts: Any) -> Response:
        state = current_app.extensions["comptoir"]
        deployment, registry, write = state.deployment, state.registry, is_write(request.method)
        if write:  # a form counts only from a page of this deployment
            require_own_origin(request)
            require_csrf_token(request, request.cookies.get(cookie_name(FORM_COOKIE), ""))
        actor = Actor(None, "public", language=preferred_language())

        def show(ctx: Context) -> Response:
            formats = Formats(actor.language, ctx.timezone, deployment.settings.currency, deployment.clock())
            return current_app.make_response(function(PublicVisit(ctx, formats), **parts))

        answer = perform(deployment, actor, show, write=write, registry=registry)
        if "form_token" in g:  # the page has a form, which comes back with the token of this cookie
            set_cookie(answer, FORM_COOKIE, form_token())
        return answer

    serve.is_public = True  # type: ignore[attr-defined]
    return serve
