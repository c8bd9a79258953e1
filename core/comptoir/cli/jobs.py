"""``comptoir jobs``: scheduled work, what is in the queue, the runs, and what was given up."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, as_json, pass_terminal, print_rows, progress, say
from comptoir.errors import ComptoirError
from comptoir.i18n import _, ngettext

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.jobs.queued import WorkState

RUN_SECONDS = 3600.0


@click.group()
def jobs() -> None:
    """Scheduled jobs: list, run, pause and resume them, and see how they went."""


@jobs.command("list")
@as_json
@pass_terminal
def list_(terminal: Terminal, as_json: bool) -> None:
    """Every scheduled job with its last and next run."""
    from comptoir.jobs import inspect

    def look(ctx: Context) -> list[dict[str, Any]]:
        return [
            {
                "name": job.name,
                "title": str(job.title),
                "module": job.module,
                "schedule": str(job.schedule),
                "state": job.state,
                "why": str(job.why),
                "last_run_at": job.last_run.started_at if job.last_run else None,
                "last_state": job.last_run.state if job.last_run else None,
                "next_due": job.next_due,
                "progress": job.progress,
                "failing_since": job.failing_since,
                "paused_by": job.paused_by,
            }
            for job in inspect.jobs(ctx)
        ]

    rows = terminal.perform("comptoir jobs list", look, write=False)
    columns = {
        "name": _("Job"), "schedule": _("Schedule"), "state": _("State"), "last_run_at": _("Last run"),
        "next_due": _("Next run"), "progress": _("Done"), "failing_since": _("Failing since"), "why": _("Why"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("The enabled modules have no scheduled jobs."))


@jobs.command("run")
@click.argument("name")
@pass_terminal
def run(terminal: Terminal, name: str) -> None:
    """Run a job now, in this process, and say how it went."""
    from comptoir.jobs import inspect
    from comptoir.jobs.queue import Claimable, claim
    from comptoir.jobs.runner import execute

    deployment = terminal.deployment
    terminal.perform("comptoir jobs run", lambda ctx: inspect.run_now(ctx, name))
    only = Claimable(modules=[deployment.registry.jobs[name].module], jobs=[name], handlers=[])
    with progress(_("Running {name}", name=name)):
        taken = claim(deployment.engine, "comptoir jobs run", 1, RUN_SECONDS, now=deployment.clock(), only=only)
        outcome = execute(deployment, taken[0]) if taken else None
    if outcome is None:
        say(_("A worker has taken {name} already. See: comptoir jobs runs", name=name))
    elif outcome.state == "done":
        say(_("{name} is done.", name=name))
    else:
        raise ComptoirError(_("{name} failed: {reason}", name=name, reason=outcome.error or outcome.state))


@jobs.command("runs")
@click.option("--job", metavar="NAME", help="Those of one job.")
@click.option("--state", type=click.Choice(["running", "done", "failed", "stopped"]))
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True, metavar="N")
@as_json
@pass_terminal
def runs(terminal: Terminal, job: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """The last runs of jobs and deferred work, the latest first."""
    from comptoir.jobs import inspect
    from comptoir.jobs.steps import far

    def look(ctx: Context) -> list[dict[str, Any]]:
        return [
            {
                "id": run.id,
                "job": run.job,
                "module": run.module,
                "due": run.due,
                "started_at": run.started_at,
                "finished_at": run.finished_at,
                "state": run.state,
                "took_ms": run.took_ms,
                "attempt": run.attempt,
                "progress": far(run.done, run.total) if run.done is not None else "",
                "error": run.error,
                "worker": run.worker,
            }
            for run in inspect.runs(ctx, job=job, state=state, limit=limit)
        ]

    rows = terminal.perform("comptoir jobs runs", look, write=False)
    columns = {
        "id": _("Run"), "job": _("Job"), "started_at": _("Started"), "state": _("State"), "took_ms": _("Took, ms"),
        "attempt": _("Try"), "progress": _("Done"), "error": _("Error"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("Nothing has run yet."))


@jobs.command("queue")
@click.option("--state", type=click.Choice(["waiting", "running", "ending", "retrying", "dead"]))
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True, metavar="N")
@as_json
@pass_terminal
def queue(terminal: Terminal, state: WorkState | None, limit: int, as_json: bool) -> None:
    """What is in the queue: what fails and when it is tried again, what runs and how far it is, what waits."""
    from comptoir.jobs import queued

    def look(ctx: Context) -> list[dict[str, Any]]:
        return [asdict(work) for work in queued.works(ctx, state=state, limit=limit)]

    rows = terminal.perform("comptoir jobs queue", look, write=False)
    columns = {
        "id": _("Id"), "name": _("Work"), "state": _("State"), "progress": _("Done"), "attempts": _("Tries"),
        "failing_since": _("Failing since"), "next_try": _("Next try"), "error": _("Error"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("Nothing waits."))


@jobs.command("cancel")
@click.argument("number", type=int, metavar="ID")
@pass_terminal
def cancel(terminal: Terminal, number: int) -> None:
    """End work of the queue for good; what runs in steps ends before its next one."""
    from comptoir.jobs import queued

    state = terminal.perform("comptoir jobs cancel", lambda ctx: queued.cancel(ctx, number))
    say(_("It ends before its next step.") if state == "ending" else _("Cancelled."))


@jobs.command("retry")
@click.argument("number", type=int, metavar="ID")
@pass_terminal
def retry(terminal: Terminal, number: int) -> None:
    """Try work now that waits for its next try; what was given up goes on from where it stood."""
    from comptoir.jobs import queued

    terminal.perform("comptoir jobs retry", lambda ctx: queued.try_now(ctx, number))
    say(_("It is tried now."))


@jobs.command("pause")
@click.argument("name")
@pass_terminal
def pause(terminal: Terminal, name: str) -> None:
    """Let a job rest until it is resumed."""
    from comptoir.jobs import inspect

    terminal.perform("comptoir jobs pause", lambda ctx: inspect.pause(ctx, name))
    say(_("{name} rests.", name=name))


@jobs.command("resume")
@click.argument("name")
@pass_terminal
def resume(terminal: Terminal, name: str) -> None:
    """Let a paused job go on with its next moment."""
    from comptoir.jobs import inspect

    terminal.perform("comptoir jobs resume", lambda ctx: inspect.resume(ctx, name))
    say(_("{name} goes on.", name=name))


@jobs.command("dead")
@click.option("--limit", type=click.IntRange(1, 1000), default=80, show_default=True, metavar="N")
@as_json
@pass_terminal
def dead(terminal: Terminal, limit: int, as_json: bool) -> None:
    """Work that was given up, with the reason."""
    from comptoir.jobs.queue import dead_letters

    def look(ctx: Context) -> list[dict[str, Any]]:
        return [
            {
                "id": letter.id,
                "name": letter.name,
                "module": letter.module,
                "attempts": letter.attempts,
                "error": letter.error,
                "created_at": letter.created_at,
                "args": letter.args,
            }
            for letter in dead_letters(ctx.session, limit=limit)
        ]

    rows = terminal.perform("comptoir jobs dead", look, write=False)
    columns = {
        "id": _("Id"), "name": _("Work"), "module": _("Module"), "attempts": _("Tries"), "error": _("Error"),
        "created_at": _("Since"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("Nothing was given up."))


@jobs.command("replay")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.option("--all", "every", is_flag=True, help="Everything that was given up.")
@pass_terminal
def replay(terminal: Terminal, ids: tuple[int, ...], every: bool) -> None:
    """Give dead work its tries again."""
    from comptoir.jobs.queue import dead_letters
    from comptoir.jobs.queue import replay as revive

    if every == bool(ids):
        raise click.UsageError(str(_("Name the ids of “comptoir jobs dead”, or --all.")))

    def again(ctx: Context) -> int:
        session, before = ctx.session, None
        chosen = list(ids)
        while every and (batch := dead_letters(session, before=before, limit=500)):
            chosen += [letter.id for letter in batch]
            before = batch[-1].id
        return revive(session, chosen, now=ctx.now())

    count = terminal.perform("comptoir jobs replay", again)
    if not count and not every:
        raise ComptoirError(_("None of these was given up. See: comptoir jobs dead"))
    say(ngettext("{count} piece of work is tried again.", "{count} pieces of work are tried again.", count))
