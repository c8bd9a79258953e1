"""Life: it comes, rests and goes without a trace."""

from __future__ import annotations

from collections.abc import Iterator

from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running, beside

PLACE = "its life alone"


@check("life.enabled", needs="deployment")
def enabled(running: Running) -> Iterator[Finding]:
    """It can be enabled in a fresh deployment."""
    _ = running.code.registry
    try:
        _ = running.world
    except NotApplicable as reason:
        yield Finding(str(reason), PLACE, "mend what the reason names")


@check("life.course", needs="deployment")
def course(running: Running) -> Iterator[Finding]:
    """It can be enabled, paused, resumed, uninstalled and enabled again."""
    for station, reason in running.life.failed.items():
        yield Finding(f"{station} fails: {reason}", PLACE, "mend what the reason names")


@check("life.arrival", needs="deployment")
def arrival(running: Running) -> Iterator[Finding]:
    """Enabling it changes nothing outside it, seen by a fingerprint of all tables, files, jobs and rights."""
    for difference in running.life.enabling:
        yield Finding(f"enabling it changes {difference}", PLACE, "seed only records of its own")


@check("life.pause", needs="deployment")
def pause(running: Running) -> Iterator[Finding]:
    """Paused it is silent: no address, job or right of it is there, and all other pages serve."""
    for heard in running.life.heard.get("paused", ()):
        yield Finding(
            f"while it is paused: {heard}", PLACE, "contribute it; what is registered past the platform stays"
        )


@check("life.kept", needs="deployment")
def kept(running: Running) -> Iterator[Finding]:
    """A pause keeps its rows, their history and their search as they were."""
    for table in running.life.lost:
        yield Finding(f"a pause changes rows of {table}", PLACE, "change nothing in on_module_resumed that people did not ask for")  # fmt: skip


@check("life.departure", needs="deployment")
def departure(running: Running) -> Iterator[Finding]:
    """Uninstalled it leaves no table, history, search entry, right or role, and everything else is as it was."""
    for heard in running.life.heard.get("uninstalled", ()):
        yield Finding(f"after it was uninstalled there is still: {heard}", PLACE, "contribute every table, and drop it in downgrade()")  # fmt: skip
    if running.life.touched:
        yield Finding(
            "uninstalling it changes something outside it", PLACE, "let its migrations touch its own tables only"
        )


@check("life.neighbours", needs="deployment")
def neighbours(running: Running) -> Iterator[Finding]:
    """Beside each other installed plugin it comes and goes without changing anything of it."""
    if running.code.source.is_base:
        raise NotApplicable("base is always on")
    if not running.neighbours:
        raise NotApplicable("no other plugin is installed")
    for neighbour in running.neighbours:
        try:
            found = beside(running, neighbour)
        except NotApplicable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            found = [f"{type(error).__name__}: {error}"]
        for difference in found:
            yield Finding(f"beside {neighbour}: {difference}", neighbour, "touch only what is its own")
