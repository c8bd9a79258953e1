"""``comptoir upgrade``: bring the database in step with the installed program."""

from __future__ import annotations

import click

from comptoir.cli.terminal import Terminal, pass_terminal, progress, say
from comptoir.i18n import _, ngettext


@click.command()
@click.option("--dry-run", is_flag=True, help="List the migrations and change nothing.")
@pass_terminal
def upgrade(terminal: Terminal, dry_run: bool) -> None:
    """Run the pending migrations of the core and of every enabled or paused module, all or none."""
    from comptoir.modules.life_cycle import upgrade_all

    deployment = terminal.deployment
    deployment.refresh()
    with progress(_("Upgrading the database")):
        steps = upgrade_all(deployment, dry_run=dry_run)
    for step in steps:
        say(step)
    if not steps:
        say(_("The database is up to date."))
    elif dry_run:
        say(ngettext("{count} migration would run.", "{count} migrations would run.", len(steps)))
    else:
        say(ngettext("{count} migration ran.", "{count} migrations ran.", len(steps)))
