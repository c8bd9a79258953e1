"""``comptoir routes``: every address that the deployment answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, as_json, pass_terminal, print_rows
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Route:
    """An address, who brought it and who may use it; without a permission it is checked by what it shows."""

    path: str
    methods: tuple[str, ...]
    module: str
    permission: str | None
    public: bool


@click.command()
@click.option("--module", metavar="NAME", help="Those of one module.")
@as_json
@pass_terminal
def routes(terminal: Terminal, module: str | None, as_json: bool) -> None:
    """Every route with its module, methods and permission, public or not."""
    deployment = terminal.deployment
    found = [asdict(r) for r in routes_of(deployment, deployment.registry) if module in (None, r.module)]
    columns = {
        "path": _("Path"), "methods": _("Methods"), "module": _("Module"), "permission": _("Permission"),
        "public": _("Public"),
    }  # fmt: skip
    print_rows(found, columns, as_json=as_json)


def routes_of(deployment: Deployment, registry: Registry) -> list[Route]:
    """The routes of a generation, by path."""
    from comptoir.web.app import create_app

    app = create_app(deployment, registry)
    return sorted(_read(app, registry), key=lambda route: (route.path, route.methods))


def route_names(deployment: Deployment, registry: Registry) -> list[str]:
    """The routes as text, as a plan compares them."""
    return [f"{' '.join(route.methods)} {route.path}" for route in routes_of(deployment, registry)]


def _read(app: Any, registry: Registry) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        handler = getattr(view, "view_class", view)
        yield Route(
            path=rule.rule,
            methods=tuple(sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"})),
            module=_module_of(rule.rule, registry),
            permission=getattr(view, "permission", None) or getattr(handler, "permission", None),
            public=bool(getattr(view, "is_public", False) or getattr(handler, "is_public", False)),
        )


def _module_of(path: str, registry: Registry) -> str:
    steps = [step for step in path.split("/") if step]
    if steps[:2] == ["api", "v1"]:
        steps = steps[2:]
    return steps[0] if steps and steps[0] in registry.plugins else "core"
