"""Scheduled work as an administrator sees it."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response, request

from comptoir.access.permissions import ADMINISTER
from comptoir.context import unrestricted
from comptoir.errors import NotFound
from comptoir.i18n import Text, _
from comptoir.jobs import inspect, queued
from comptoir.web import charts
from comptoir.web.frame import page, redirect_with
from comptoir.web.models.jobs import JobDetails, JobRow, JobRun, JobsPage, WorkRow
from comptoir.web.models.shell import Action, Choice, Module, Toast
from comptoir.web.session import Visit, requires, visited

pages = Blueprint("jobs", __name__)

Mark = Literal["ok", "warn", "bad", "run", "off"]
TONES: dict[str, Mark] = {
    "new": "off", "ok": "ok", "running": "run", "hanging": "warn", "retrying": "warn", "failing": "bad", "late": "bad",
    "paused": "off",
}  # fmt: skip
LOG_LINES = 200
SHOWN_WORK = 50


def _module(visit: Visit, name: str) -> Module:
    plugin = visit.registry.plugins.get(name)
    return Module(name, str(plugin.manifest.title) if plugin is not None else name)


def _last(visit: Visit, status: inspect.JobStatus) -> str:
    if status.state == "paused":
        return str(status.why)
    if status.last_run is None:
        return str(_("not yet"))
    at = visit.formats.moment(status.last_run.started_at)
    words = {"failing": _("Failed {at}", at=at), "retrying": _("Failed {at}, tries again", at=at), "running": _("Running"),
             "hanging": _("Hangs since {at}", at=at), "late": _("Late, last {at}", at=at)}  # fmt: skip
    return str(words.get(status.state, at))


def _run_tone(run: inspect.Run) -> Mark:
    return "run" if run.finished_at is None else ("bad" if run.error else "ok")


@pages.get("/settings/jobs")
@requires(ADMINISTER)
@visited
def jobs(visit: Visit) -> Response:
    """Every job with its last and next run; one of them in detail."""
    ctx, formats = visit.context, visit.formats
    statuses = inspect.jobs(ctx)
    wanted, chosen = request.args.get("show", ""), request.args.get("job", "")
    groups = {"running": {"running", "hanging"}, "failed": {"failing", "retrying", "late", "hanging"}}
    rows = tuple(_row(visit, s, chosen) for s in statuses if not wanted or s.state in groups.get(wanted, {s.state}))
    beat = inspect.scheduler(unrestricted(ctx, "jobs"), now=ctx.now())
    day = inspect.last_day(ctx)
    filters = tuple(
        Choice(f"{label} {count}", f"/settings/jobs{query}", wanted == name)
        for name, label, query, count in (
            ("", _("All"), "", len(statuses)),
            ("running", _("Running"), "?show=running", sum(s.state in groups["running"] for s in statuses)),
            ("failed", _("Failed"), "?show=failed", sum(s.state in groups["failed"] for s in statuses)),
        )
    )
    found = next((s for s in statuses if s.name == chosen), None)
    last = formats.moment(beat.last_beat) if beat.last_beat is not None else "–"
    model = JobsPage(
        rows,
        clock=str(_("Clock alive, last beat {at}", at=last) if beat.alive else _("No worker is running: start “comptoir worker”")),
        clock_tone="ok" if beat.alive else "bad",
        filters=filters,
        summary=str(_("Last 24 hours: {runs} runs, {done} well, {failed} failed", runs=day.runs, done=day.done, failed=day.failed)),
        details=_details(visit, found) if found is not None else None,
        works=tuple(_work(visit, work) for work in queued.works(ctx, limit=SHOWN_WORK)),
        works_summary=_works_summary(visit),
    )  # fmt: skip
    return page("admin/jobs.html", model, crumbs=[(_("Settings"), "/settings/modules"), _("Jobs")])


def _row(visit: Visit, status: inspect.JobStatus, chosen: str) -> JobRow:
    runs = [(_run_tone(r), (r.took_ms or 0) / 1000) for r in reversed(status.runs)]
    last = status.last_run
    return JobRow(
        status.name, str(status.title), _module(visit, status.module), str(status.schedule), _last(visit, status),
        TONES.get(status.state, "off"), charts.run_history(runs),
        visit.formats.seconds(last.took_ms) if last is not None and last.took_ms is not None else "–",
        visit.formats.moment(status.next_due) if status.next_due is not None else "–",
        f"/settings/jobs?job={status.name}",
        f"/settings/jobs/{status.name}/run" if status.state not in {"paused", "running"} else "",
        status.name == chosen,
    )  # fmt: skip


def _works_summary(visit: Visit) -> str:
    words: dict[queued.WorkState, Text] = {
        "retrying": _("fail"),
        "dead": _("given up"),
        "running": _("run"),
        "ending": _("end"),
        "waiting": _("wait"),
    }
    counts = queued.work_counts(visit.context)
    return ", ".join(f"{visit.formats.integer(counts[name])} {word}" for name, word in words.items() if counts[name])


def _work(visit: Visit, work: queued.WorkStatus) -> WorkRow:
    formats, base = visit.formats, f"/settings/jobs/work/{work.id}"
    again, end = (
        Action(str(label), f"{base}/{name}", icon, post=True)
        for label, name, icon in ((_("Try now"), "retry", "refresh"), (_("Cancel"), "cancel", "x"))
    )
    states: dict[queued.WorkState, tuple[Mark, Text, tuple[Action, ...]]] = {
        "waiting": ("off", _("Waits"), (end,)),
        "running": ("run", _("Running"), (end,) if work.has_steps else ()),
        "ending": ("run", _("Ends before its next step"), ()),
        "retrying": ("warn", _("Try {number} failed", number=work.attempts), (again, end)),
        "dead": ("bad", _("Given up"), (again, end)),
    }
    tone, state, actions = states[work.state]
    if work.behind is not None and work.state == "waiting":
        state = _("Waits for {number}", number=work.behind)
    return WorkRow(
        work.id, work.name, _module(visit, work.module), str(state), tone, work.progress,
        formats.moment(work.failing_since) if work.failing_since is not None else "–",
        formats.moment(work.next_try) if work.next_try is not None else "–",
        work.error or "", actions,
    )  # fmt: skip


def _details(visit: Visit, status: inspect.JobStatus) -> JobDetails:
    formats, base = visit.formats, f"/settings/jobs/{status.name}"
    actions = [Action(str(_("Run now")), f"{base}/run", "refresh", post=True, tone="primary")]
    if status.state == "paused":
        actions = [Action(str(_("Resume")), f"{base}/resume", "play", post=True, tone="primary")]
    else:
        actions.append(Action(str(_("Pause")), f"{base}/pause", "pause", post=True))
    last = status.last_run
    log = inspect.run_log(visit.context, last.id).splitlines()[-LOG_LINES:] if last is not None else []
    return JobDetails(
        str(status.title), _module(visit, status.module),
        str(_("run {number}, {at}", number=formats.integer(last.id), at=formats.moment(last.started_at))) if last else str(_("not run yet")),
        "/settings/jobs",
        (
            (str(_("Name")), status.name), (str(_("Schedule")), str(status.schedule)),
            (str(_("Next")), formats.moment(status.next_due) if status.next_due is not None else "–"),
            *([(str(_("Done")), status.progress)] if status.progress else []),
            *([(str(_("Failing since")), formats.moment(status.failing_since))] if status.failing_since else []),
        ),
        tuple(actions),
        problem=(last.error or "").splitlines()[0][:200] if last is not None and last.error else "",
        problem_text=str(status.why) if status.needs_attention else "",
        runs=tuple(
            JobRun(formats.moment(r.started_at), _run_tone(r), (r.error or str(_("done")))[:120],
                   formats.seconds(r.took_ms) if r.took_ms is not None else "–")
            for r in status.runs[:8]
        ),
        log=tuple(("", "error" if "error" in line.lower() else "info", line) for line in log),
    )  # fmt: skip


@pages.post("/settings/jobs/work/<int:number>/<action>")
@requires(ADMINISTER)
@visited
def act_on_work(visit: Visit, number: int, action: str) -> Response:
    """Cancel work of the queue, or try it now."""
    ctx = visit.context
    if action == "cancel":
        ending = queued.cancel(ctx, number) == "ending"
        text = (
            _("Work {number} ends before its next step", number=number)
            if ending
            else _("Work {number} is cancelled", number=number)
        )
    elif action == "retry":
        queued.try_now(ctx, number)
        text = _("Work {number} is tried now", number=number)
    else:
        raise NotFound(_("There is no such page."))
    return redirect_with("/settings/jobs", Toast(str(text)))


@pages.post("/settings/jobs/<name>/<action>")
@requires(ADMINISTER)
@visited
def act(visit: Visit, name: str, action: str) -> Response:
    """Run, pause or resume a job."""
    ctx = visit.context
    deeds = {"run": inspect.run_now, "pause": inspect.pause, "resume": inspect.resume}
    if action in deeds:
        deeds[action](ctx, name)
    job = ctx.registry.jobs.get(name)
    title = str(job.title or name) if job is not None else name
    texts = {
        "run": _("{name} starts now", name=title),
        "pause": _("{name} is paused", name=title),
        "resume": _("{name} goes on", name=title),
    }
    return redirect_with(f"/settings/jobs?job={name}", Toast(str(texts.get(action, ""))))
