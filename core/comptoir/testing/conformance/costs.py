"""What the pages and addresses of a plugin cost, in statements."""

from __future__ import annotations

from collections.abc import Mapping

from comptoir.testing.conformance.check import NotApplicable
from comptoir.testing.conformance.world import World, statements

MANY = 80


def paths_of(world: World) -> Mapping[str, list[str]]:
    """The lists, the pages of records and the addresses of the API that are measured."""
    found: dict[str, list[str]] = {"list": [], "record": [], "api": []}
    for name, declared in world.types.items():
        if name in world.made:
            number = world.id_of(name)
            found["list"].append(declared.url)
            if declared.declaration.workflow is not None:
                found["list"].append(f"{declared.url}/board")
            found["record"].append(f"{declared.url}/{number}?whole=1")
            found["api"] += [f"{declared.api_path}?page[size]={MANY}", f"{declared.api_path}/{number}"]
    if "base.contact" in world.made:
        found["record"].append(f"/base/contacts/{world.id_of('base.contact')}?whole=1")
    found["record"].append("/")
    return found


def _counts(world: World) -> dict[str, int]:
    """How many statements each page sends, once it is warm."""
    found = {}
    for path in (path for paths in paths_of(world).values() for path in paths):
        world.administrator.get(path)
        with statements() as sent:
            world.administrator.get(path)
        found[path] = len(sent)
    return found


def costs_of(world: World) -> tuple[dict[str, int], dict[str, int]]:
    """The statements of every page with one record of each type, and with eighty."""
    types = [declared for name, declared in world.types.items() if name in world.made]
    if not types:
        raise NotApplicable("it has no records")
    few = _counts(world)
    for declared in types:
        world.grow(declared, MANY)
    return few, _counts(world)
