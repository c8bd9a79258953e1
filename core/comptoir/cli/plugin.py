"""``comptoir plugin``: tools for those who write plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from comptoir.cli.plugin_check import check
from comptoir.cli.plugin_new import new
from comptoir.cli.plugin_translations import translations
from comptoir.cli.terminal import Terminal, pass_terminal, say
from comptoir.errors import ComptoirError, NotFound
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.db.migrations import Unit
    from comptoir.deployment import Deployment


@click.group()
def plugin() -> None:
    """Tools for plugin authors."""


plugin.add_command(check)
plugin.add_command(new)
plugin.add_command(translations)


@plugin.command()
@click.argument("name")
@click.option("-m", "--message", required=True, metavar="MSG", help="What the revision changes, in one sentence.")
@pass_terminal
def revision(terminal: Terminal, name: str, message: str) -> None:
    """Draft the migration that brings a plugin’s tables in step with its models; read it before you keep it.

    It compares with the database of this deployment, which must be at the plugin’s newest revision.
    """
    from comptoir.db.migrations import differences, pending, write_revision

    unit = _unit(terminal.deployment, name)
    with terminal.deployment.engine.connect() as connection:
        if waiting := pending(connection, unit):
            raise ComptoirError(
                _("The database has not run {names} yet. Run first: comptoir upgrade", names=", ".join(waiting))
            )
        if not differences(connection, unit):
            raise ComptoirError(_("The models of {name} and its tables agree; nothing is to migrate.", name=name))
        path = write_revision(connection, unit, " ".join(message.replace('"', "\N{PRIME}").replace("\\", "/").split()))
    say(_("Wrote {file}. Read it, then run: comptoir upgrade", file=path))


def _unit(deployment: Deployment, name: str) -> Unit:
    from comptoir.modules.schema import unit_of
    from comptoir.registry.registry import build_registry
    from comptoir.registry.schema import core_unit

    if name == "comptoir":
        return core_unit()
    available = deployment.available()
    if name not in available:
        raise NotFound(_("There is no module {name}. Installed: {known}.", name=name, known=", ".join(available)))
    registry = build_registry(available, [*deployment.registry.plugins, name])
    if name not in registry.plugins:
        raise ComptoirError(_("{name} cannot be built: {reason}", name=name, reason=registry.quarantined[name].reason))
    return unit_of(registry, name)
