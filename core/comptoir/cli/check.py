"""``comptoir check``: the health of a deployment, part by part."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import click
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from comptoir.cli.init import key_file
from comptoir.cli.run import explain, one_line
from comptoir.cli.terminal import Terminal, as_json, pass_terminal, print_json, say
from comptoir.errors import ComptoirError
from comptoir.i18n import Text, _, ngettext

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.deployment import Deployment
    from comptoir.jobs.inspect import JobStatus, SchedulerStatus
    from comptoir.settings import Settings

SCARCE = 200 * 2**20
"""Less free room than this is named as a problem."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: ``ok``, a ``note`` to know of, or a ``problem`` to solve."""

    part: str
    state: Literal["ok", "note", "problem"]
    message: str


@click.command()
@click.option("--whole", is_flag=True, help="Compare the search and the summaries with every record.")
@click.option("--mend", is_flag=True, help="Compare search and summaries with every record, and correct what departs.")
@as_json
@pass_terminal
def check(terminal: Terminal, whole: bool, mend: bool, as_json: bool) -> None:
    """Look at configuration, files, database, migrations, modules, users, jobs and search; exit 1 names what is wrong."""
    findings = list(look(terminal, whole=whole, mend=mend))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{finding.state:<8} {finding.part:<14} {finding.message}")
    wrong = sum(finding.state == "problem" for finding in findings)
    if wrong:
        raise ComptoirError(ngettext("{count} problem found.", "{count} problems found.", wrong))


def look(terminal: Terminal, *, whole: bool = False, mend: bool = False) -> Iterator[Finding]:
    """Every finding, in order; what cannot be looked at because of an earlier problem is left out."""
    try:
        deployment = terminal.deployment
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        yield _problem("configuration", explain(error))
        return
    settings = deployment.settings
    yield _ok("configuration", _("{path} is valid.", path=settings.path))
    yield from _guarded("files", _files, settings)
    yield from _guarded("disk", _disk, settings)
    reachable = list(_guarded("database", _database, deployment))
    yield from reachable
    if any(finding.state == "problem" for finding in reachable):
        return
    migrations = list(_guarded("migrations", _migrations, deployment))
    yield from migrations
    if any(finding.state == "problem" for finding in migrations):
        return
    yield from _guarded("modules", _modules, deployment)
    yield from _guarded("users", _users, deployment)
    yield from _guarded("jobs", _jobs, deployment)
    yield from _guarded("search", _mended if mend else _searched if whole else _sampled, deployment)
    if mend:
        yield from _guarded("summaries", _corrected, deployment)
    elif whole:
        yield from _guarded("summaries", _compared, deployment)


def _guarded(part: str, find: Callable[[Any], Iterator[Finding]], subject: Any) -> Iterator[Finding]:
    try:
        yield from find(subject)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        yield _problem(part, explain(error))


