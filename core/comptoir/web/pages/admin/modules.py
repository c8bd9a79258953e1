"""Modules as an administrator sees them: what there is, what a switch would change, and the switch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from flask import Blueprint, Response, current_app, g, request
from sqlalchemy import func, or_, select

from comptoir.access.models import RolePermission, User, UserRole
from comptoir.access.permissions import ADMINISTER
from comptoir.access.roles import can_sign_in
from comptoir.access.users import seats_taken
from comptoir.context import unrestricted
from comptoir.contributions import Job, Tab
from comptoir.errors import ComptoirError, NotFound
from comptoir.i18n import Text, _, ngettext
from comptoir.modules import life_cycle
from comptoir.modules.crashes import bring_back
from comptoir.modules.plan import Plan
from comptoir.modules.plan import plan as plan_action
from comptoir.modules.plan import states as module_states
from comptoir.modules.uninstall import uninstall_modules
from comptoir.registry.discover import Available, dependants
from comptoir.registry.models import QuarantineRow, State
from comptoir.registry.registry import Registry, build_registry
from comptoir.registry.trial import try_out
from comptoir.reports import Report
from comptoir.web.account import confirm_password, renewed_session
from comptoir.web.addresses import url_with
from comptoir.web.frame import is_partial, page, part, redirect_with, settings_side
from comptoir.web.models.modules import ModuleRow, ModulesPage, PlanPage, Restorable
from comptoir.web.models.shell import Choice, Module, Toast, Tone
from comptoir.web.session import Visit, current_deployment, requires, visited

pages = Blueprint("modules", __name__)

Deed = Literal["enable", "pause", "resume", "uninstall"]
DEEDS: dict[str, tuple[Text, Text, Text]] = {
    "enable": (_("Switch on {name}?"), _("Switch on"), _("Leave it off")),
    "resume": (_("Switch {name} on again?"), _("Switch on"), _("Leave it off")),
    "pause": (_("Switch off {name}?"), _("Switch off"), _("Keep it on")),
    "uninstall": (_("Uninstall {name}?"), _("Uninstall, delete the data"), _("Keep it")),
}
TEXTS: dict[str, Text] = {
    "enable": _("Its pages, jobs and API addresses are there at once, for whoever holds its roles. No restart."),
    "resume": _("Everything it had is back at once: data, settings and roles were kept."),
    "pause": _(
        "Its pages disappear from menus, tabs and dashboards. The data stays and is back when you switch it on again."
    ),
    "uninstall": _(
        "Its data is exported to a file first, then its tables are dropped. Nothing else changes, which is proved afterwards."
    ),
}


@pages.get("/settings/modules")
@requires(ADMINISTER)
@visited
def modules(visit: Visit) -> Response:
    """Every module, installed or not."""
    deployment = current_deployment()
    available = deployment.available()
    states = module_states(unrestricted(visit.context, "modules"))
    registry = visit.registry
    # faults of hooks and migrations, which do not keep a module from being built
    faults = {row.module: row.reason for row in unrestricted(visit.context, "modules").scalars(select(QuarantineRow))}
    rows = [
        _row(visit, registry, available, states, name, faults.get(name, ""))
        for name in sorted({*available, *states}, key=lambda n: (n != "base", n))
    ]
    wanted = request.args.get("show", "")
    is_on = {"enabled", "quarantined"}
    kept = [r for r in rows if not wanted or (r.state in is_on) == (wanted == "on")]
    on = sum(r.state in is_on for r in rows)
    filters = (
        Choice(f"{_('All')} {len(rows)}", "/settings/modules", not wanted),
        Choice(f"{_('On')} {on}", url_with("/settings/modules", [("show", "on")]), wanted == "on"),
        Choice(f"{_('Off')} {len(rows) - on}", url_with("/settings/modules", [("show", "off")]), wanted == "off"),
    )
    seats, taken = deployment.settings.seats, seats_taken(unrestricted(visit.context, "modules"))
    entitled = deployment.settings.modules
    model = ModulesPage(
        tuple(r for r in kept if r.state in {"enabled", "paused", "quarantined"}),
        tuple(r for r in kept if r.state in {"available", "not_entitled"}),
        filters,
        licence=str(_("All modules") if entitled is None else ngettext("{count} module in the plan", "{count} modules in the plan", len(entitled))),
        seats=str(_("{taken} of {seats} seats in use", taken=taken, seats=seats)) if seats is not None else str(ngettext("{count} seat in use, no limit", "{count} seats in use, no limit", taken)),
        seats_percent=round(taken / seats * 100) if seats else 0,
    )  # fmt: skip
    return page(
        "admin/modules.html",
        model,
        crumbs=[(_("Settings"), "/settings/modules"), _("Modules")],
        side=settings_side(visit),
    )


def _row(
    visit: Visit, registry: Registry, available: dict[str, Available], states: dict[str, State], name: str, noted: str
) -> ModuleRow:
    found = available.get(name)
    state = State.ENABLED if name == "base" else states.get(name, State.AVAILABLE)
    fault = registry.quarantined.get(name)
    entitled = current_deployment().settings.is_entitled(name)
    plugin = registry.plugins.get(name) or _off_plugin(available, name)
    shown: Any
    tone: Tone
    if fault is not None:
        shown, label, tone = "quarantined", _("Left out"), "bad"
    elif state is State.ENABLED:
        shown, label, tone = "enabled", _("Always on") if name == "base" else _("On"), "ok"
    elif state is State.PAUSED:
        shown, label, tone = "paused", _("Paused, data kept"), "warn"
    elif entitled:
        shown, label, tone = "available", _("Included, off"), "ok"
    else:
        shown, label, tone = "not_entitled", _("Not in your plan"), ""
    deed = "pause" if state is State.ENABLED else ("resume" if state is State.PAUSED else "enable")
    switchable = name != "base" and entitled and found is not None
    return ModuleRow(
        name,
        str(plugin.manifest.title) if plugin is not None else name,
        plugin.manifest.icon if plugin is not None else "puzzle",
        found.version if found is not None else "",
        plugin.manifest.author if plugin is not None else "",
        str(plugin.manifest.summary) if plugin is not None else "",
        shown,
        str(label),
        tone,
        requires=tuple(
            str(_("needs {name}", name=_title(visit, n))) for n in (found.requires if found is not None else ())
        ),
        adds=_adds(plugin),
        warning=fault.reason if fault is not None else noted,
        switch_url=f"/settings/modules/{name}/{deed}" if switchable else "",
        locked=not switchable,
        back_url=f"/settings/modules/{name}/back" if fault is not None and fault.phase == "hook" else "",
        uninstall_url=f"/settings/modules/{name}/uninstall" if state is State.PAUSED and found is not None else "",
        data_url=f"/settings/modules/{name}/data" if state is State.PAUSED and found is not None else "",
    )


def _off_plugin(available: dict[str, Available], name: str) -> Any:
    """A module that is off, loaded for its title; None where it cannot be."""
    wanted = [n for n in (*_needs(available, name), name) if n in available]
    try:
        for needed in wanted:
            try_out(available[needed])
        return build_registry(available, wanted).plugins.get(name)
    except ComptoirError:
        return None


def _needs(available: dict[str, Available], name: str) -> list[str]:
    found = available.get(name)
    return list(found.requires) if found is not None else []


def _adds(plugin: Any) -> str:
    if plugin is None:
        return ""
    parts = []
    for one, many, count in (
        (_("{count} table"), _("{count} tables"), len(plugin.tables)),
        (_("{count} tab"), _("{count} tabs"), len(plugin.of(Tab))),
        (_("{count} report"), _("{count} reports"), len(plugin.of(Report))),
        (_("{count} job"), _("{count} jobs"), len(plugin.of(Job))),
    ):
        if count:
            parts.append(str((one if count == 1 else many).format(count=count)))
    return ", ".join(parts)


def _title(visit: Visit, name: str) -> str:
    registry = visit.registry
    plugin = registry.plugins.get(name) or _off_plugin(current_deployment().available(), name)
    return str(plugin.manifest.title) if plugin is not None else name


def _plan_page(visit: Visit, name: str, action: str, error: Text = "") -> PlanPage:
    title = _title(visit, name)
    question, deed, keep = DEEDS[action]
    url = f"/settings/modules/{name}/{action}"
    if action == "pause" and request.values.get("cascade") == "1":
        url += "?cascade=1"
    common: dict[str, Any] = {
        "title": str(question.format(name=title)), "url": url, "keep_label": str(keep), "cancel_url": "/settings/modules",
        "danger": action in {"pause", "uninstall"}, "error": str(error),
    }  # fmt: skip
    needing = [n for n in dependants(current_deployment().available(), name) if n in visit.registry.plugins]
    try:
        plan = plan_action(current_deployment(), action, [name], routes=routes_of, cascade=action == "pause")
    except ComptoirError as refused:
        return PlanPage(text=str(TEXTS[action]), submit_label=str(deed), refused=str(refused), **common)
    others = [n for n in plan.modules if n != name]
    label = (
        f"{deed} {title}"
        if not others
        else str(ngettext("{deed} {count} module", "{deed} {count} modules", len(plan.modules), deed=deed))
    )
    because = {
        n: str(_("needs {name}", name=title) if n in needing else _("{name} needs it", name=title)) for n in others
    }
    integer = visit.formats.integer
    counts = [(label, integer(count)) for label, count in _concerned(visit, plan) if count]
    changes = (
        (str(_("Addresses")), plan.routes), (str(_("Jobs")), plan.jobs), (str(_("Permissions")), plan.permissions),
        (str(_("Tables")), tuple(f"{t}: {n}" for t, n in {**plan.tables, **plan.kept_tables}.items())),
        (str(_("Migrations")), plan.revisions), (str(_("Files")), plan.files),
    )  # fmt: skip
    return PlanPage(
        text=str(TEXTS[action]), submit_label=label, also=tuple((Module(n, _title(visit, n)), because[n]) for n in others),
        counts=tuple(counts[:4]), changes=changes, exports=_restorable(visit, plan) if action == "enable" else (), **common,
    )  # fmt: skip


def _restorable(visit: Visit, plan: Plan) -> tuple[Restorable, ...]:
    """What earlier uninstalls left of the modules that a plan begins anew."""
    deployment, formats, chosen = current_deployment(), visit.formats, request.form.getlist("restore")
    known = build_registry(deployment.available(), [*visit.registry.plugins, *plan.modules]).by_table
    found = []
    for name, export in life_cycle.exports_left(deployment, plan).items():
        day = formats.day(export.exported_at.astimezone(formats.timezone).date())
        counts = ((known[t].declaration.plural, rows) for t, rows in export.rows.items() if t in known and rows)
        found.append(
            Restorable(
                export.path.name,
                str(_("Bring back the data that {name} had on {day}", name=_title(visit, name), day=day)),
                ", ".join(f"{plural}: {formats.integer(rows)}" for plural, rows in counts)
                or str(_("It holds no records.")),
                str(life_cycle.refusal_of(deployment, plan, export) or ""),
                export.path.name in chosen,
            )
        )
    return tuple(found)


def _concerned(visit: Visit, plan: Plan) -> list[tuple[str, int]]:
    """Whom and what a switch concerns: the people whose roles hold something of the modules, and their records by type."""
    session = unrestricted(visit.context, "modules")
    held = or_(*(RolePermission.permission.startswith(f"{name}.", autoescape=True) for name in plan.modules))
    people = session.scalar(
        select(func.count(func.distinct(User.id)))
        .join(UserRole, UserRole.user_id == User.id)
        .join(RolePermission, RolePermission.role_id == UserRole.role_id)
        .where(held, *can_sign_in())
    )
    known = current_deployment().registry_with_paused().by_table
    rows = {**plan.kept_tables, **plan.tables}
    kept = [(str(known[table].declaration.plural), count) for table, count in rows.items() if table in known]
    return [(str(_("people work with it")), people or 0), *sorted(kept, key=lambda pair: -pair[1])]


def routes_of(registry: Registry) -> Iterable[str]:
    """Every address of a generation, for plans."""
    app = current_app.extensions["comptoir"].build(current_deployment(), registry)
    for rule in app.url_map.iter_rules():
        methods = ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        yield f"{methods} {rule.rule}"


@pages.get("/settings/modules/<name>/<action>")
@requires(ADMINISTER)
@visited
def show_plan(visit: Visit, name: str, action: str) -> Response:
    """What a switch would change; nothing has happened yet."""
    if action not in DEEDS:
        raise NotFound(_("There is no such page."))
    return _answer(visit, _plan_page(visit, name, action))


def _answer(visit: Visit, model: PlanPage, status: int = 200) -> Response:
    if is_partial():
        return part("admin/_plan.html", model, status=status)
    return page(
        "admin/plan.html",
        model,
        crumbs=[(_("Modules"), "/settings/modules"), model.title],
        side=settings_side(visit),
        status=status,
    )


@pages.post("/settings/modules/<name>/back")
@requires(ADMINISTER)
@visited
def back(visit: Visit, name: str) -> Response:
    """Let a module that was set aside after its crashes run again; it is set aside once more if it goes on crashing."""
    deployment, title = current_deployment(), _title(visit, name)

    def follow_up() -> Response:
        bring_back(deployment, name)
        _serve_newest()
        return redirect_with("/settings/modules", Toast(str(_("{name} runs again", name=title))))

    g.after_visit = follow_up
    return Response(status=202)


@pages.post("/settings/modules/<name>/<action>")
@requires(ADMINISTER)
@visited
def switch(visit: Visit, name: str, action: str) -> Response:
    """Have the password typed again, then leave this transaction and switch."""
    if action not in DEEDS:
        raise NotFound(_("There is no such page."))
    wrong = confirm_password(visit, request.form.get("password", ""))
    if wrong is not None:
        return _answer(visit, _plan_page(visit, name, action, wrong), 422)
    return _switch_after_commit(visit, name, action)


def _switch_after_commit(visit: Visit, name: str, action: str) -> Response:
    """Switching opens its own transactions, so it waits for this request's to end."""
    deployment, actor, title = current_deployment(), visit.context.actor, _title(visit, name)
    carry_session = renewed_session(visit)
    wanted = request.form.getlist("restore") if action == "enable" else []
    left = life_cycle.exports_left(deployment, plan_action(deployment, action, [name])) if wanted else {}
    if unknown := set(wanted) - {export.path.name for export in left.values()}:
        raise NotFound(_("There is no export {file}.", file=", ".join(sorted(unknown))))
    restore = [export.path for export in left.values() if export.path.name in wanted]

    def follow_up() -> Response:
        notes: list[str] = []
        if action == "enable":
            outcome = life_cycle.enable_modules(deployment, [name], actor=actor, restore=restore)
            notes = [line for restored in outcome.restored for line in restored.shortfalls()]
        elif action == "resume":
            life_cycle.resume_modules(deployment, [name], actor=actor)
        elif action == "pause":
            life_cycle.pause_modules(deployment, [name], actor=actor, cascade=True)
        else:
            uninstall_modules(deployment, [name], actor=actor)
        _serve_newest()
        answer = redirect_with("/settings/modules", _toast(title, action, notes))
        carry_session(answer)
        return answer

    g.after_visit = follow_up
    return Response(status=202)


def _serve_newest() -> None:
    """The browser's next request finds the new generation served."""
    host = current_app.extensions.get("comptoir_host")
    if host is not None:
        host.swap()
        host.wait_for_all(1.0)


def _toast(title: str, action: str, notes: Sequence[str]) -> Toast:
    texts = {
        "enable": _("{name} is on", name=title),
        "resume": _("{name} is on again", name=title),
        "pause": _("{name} is off, its data kept", name=title),
        "uninstall": _("{name} is uninstalled; its data is in the export file", name=title),
    }
    return Toast(". ".join([str(texts[action]), *notes]))
