"""The frame of a page: the rail from what the modules contribute, crumbs, actions, and what was just done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flask import Response, g, render_template, request

from comptoir.access.permissions import ADMINISTER
from comptoir.contributions import MenuItem
from comptoir.i18n import Text, _
from comptoir.registry.registry import Registry
from comptoir.reports import Report
from comptoir.web.addresses import here
from comptoir.web.models.shell import Action, Banner, Crumb, Module, NavGroup, NavItem, Shell, Toast, UserView
from comptoir.web.session import Visit, current_deployment, current_registry, preferred_language

GROUPS: tuple[tuple[str, Text], ...] = (
    ("today", ""),
    ("records", _("Records")),
    ("modules", _("Modules")),
    ("insight", _("Insight")),
)
TOAST_COOKIE = "comptoir-toast"
FORM_HEADER, LOCATION_HEADER = "Comptoir-Form", "Comptoir-Location"
UNKEPT = ("/account", "/settings")
"""Pages that no browser keeps: sessions, tokens, users, rights."""


def module_of(registry: Registry, name: str) -> Module | None:
    """Whose contribution this is; None for the core and base, which need no mark."""
    if name in {"core", "base"} or name not in registry.plugins:
        return None
    return Module(name, str(registry.plugins[name].manifest.title))


def page(
    template: str, model: Any, *, crumbs: Sequence[tuple[Text, str] | Text], actions: Iterable[Action] = (),
    side: tuple[NavGroup, ...] = (), status: int = 200, **more: Any,
) -> Response:  # fmt: skip
    """A whole page in its frame."""
    html = render_template(template, shell=frame(crumbs=crumbs, actions=actions, side=side), page=model, **more)
    answer = Response(html, status=status, mimetype="text/html")
    if status == 200 and not request.path.startswith(UNKEPT):
        # the browser may hold the page while its person is on the next one, so that the way back leads to the same place
        answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def part(template: str, model: Any, *, status: int = 200, toast: Toast | None = None) -> Response:
    """A part of a page, for htmx."""
    answer = Response(render_template(template, page=model), status=status, mimetype="text/html")
    if toast is not None:
        answer.headers["HX-Trigger"] = json.dumps({"toast": toast_value(toast)})
    return answer


def toast_value(toast: Toast) -> dict[str, Any]:
    """A toast as the browser's script takes it."""
    return {
        "text": str(toast.text), "undo_url": toast.undo_url, "undo_fields": [list(p) for p in toast.undo_fields],
        "tone": toast.tone,
    }  # fmt: skip


def is_partial() -> bool:
    """Whether the browser asked for a part of the page."""
    return request.headers.get("HX-Request") == "true"


def is_kept_form() -> bool:
    """Whether a script sent a form and keeps what was typed until it hears that all is well."""
    return request.headers.get(FORM_HEADER) == "true"


def heard(response: Response) -> Response:
    """The answer to a form that a script sent: where to go instead of going there, because it first lets go of its draft."""
    if is_kept_form() and response.status_code in (302, 303):
        response.headers[LOCATION_HEADER] = response.headers.pop("Location")
        response.status_code = 204
    return response


def redirect_with(location: str, toast: Toast | None = None) -> Response:
    """Go on to another page after a change, and say there what was done."""
    answer = Response(status=303, headers={"Location": location})
    if toast is not None:
        answer.set_cookie(
            TOAST_COOKIE, json.dumps(toast_value(toast)), max_age=30, httponly=True, samesite="Lax", path="/",
            secure=request.is_secure,
        )  # fmt: skip
    return answer