def _files(settings: Settings) -> Iterator[Finding]:
    assert settings.path is not None
    faults: list[Text] = []
    folder, key = settings.data_dir, key_file(settings.path)
    if not folder.is_dir():
        faults.append(_("The folder {folder} is not there. Create it, or run: comptoir init", folder=folder))
    elif not os.access(folder, os.W_OK | os.X_OK):
        faults.append(_("The folder {folder} cannot be written. Change its rights.", folder=folder))
    if not key.exists():
        faults.append(
            _("The key {file} is missing: stored secrets cannot be read. Put it back, or run: comptoir init", file=key)
        )
    elif key.stat().st_mode & 0o077:
        faults.append(_("The key {file} can be read by others. Run: chmod 600 {file}", file=key))
    for fault in faults:
        yield _problem("files", fault)
    if settings.path.stat().st_mode & 0o004 and "@" in settings.database_url:
        words = _("{file} holds a password and can be read by everyone. Run: chmod 600 {file}", file=settings.path)
        yield Finding("files", "note", str(words))
    elif not faults:
        yield _ok("files", _("Folder and key are in order."))


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir if settings.data_dir.is_dir() else settings.data_dir.parent
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:.1f} GB" if free >= 2**30 else f"{free // 2**20} MB"
    if free < SCARCE:
        yield _problem("disk", _("Only {room} are free in {folder}. Make room.", room=room, folder=folder))
    else:
        yield _ok("disk", _("{room} free.", room=room))


def _database(deployment: Deployment) -> Iterator[Finding]:
    with deployment.engine.connect() as connection:
        connection.execute(text("select 1"))
        name = connection.dialect.name
    if not deployment.is_initialised():
        yield _problem("database", _("The database is empty. Create its tables with: comptoir init"))
        return
    with deployment.engine.connect().execution_options(
        comptoir_write=True
    ) as connection:  # proves that it can be written
        transaction = connection.begin()
        connection.execute(text("update core_generation set number = number where id = 1"))
        transaction.rollback()
        if name == "sqlite" and (fault := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()) != "ok":
            yield _problem("database", _("The database file is damaged: {fault}. Restore a backup.", fault=fault))
            return
    yield _ok("database", _("{name} answers.", name="PostgreSQL" if name == "postgresql" else "SQLite"))


def _migrations(deployment: Deployment) -> Iterator[Finding]:
    from comptoir.modules.life_cycle import upgrade_all

    waiting = upgrade_all(deployment, dry_run=True)
    if waiting:
        yield _problem("migrations", _("Waiting: {names}. Run: comptoir upgrade", names=", ".join(waiting)))
    else:
        yield _ok("migrations", _("Nothing waits."))


def _modules(deployment: Deployment) -> Iterator[Finding]:
    from comptoir.cli.modules import describe_all

    rows = describe_all(deployment)
    sound = True
    for row in rows:
        if row["fault"] and row["state"] == "enabled":
            sound = False
            yield _problem("modules", _("{name} is quarantined: {reason}", name=row["name"], reason=row["fault"]))
        elif row["state"] == "enabled" and not row["entitled"]:
            sound = False
            yield _problem(
                "modules",
                _(
                    "{name} is enabled, but not in this deployment’s plan. Pause it, or add it to entitlement.modules.",
                    name=row["name"],
                ),
            )
    unknown = set(deployment.settings.modules or ()) - {row["name"] for row in rows}
    for name in sorted(unknown):
        sound = False
        yield _problem("modules", _("entitlement.modules names {name}, which is not installed.", name=name))
    if sound:
        enabled = [row["name"] for row in rows if row["state"] == "enabled"]
        yield _ok("modules", _("Enabled: {names}.", names=", ".join(enabled)))


def _users(deployment: Deployment) -> Iterator[Finding]:
    from comptoir.access.roles import has_administrator
    from comptoir.access.users import seats_taken

    seats = deployment.settings.seats
    with Session(deployment.engine) as session:
        taken = seats_taken(session)
        if not has_administrator(session):
            yield _problem("users", _("Nobody can administer. Run: comptoir init --admin-email …"))
        elif seats is not None and taken > seats:
            yield _problem(
                "users",
                _("{taken} users can sign in, {seats} seats are paid for. Disable some.", taken=taken, seats=seats),
            )
        else:
            yield _ok("users", ngettext("{count} user can sign in.", "{count} users can sign in.", taken))


def _jobs(deployment: Deployment) -> Iterator[Finding]:
    from comptoir.access.permissions import system_actor
    from comptoir.edge import perform
    from comptoir.jobs.inspect import jobs, scheduler
    from comptoir.jobs.models import DEAD, QueuedWork
    from comptoir.registry.models import ProcessRow

    def look(ctx: Context) -> tuple[SchedulerStatus, int, int, list[JobStatus]]:
        session, now = ctx.session, ctx.now()
        clock = scheduler(session, now=now)
        serving = session.scalar(
            select(func.count()).select_from(ProcessRow).where(ProcessRow.seen_at > now - dt.timedelta(seconds=30))
        )
        dead = session.scalar(select(func.count()).select_from(QueuedWork).where(QueuedWork.state == DEAD)) or 0
        return clock, serving or 0, dead, [job for job in jobs(ctx) if job.state in ("failing", "hanging", "retrying")]

    clock, serving, dead, failing = perform(deployment, system_actor("comptoir check"), look, write=False)
    sound = True
    if not clock.alive and serving:
        sound = False
        yield _problem(
            "jobs", _("The web serves and no worker runs, so nothing that is due happens. Run: comptoir worker")
        )
    elif not clock.alive:
        sound = False
        yield Finding(
            "jobs", "note", str(_("No worker runs. It starts with comptoir serve, or alone: comptoir worker"))
        )
    for job in failing:
        sound = False
        yield Finding("jobs", "note" if job.state == "retrying" else "problem", f"{job.name}: {job.why}")
    if dead:
        sound = False
        yield Finding("jobs", "note", str(ngettext(
            "{count} piece of work was given up. See: comptoir jobs dead",
            "{count} pieces of work were given up. See: comptoir jobs dead", dead)))  # fmt: skip
    if sound:
        yield _ok("jobs", ngettext("{count} worker runs.", "{count} workers run.", clock.workers))


def _sampled(deployment: Deployment) -> Iterator[Finding]:
    yield from _search(deployment, whole=False)


def _searched(deployment: Deployment) -> Iterator[Finding]:
    yield from _search(deployment, whole=True)


def _mended(deployment: Deployment) -> Iterator[Finding]:
    """Each part is corrected in a transaction of its own, so that nobody waits long."""
    from comptoir.records.search import mend_index, mend_search

    with deployment.system_context("comptoir check") as ctx:
        rebuilt = mend_index(ctx.session)
    corrected = 0
    for name in deployment.registry.record_types:
        start: int | None = None
        while start != 0:
            with deployment.system_context("comptoir check") as ctx:
                departing, start = mend_search(ctx, name, before=start)
                corrected += departing
    if rebuilt:
        yield _ok("search", _("The damaged index of the search was built anew."))
    if corrected:
        yield _ok("search", ngettext(
            "{count} record was not found as it is; corrected.",
            "{count} records were not found as they are; corrected.", corrected))  # fmt: skip
    if not corrected and not rebuilt:
        yield _ok("search", _("Every record is found as it is."))


def _search(deployment: Deployment, *, whole: bool) -> Iterator[Finding]:
    from comptoir.records.search import departures, is_index_sound

    with deployment.system_context("comptoir check", write=False) as ctx:
        wrong = 0
        for declared in ctx.registry.record_types.values():
            parts = departures(ctx, declared)
            wrong += sum(map(len, parts if whole else islice(parts, 1)))
    if whole:
        # the engine's own comparison of its index writes, if only for a moment
        with deployment.system_context("comptoir check") as ctx:
            if not is_index_sound(ctx.session):
                yield _problem("search", _("The index of the search is damaged. Run: comptoir check --mend"))
                return
    if wrong:
        yield _problem("search", ngettext(
            "{count} record is not found as it is. Run: comptoir check --mend",
            "{count} records are not found as they are. Run: comptoir check --mend", wrong))  # fmt: skip
    else:
        yield _ok(
            "search", _("Every record is found as it is.") if whole else _("The newest records are found as they are.")
        )


def _compared(deployment: Deployment) -> Iterator[Finding]:
    """What the dashboards add up, against the records; a summary that is not there yet is no fault."""
    from comptoir.records.summaries import departing, kept_summaries

    with deployment.system_context("comptoir check", write=False) as ctx:
        wrong = sum(len(departing(ctx, model, summary)) for model, summary in kept_summaries(ctx))
    if wrong:
        yield _problem("summaries", ngettext(
            "{count} group of a summary departs from the records. Run: comptoir check --mend",
            "{count} groups of summaries depart from the records. Run: comptoir check --mend", wrong))  # fmt: skip
    else:
        yield _ok("summaries", _("The summaries agree with the records."))


def _corrected(deployment: Deployment) -> Iterator[Finding]:
    from comptoir.records.summaries import kept_summaries, mend_summary

    with deployment.system_context("comptoir check", write=False) as ctx:
        kept = list(kept_summaries(ctx))
    corrected = 0
    for model, summary in kept:  # each in a transaction of its own, so that nobody waits long
        with deployment.system_context("comptoir check") as ctx:
            corrected += mend_summary(ctx, model, summary)
    if corrected:
        yield _ok("summaries", ngettext(
            "{count} group of a summary departed from the records; corrected.",
            "{count} groups of summaries departed from the records; corrected.", corrected))  # fmt: skip
    else:
        yield _ok("summaries", _("The summaries agree with the records."))


def _ok(part: str, message: Text) -> Finding:
    return Finding(part, "ok", one_line(message))


def _problem(part: str, message: Text) -> Finding:
    return Finding(part, "problem", one_line(message))
