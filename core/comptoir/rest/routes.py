"""The table of the API's routes: what exists in a generation, and with which right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from comptoir.contributions import Action
from comptoir.contributions import Route as Contributed
from comptoir.rest.bulk import run_bulk
from comptoir.rest.call import Answer
from comptoir.rest.contributed import IN_QUERY, answer_contributed
from comptoir.rest.resources import Resource

if TYPE_CHECKING:
    from comptoir.registry.registry import Registry

PREFIX = "/api/v1"
OF_COLLECTION = ("aggregate", "bulk")
"""What stands where a record's number would and concerns all records of a type."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    """As OpenAPI writes it: ``/api/v1/sales/deals/{id}``."""
    module: str
    permission: str | None
    """None where being signed in suffices."""
    public: bool
    kind: str
    """What it does: list, create, read, update, delete, bulk, aggregate, pivot, transitions, history, timeline, act, contributed or
    document."""
    handler: Callable[..., Answer]
    resource: Resource | None = None
    action: Action | None = None
    """The one that asks for something, where it has an address of its own."""
    contributed: Contributed | None = None
    """What a plugin said of an address of its own."""

    @property
    def body(self) -> str:
        """Whether a JSON body is read: required, optional or none."""
        if self.kind in ("act", "contributed"):
            return "none" if self.method in IN_QUERY else "optional"
        return "required" if self.method in ("POST", "PATCH") else "none"


def resources(registry: Registry) -> list[Resource]:
    """One resource per record type, with the actions that plugins contribute to it."""
    actions: dict[Any, dict[str, Any]] = {}
    for _plugin, action in registry.contributions(Action):
        actions.setdefault(action.on, {})[action.name] = action
    return [Resource(declared, actions.get(declared.model, {})) for declared in registry.record_types.values()]


def routes(registry: Registry) -> list[Route]:
    """Every operation of this generation: those on records, in the order of the record types, then those that plugins add."""
    of_records = [route for resource in resources(registry) for route in _of(resource)]
    contributed = (_contributed(plugin.name, route) for plugin, route in registry.contributions(Contributed))
    taken = {(route.method, route.path) for route in of_records}
    return of_records + [route for route in contributed if (route.method, route.path) not in taken]


def _contributed(module: str, contributed: Contributed) -> Route:
    return Route(
        contributed.method,
        f"{PREFIX}/{module}{contributed.path}",
        module,
        contributed.permission,
        False,
        "contributed",
        partial(answer_contributed, contributed=contributed),
        contributed=contributed,
    )


def _of(resource: Resource) -> Iterator[Route]:
    declared = resource.declared
    base, one = declared.api_path, f"{declared.api_path}/{{id}}"
    route = partial(Route, module=declared.module, public=False, resource=resource)
    read, write = declared.permission("read"), declared.permission("write")
    yield route("GET", base, permission=read, kind="list", handler=resource.list_records)
    yield route("POST", base, permission=declared.permission("create"), kind="create", handler=resource.create_record)
    yield route("GET", f"{base}/aggregate", permission=read, kind="aggregate", handler=resource.aggregate_records)
    yield route("GET", f"{base}/pivot", permission=read, kind="pivot", handler=resource.pivot_records)
    yield route("POST", f"{base}/bulk", permission=write, kind="bulk", handler=partial(run_bulk, resource=resource))
    yield route("GET", one, permission=read, kind="read", handler=resource.read_record)
    yield route("PATCH", one, permission=write, kind="update", handler=resource.update_record)
    yield route("DELETE", one, permission=declared.permission("delete"), kind="delete", handler=resource.delete_record)
    yield route("GET", f"{one}/history", permission=read, kind="history", handler=resource.history)
    if declared.declaration.timeline:
        yield route("GET", f"{one}/timeline", permission=read, kind="timeline", handler=resource.timeline)
    if resource.workflow is not None:
        yield route("GET", f"{one}/transitions", permission=read, kind="transitions", handler=resource.transitions)
    for action in (action for action in resource.actions.values() if action.asks):
        yield route(
            "POST", f"{one}/actions/{action.name}", permission=action.permission, kind="act",
            handler=partial(resource.act, name=action.name), action=action,
        )  # fmt: skip
    yield route("POST", f"{one}/actions/{{action}}", permission=write, kind="act", handler=resource.act)
