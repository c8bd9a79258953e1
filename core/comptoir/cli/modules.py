"""``comptoir modules``: the life of modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.init import open_doors, print_log_ins
from comptoir.cli.routes import route_names, routes_of
from comptoir.cli.terminal import (
    Terminal,
    as_json,
    confirm,
    note,
    pass_terminal,
    print_json,
    print_rows,
    progress,
    say,
    shown,
)
from comptoir.errors import ComptoirError, NotFound
from comptoir.i18n import _, ngettext

if TYPE_CHECKING:
    from comptoir.deployment import Deployment
    from comptoir.modules.plan import Plan

names_argument = click.argument("names", nargs=-1, required=True, metavar="NAME…")
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would change and change nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def modules() -> None:
    """Enable, pause, resume, upgrade and uninstall modules."""


@modules.command("list")
@as_json
@pass_terminal
def list_(terminal: Terminal, as_json: bool) -> None:
    """The installed modules and how they stand."""
    columns = {
        "name": _("Module"), "state": _("State"), "version": _("Version"), "entitled": _("Entitled"),
        "requires": _("Requires"), "fault": _("Fault"),
    }  # fmt: skip
    print_rows(describe_all(terminal.deployment), columns, as_json=as_json)


@modules.command()
@click.argument("name")
@as_json
@pass_terminal
def show(terminal: Terminal, name: str, as_json: bool) -> None:
    """All that a module brings: tables, routes, jobs, permissions, roles."""
    from comptoir.contributions import RoleTemplate
    from comptoir.registry.discover import dependants
    from comptoir.registry.registry import build_registry

    deployment = terminal.deployment
    described = next((row for row in describe_all(deployment) if row["name"] == name), None)
    if described is None:
        raise NotFound(_("There is no module {name}. See: comptoir modules list", name=name))
    available = deployment.available()
    described["needed_by"] = dependants(available, name)
    registry = build_registry(available, {*deployment.registry.plugins, *_with_needs(available, name)})
    if name in registry.plugins:
        plugin = registry.plugins[name]
        described |= {
            "title": str(plugin.manifest.title),
            "summary": str(plugin.manifest.summary) or described["summary"],
            "tables": list(plugin.tables),
            "record_types": [d.name for d in registry.record_types.values() if d.module == name],
            "permissions": [p for p in registry.permissions if p.startswith(f"{name}.")],
            "roles": [str(t.label) for p, t in registry.contributions(RoleTemplate) if p.name == name],
            "jobs": [job for job in registry.jobs if job.startswith(f"{name}.")],
            "routes": [f"{' '.join(r.methods)} {r.path}" for r in routes_of(deployment, registry) if r.module == name],
        }
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        values = value if isinstance(value, list) else [value]
        for place, one in enumerate(values):
            click.echo(f"{key if place == 0 else '':<13} {shown(one)}".rstrip())


@modules.command()
@names_argument
@dry_run_option
@yes_option
@click.option("--demo", is_flag=True, help="Load demonstration data too.")
@click.option(
    "--restore",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Bring back the data that an uninstall exported to this file; once for each module.",
)
@pass_terminal
def enable(
    terminal: Terminal, names: tuple[str, ...], dry_run: bool, yes: bool, demo: bool, restore: tuple[Path, ...]
) -> None:
    """Enable modules and what they need."""
    from comptoir.modules.life_cycle import enable_modules, exports_for, exports_left

    deployment = terminal.deployment
    made = _plan(deployment, "enable", names, dry_run=dry_run)
    if dry_run:
        _print_plan(made)
        chosen = exports_for(deployment, made, restore)
        for export in chosen.values():
            for table, rows in export.rows.items():
                if rows:
                    say(
                        ngettext(
                            "brings back {table}, {count} row", "brings back {table}, {count} rows", rows, table=table
                        )
                    )
        for name, export in exports_left(deployment, made).items():
            if name not in chosen:
                say(_("An earlier uninstall left {file}; --restore brings it back.", file=export.path))
        return
    left = exports_left(deployment, made)
    for name in made.modules:
        if name in made.because:
            say(_("{name} comes along: {other} needs it.", name=name, other=made.because[name]))
    with progress(_("Enabling {names}", names=", ".join(names))) as announce:
        outcome = enable_modules(deployment, names, demo=demo, restore=restore, progress=announce)
        people = open_doors(deployment) if demo else []
    say(
        _("Enabled: {names}.", names=", ".join(made.modules))
        if made.modules
        else _("Everything named is enabled already.")
    )
    for restored in outcome.restored:
        left.pop(restored.module, None)
        for line in restored.lines():
            say(line)
    for name, export in left.items():
        note(
            _(
                "{name} begins anew. What it had lies in {file}: to bring that back, uninstall it and enable it with --restore.",
                name=name,
                file=export.path,
            )
        )
    print_log_ins(people)


@modules.command()
@names_argument
@dry_run_option
@yes_option
@click.option("--with-dependants", is_flag=True, help="Pause the modules that need them too.")
@pass_terminal
def pause(terminal: Terminal, names: tuple[str, ...], dry_run: bool, yes: bool, with_dependants: bool) -> None:
    """Silence modules and keep their data; refuses while another enabled module needs them."""
    from comptoir.modules.life_cycle import pause_modules

    deployment = terminal.deployment
    made = _plan(deployment, "pause", names, dry_run=dry_run, cascade=with_dependants)
    if dry_run:
        _print_plan(made)
        return
    pause_modules(deployment, names, cascade=with_dependants)
    say(_("Paused: {names}. Their data stays.", names=", ".join(made.modules)))


@modules.command()
@names_argument
@dry_run_option
@yes_option
@pass_terminal
def resume(terminal: Terminal, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Bring paused modules back with everything they had."""
    from comptoir.modules.life_cycle import resume_modules

    deployment = terminal.deployment
    made = _plan(deployment, "resume", names, dry_run=dry_run)
    if dry_run:
        _print_plan(made)
        return
    resume_modules(deployment, names)
    say(_("Resumed: {names}.", names=", ".join(made.modules)))


