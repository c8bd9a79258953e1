"""Speed: what a page costs does not grow with what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.world import World, statements

MANY = 80
SPARE = 3
"""So many further statements are no growth: a count, a second page."""


def _paths(world: World) -> Mapping[str, list[str]]:
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
    for path in (path for paths in _paths(world).values() for path in paths):
        world.administrator.get(path)
        with statements() as sent:
            world.administrator.get(path)
        found[path] = len(sent)
    return found


def _growth(running: Running, kind: str) -> Iterator[Finding]:
    world = running.world
    few, many = running.costs
    for path in _paths(world)[kind]:
        if many[path] > few[path] + SPARE:
            yield Finding(f"it sends {few[path]} statements with one record and {many[path]} with {MANY}", path, "read what all rows need in one statement")  # fmt: skip


def costs(running: Running) -> tuple[dict[str, int], dict[str, int]]:
    """The statements of every page with one record of each type, and with eighty."""
    world = running.world
    types = [declared for name, declared in world.types.items() if name in world.made]
    if not types:
        raise NotApplicable("it has no records")
    few = _counts(world)
    for declared in types:
        world.grow(declared, MANY)
    return few, _counts(world)


@check("speed.lists", needs="deployment")
def lists(running: Running) -> Iterator[Finding]:
    """Lists and boards send as many statements for eighty records as for one."""
    yield from _growth(running, "list")


@check("speed.records", needs="deployment")
def records(running: Running) -> Iterator[Finding]:
    """The pages of records, of contacts and the dashboard send as many statements beside eighty records as beside one."""
    yield from _growth(running, "record")


@check("speed.api", needs="deployment")
def api(running: Running) -> Iterator[Finding]:
    """The API sends as many statements for eighty records as for one."""
    yield from _growth(running, "api")


@check("speed.or", needs="deployment")
def no_or(running: Running) -> Iterator[Finding]:
    """No statement of its joins columns of several tables by OR: no index serves that."""
    _ = running.world.seen
    for place, tables in running.scattered.items():
        yield Finding(f"OR over {', '.join(sorted(tables))}", place, "ask each table by itself, and join the answers with union()")  # fmt: skip
