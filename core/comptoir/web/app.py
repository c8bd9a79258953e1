"""One Flask application for one generation: exactly the enabled modules, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any, ClassVar

from flask import Flask, Response, g, request
from jinja2 import StrictUndefined
from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.rules import RulePart

from comptoir.access.passwords import prepare_hashes
from comptoir.deployment import Deployment
from comptoir.errors import Behind, SetAside
from comptoir.i18n import Text, _, ngettext
from comptoir.registry.deadlines import refuse_crowded
from comptoir.registry.registry import Registry
from comptoir.rest import create_blueprint
from comptoir.rest.routes import PREFIX
from comptoir.web import account, charts, faults, filters, security
from comptoir.web.cell_html import cell_writer, icon_writer, rows_writer
from comptoir.web.delivery import install_compression, serve_static
from comptoir.web.frame import TOAST_COOKIE, heard
from comptoir.web.health import health_pages
from comptoir.web.ids import IdConverter
from comptoir.web.pages import dashboard, records, search
from comptoir.web.pages.admin import api_docs, jobs, module_data, modules, roles, tokens, users
from comptoir.web.pages.admin import security as security_screen
from comptoir.web.pages.report import page as reports
from comptoir.web.session import Actors, in_visit, install_sign_in, is_write, masked_form_token
from comptoir.web.themes import COMPILED, StaticFiles, load_theme, template_loader
from comptoir.web.views import add_views


@dataclass(frozen=True)
class Generation:
    """What the views of one application share."""

    deployment: Deployment
    registry: Registry
    actors: Actors
    static: StaticFiles
    build: Callable[[Deployment, Registry], Flask]
    """Makes the application of another generation, for plans that compare the two."""


class LazyRule(Rule):
    """A rule that is read once for all generations, and learns to write addresses at the first one: most never do."""

    _read: ClassVar[dict[str, tuple[list[RulePart], list[tuple[bool, str]], dict[str, BaseConverter]]]] = {}

    def _parse_rule(self, rule: str) -> Iterable[RulePart]:
        if rule not in self._read:
            start = len(self._trace)
            parts = list(super()._parse_rule(rule))
            self._read[rule] = parts, self._trace[start:], {n: _detached(c) for n, c in self._converters.items()}
            return parts
        parts, trace, converters = self._read[rule]
        self._trace += trace
        self._converters |= converters
        self.arguments |= converters.keys()
        return parts

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_now(append_unknown))
            return compiled[0](rule, **values)

        return build


def _refuse(reason: Text | str) -> None:
    """Leave nothing but what the page of the reason is made of, and what watches from outside."""
    if request.blueprint != "health" and request.endpoint != "static":
        raise Behind(reason)


def _detached(converter: BaseConverter) -> BaseConverter:
    """A converter without the addresses of the generation that it was made for, which would live as long."""
    found = copy(converter)
    del found.map
    return found


class WebApp(Flask):
    """A Flask application that opens the user's unit of work around every view, except public ones and the API's, which open their own."""

    url_rule_class = LazyRule

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Answer a request; bytes of its parameters that are no ASCII count as their %XX, whatever text they make."""
        parameters = environ.get("QUERY_STRING", "")
        if not parameters.isascii():
            environ["QUERY_STRING"] = "".join(c if c.isascii() else f"%{ord(c):02X}" for c in parameters)
        return super().wsgi_app(environ, start_response)

    def dispatch_request(self) -> Any:
        """Call the view inside the visit; whatever it returns is finished before the transaction commits."""
        rule = request.url_rule
        view = self.view_functions.get(rule.endpoint) if rule is not None else None
        opens_none = getattr(view, "is_public", False) or getattr(view, "checks_credentials", False)
        if request.routing_exception is not None or view is None or opens_none:
            return super().dispatch_request()
        state: Generation = self.extensions["comptoir"]
        dispatch = super().dispatch_request

        def see() -> Response:
            g.pop("after_visit", None)  # of a try that failed
            return self.make_response(dispatch())

        answer = in_visit(state.deployment, state.registry, state.actors, see, write=is_write(request.method))
        follow_up: Callable[[], Response] | None = g.pop("after_visit", None)
        return answer if follow_up is None else follow_up()


def create_app(deployment: Deployment, registry: Registry) -> Flask:
    """The application that serves this generation of a deployment."""
    theme = load_theme(deployment.settings.theme)
    plugins = list(registry.plugins.values())
    static = StaticFiles(theme, plugins)
    app = WebApp("comptoir.web", static_folder=None, template_folder=None)
    app.extensions["comptoir"] = Generation(deployment, registry, Actors(registry), static, create_app)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_loader = template_loader(theme, plugins)
    app.url_map.converters["int"] = IdConverter
    environment = app.jinja_env
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.auto_reload = False
    environment.bytecode_cache = COMPILED
    environment.filters.update(
        initials=filters.initials, hue=filters.hue, icon_name=filters.icon_name, code=filters.code
    )
    write_icon = icon_writer(static.url)
    write_cell = cell_writer(write_icon)
    environment.globals.update(
        _=_,
        ngettext=ngettext,
        asset=static.url,
        style_sheet=static.sheet,
        csrf_token=masked_form_token,
        charts=charts,
        icon_html=write_icon,
        cell_html=write_cell,
        rows_html=rows_writer(write_cell),
    )
    install_compression(app)
    security.protect(app, deployment.settings)
    faults.install_errors(app)
    install_sign_in(app)
    serve_static(app, static)
    app.register_blueprint(account.pages)

    app.register_blueprint(health_pages(deployment, registry))
    if registry.unready:
        app.before_request(partial(_refuse, registry.unready))
    for screen in (
        api_docs,
        dashboard,
        search,
        reports,
        modules,
        module_data,
        jobs,
        users,
        roles,
        tokens,
        security_screen,
    ):
        app.register_blueprint(screen.pages)
    for declared in registry.record_types.values():
        records.add_record_type(app, declared)
    add_views(app, registry)
    _answer_for_absent(app, registry)

    @app.before_request
    def leave_alone() -> None:
        if (plugin := registry.plugins.get(faults.module_addressed(request))) is not None:
            refuse_crowded(plugin)

    @app.after_request
    def forget_toast(response: Response) -> Response:
        if g.get("forget_toast"):
            response.delete_cookie(TOAST_COOKIE, path="/")
        return response

    app.after_request(heard)
    app.register_blueprint(create_blueprint(deployment, registry))
    # the first sign-in need not wait for the hash that stands in for unknown users
    Thread(target=prepare_hashes, daemon=True).start()
    return app


def _answer_for_absent(app: Flask, registry: Registry) -> None:
    """Below the addresses of a module that is on but does not run: that it is set aside, instead of that it is not there."""

    def set_aside(name: str) -> Callable[..., Response]:
        def view(**_path: str) -> Response:
            raise SetAside(
                _("The module {name} is set aside for now. Administrators see why on the modules page.", name=name)
            )

        return view

    for name in registry.quarantined:
        for_page, for_program = set_aside(name), set_aside(name)
        for_program.checks_credentials = True  # type: ignore[attr-defined]  # so that no visit is opened around it
        for prefix, view in ((f"/{name}", for_page), (f"{PREFIX}/{name}", for_program)):
            for rule in (prefix, f"{prefix}/<path:path>"):
                app.add_url_rule(rule, f"set_aside:{rule}", view, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
