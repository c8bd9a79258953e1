"""Work: what it does when nobody looks on, and how it writes."""

from __future__ import annotations

from collections.abc import Iterator

from comptoir.errors import WriteRefused
from comptoir.jobs.inspect import run_now
from comptoir.jobs.runner import Outcome
from comptoir.jobs.worker import run_pending
from comptoir.modules.fingerprint import fingerprint
from comptoir.registry.plugin import readable
from comptoir.registry.registry import build_registry
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running


def _own_jobs(running: Running) -> list[str]:
    found = [name for name in running.registry.jobs if name.startswith(f"{running.name}.")]
    if not found:
        raise NotApplicable("it has no jobs")
    _ = running.world.made
    run_pending(running.world.deployment)
    return found


def _run(running: Running, name: str) -> list[str]:
    """Run a job and what follows from it; the reasons of what failed."""
    with running.world.deployment.system_context("conformance") as ctx:
        run_now(ctx, name)
    return [outcome.error or outcome.state for outcome in _failures(running)]


def _failures(running: Running) -> list[Outcome]:
    return [outcome for outcome in run_pending(running.world.deployment) if outcome.state in ("failed", "dead")]


@check("work.jobs", needs="deployment")
def jobs(running: Running) -> Iterator[Finding]:
    """Every job comes to its end."""
    for name in _own_jobs(running):
        for reason in _run(running, name):
            yield Finding(f"it fails: {reason:.200}", name, "mend what the reason names")


@check("work.twice", needs="deployment")
def twice(running: Running) -> Iterator[Finding]:
    """A job that runs twice leaves what it left after the first time."""
    deployment = running.world.deployment
    for name in _own_jobs(running):
        _run(running, name)
        before = fingerprint(deployment, excluding="nothing")
        _run(running, name)
        for difference in fingerprint(deployment, excluding="nothing").differences(before):
            yield Finding(f"its second run changes {difference}", name, "do only what is not done yet")


@check("work.one_writer", needs="deployment")
def one_writer(running: Running) -> Iterator[Finding]:
    """It changes records only with ``save``, ``move``, ``archive`` and ``delete``, whoever changes theirs."""
    from comptoir.base.models import Contact
    from comptoir.records.write import delete, save

    deployment = running.world.deployment
    with deployment.system_context("conformance", registry=build_registry(running.code.discover(), [])) as ctx:
        made = Contact(name="Changed")  # by people who do without the plugin
        save(ctx, [made])
        number = made.id

    def change() -> None:
        with deployment.system_context("conformance") as ctx:
            contact = ctx.session.get_one(Contact, number)
            contact.name = "Changed again"
            save(ctx, [contact])
            delete(ctx, [contact])

    try:
        change()
    except WriteRefused as refusal:
        yield Finding(str(refusal), readable(refusal), "save what you change; mark a statement on many with ctx.bulk(reason)")  # fmt: skip
    for record_type, reason in running.world.refused.items() if running.world.made else ():
        if reason.startswith("5"):
            yield Finding(f"creating one fails: {reason:.200}", record_type, "mend what the reason names")


@check("work.creates", needs="deployment")
def creates(running: Running) -> Iterator[Finding]:
    """A record of each of its types can be made through the API from what its fields say they take."""
    _ = running.world.made
    for record_type in running.world.types:
        if (reason := running.world.refused.get(record_type)) is not None:
            yield Finding(f"none can be made: {reason:.300}", record_type, "say in the fields what they take, or give seed_demo")  # fmt: skip


@check("work.outbox", needs="deployment")
def outbox(running: Running) -> Iterator[Finding]:
    """What it defers, and what follows from a commit, is done without failure."""
    _ = running.world.made
    for outcome in _failures(running):
        yield Finding(f"deferred work fails: {outcome.error!s:.200}", outcome.work.name, "mend what the reason names")