@modules.command()
@names_argument
@dry_run_option
@yes_option
@pass_terminal
def upgrade(terminal: Terminal, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Run the pending migrations of modules, and record their installed version."""
    from comptoir.modules.life_cycle import upgrade_all

    deployment = terminal.deployment
    known = {row["name"]: row["state"] for row in describe_all(deployment)}
    for name in names:
        if known.get(name) not in ("enabled", "paused"):
            raise ComptoirError(_("{name} is neither enabled nor paused.", name=name))
    with progress(_("Upgrading {names}", names=", ".join(names))):
        steps = upgrade_all(deployment, names, dry_run=dry_run)
    for step in steps:
        say(step)
    if not dry_run or not steps:
        say(ngettext("{count} migration ran.", "{count} migrations ran.", 0 if dry_run else len(steps)))


@modules.command()
@names_argument
@dry_run_option
@yes_option
@pass_terminal
def uninstall(terminal: Terminal, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Export the data of modules to a file, then drop their tables and all that is kept about them."""
    from comptoir.modules.uninstall import uninstall_modules

    deployment = terminal.deployment
    made = _plan(deployment, "uninstall", names, dry_run=dry_run)
    if dry_run:
        _print_plan(made)
        return
    rows = sum(made.tables.values())
    confirm(
        ngettext(
            "Uninstall {names} and drop {count} row of data?", "Uninstall {names} and drop {count} rows of data?",
            rows, names=", ".join(made.modules),
        ),
        yes=yes,
    )  # fmt: skip
    for name in made.modules:
        with progress(_("Uninstalling {name}", name=name)):
            outcome = uninstall_modules(deployment, [name])
        say(_("Uninstalled {name}. Its data lies in {file}.", name=name, file=outcome.export))
        if outcome.untouched is False:
            note(_("Something outside {name} changed meanwhile; people may have been working.", name=name))


def describe_all(deployment: Deployment) -> list[dict[str, Any]]:
    """Every installed or recorded module: its state, version, entitlement and fault."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from comptoir.registry.models import ModuleRow, QuarantineRow

    available = deployment.available()
    with Session(deployment.engine) as session:
        rows = {row.name: row for row in session.scalars(select(ModuleRow))}
        faults = {row.module: row.reason for row in session.scalars(select(QuarantineRow))}
    faults |= {name: fault.reason for name, fault in deployment.registry.quarantined.items()}
    described = []
    for name in dict.fromkeys([*available, *rows]):
        row, found = rows.get(name), available.get(name)
        described.append(
            {
                "name": name,
                "state": row.state if row is not None else "available",
                "version": found.version if found is not None else None,
                "database_version": row.version if row is not None else None,
                "entitled": deployment.settings.is_entitled(name),
                "requires": sorted(found.requires) if found is not None else [],
                "summary": found.summary if found is not None else "",
                "has_demo": row.has_demo if row is not None else False,
                "fault": faults.get(name),
            }
        )
    return described


def _plan(deployment: Deployment, action: str, names: Sequence[str], *, dry_run: bool, cascade: bool = False) -> Plan:
    from comptoir.modules.plan import plan

    deployment.refresh()
    listed = (lambda registry: route_names(deployment, registry)) if dry_run else None
    with progress(_("Looking at what would change")):
        return plan(deployment, action, names, routes=listed, cascade=cascade)


def _print_plan(made: Plan) -> None:
    for line in made.lines():
        say(line)
    if not made.modules:
        say(_("Nothing would change."))


def _with_needs(available: Any, name: str) -> Sequence[str]:
    from comptoir.registry.discover import with_requirements

    return with_requirements(available, [name])
