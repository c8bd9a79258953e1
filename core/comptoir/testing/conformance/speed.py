"""Speed: what a page costs does not grow with what it shows."""

from __future__ import annotations

from collections.abc import Iterator

from comptoir.testing.conformance.check import Finding, check
from comptoir.testing.conformance.costs import MANY, paths_of
from comptoir.testing.conformance.running import Running

SPARE = 3
"""So many further statements are no growth: a count, a second page."""


def _growth(running: Running, kind: str) -> Iterator[Finding]:
    world = running.world
    few, many = running.costs
    for path in paths_of(world)[kind]:
        if many[path] > few[path] + SPARE:
            yield Finding(f"it sends {few[path]} statements with one record and {many[path]} with {MANY}", path, "read what all rows need in one statement")  # fmt: skip


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