def waiting_toasts() -> tuple[Toast, ...]:
    """What the previous page asked to have said here."""
    kept = request.cookies.get(TOAST_COOKIE)
    if not kept:
        return ()
    g.forget_toast = True
    try:
        value = json.loads(kept)
        fields = tuple((str(name), str(text)) for name, text in value.get("undo_fields", []))
        undo = str(value.get("undo_url", ""))
        return (Toast(str(value["text"])[:300], undo if undo.startswith("/") and undo[1:2] != "/" else "", fields),)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def frame(
    *, crumbs: Sequence[tuple[Text, str] | Text], actions: Iterable[Action] = (), side: tuple[NavGroup, ...] = ()
) -> Shell:
    """Everything around the page for the user of this request, or for somebody who is not signed in."""
    deployment, registry = current_deployment(), current_registry()
    trail = tuple(Crumb(str(c[0]), c[1]) if isinstance(c, tuple) else Crumb(str(c)) for c in crumbs)
    visit: Visit | None = g.get("visit")
    if visit is None:
        return Shell(deployment=deployment.name, crumbs=trail, language=preferred_language())
    groups = navigation(registry, visit)
    preferences = visit.preferences
    return Shell(
        deployment=deployment.name,
        user=UserView(visit.user.name, visit.user.email or "", id=visit.user.id),
        groups=groups,
        foot=_foot(visit),
        side=side,
        tabbar=_tabbar(groups),
        crumbs=trail,
        actions=tuple(actions),
        banners=tuple(_banners(registry, visit)),
        toasts=waiting_toasts(),
        language=visit.formats.language,
        scheme=preferences.get("scheme", ""),
        density=preferences.get("density", ""),
        rail=preferences.get("rail", ""),
        here=here() if request.method == "GET" else "/",
    )


def navigation(registry: Registry, visit: Visit) -> tuple[NavGroup, ...]:
    """The rail's groups with the entries whose permission the user holds."""
    grants = visit.context.actor.grants
    offered = registry.offered(MenuItem, grants)
    items = [item for _plugin, item in offered]
    modules = {item.name: plugin.name for plugin, item in offered}
    here = _longest_match([item.path for item in items] + ["/", "/reports"])

    def entry(item: MenuItem) -> NavItem:
        children = tuple(entry(child) for child in items if child.parent == item.name)
        is_open = item.path == here or any(c.current or c.open for c in children)
        return NavItem(
            str(item.label), item.path, item.icon, current=item.path == here, open=is_open and bool(children),
            module=modules[item.name], children=children,
        )  # fmt: skip

    found = []
    for name, label in GROUPS:
        entries = [entry(item) for item in items if item.group == name and item.parent is None]
        if name == "today":
            entries.insert(0, NavItem(str(_("Dashboard")), "/", "home", current=here == "/"))
        if name == "insight" and registry.offered(Report, grants):
            entries.append(NavItem(str(_("Reports")), "/reports", "table", current=here == "/reports"))
        if entries:
            found.append(NavGroup(str(label), tuple(entries)))
    return tuple(found)


def _longest_match(paths: Iterable[str]) -> str:
    """The entry whose pages the reader is on: the longest path at the beginning of this one."""
    fitting = [p for p in paths if request.path == p or (p != "/" and request.path.startswith(p.rstrip("/") + "/"))]
    return max(fitting, key=len, default="")


def _foot(visit: Visit) -> tuple[NavItem, ...]:
    if not visit.context.actor.grants.administrator:
        return ()
    current = request.path.startswith("/settings/")
    return (NavItem(str(_("Modules and settings")), "/settings/modules", "sliders", current=current),)


def _tabbar(groups: Iterable[NavGroup]) -> tuple[NavItem, ...]:
    flat = [item for group in groups for item in group.items]
    return tuple(replace(item, children=()) for item in flat[:4])


def _banners(registry: Registry, visit: Visit) -> Iterable[Banner]:
    if not visit.context.actor.grants.administrator:
        return
    for fault in registry.quarantined.values():
        yield Banner(
            str(_("The module {name} is left out: {reason}", name=fault.name, reason=fault.reason)), "warn",
            "/settings/modules", str(_("See modules")),
        )  # fmt: skip
    if reason := current_deployment().build_fault:
        yield Banner(str(_("The last change of modules could not be put in service: {reason}", reason=reason)), "bad")


def settings_side(visit: Visit) -> tuple[NavGroup, ...]:
    """The second column of the settings pages."""
    visit.context.require(ADMINISTER)

    def item(label: Text, path: str) -> NavItem:
        return NavItem(str(label), path, current=request.path == path or request.path.startswith(path + "/"))

    return (
        NavGroup(
            str(_("People")),
            (
                item(_("Users"), "/settings/users"), item(_("Roles"), "/settings/roles"), item(_("Teams"), "/base/teams"),
                item(_("Security"), "/settings/security"),
            ),
        ),
        NavGroup(
            str(_("Platform")),
            (
                item(_("Modules"), "/settings/modules"), item(_("Jobs"), "/settings/jobs"),
                item(_("API"), "/api/docs"),
            ),
        ),
    )  # fmt: skip
