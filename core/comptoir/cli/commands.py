"""The commands: each group is imported when it is asked for, so that every one starts quickly."""

from __future__ import annotations

import os
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comptoir import __version__
from comptoir.cli.terminal import Terminal
from comptoir.errors import NotFound, PluginError
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.registry.registry import Registry

COMMANDS = {
    "init": ("init", "init"),
    "serve": ("serve", "serve"),
    "worker": ("serve", "worker"),
    "modules": ("modules", "modules"),
    "users": ("users", "users"),
    "tokens": ("tokens", "tokens"),
    "audit": ("audit", "audit"),
    "import": ("transfer", "import_command"),
    "imports": ("imports", "imports"),
    "export": ("transfer", "export_command"),
    "jobs": ("jobs", "jobs"),
    "upgrade": ("upgrade", "upgrade"),
    "check": ("check", "check"),
    "routes": ("routes", "routes"),
    "demo": ("demo", "demo"),
    "plugin": ("plugin", "plugin"),
}
"""Where each command is defined: its module of this package, and its name there."""


class Commands(click.Group):
    """The core's commands, and one group for each enabled plugin that contributes some."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names for the help page; a deployment that cannot be opened adds none."""
        present = [name for name, (module, _name) in COMMANDS.items() if util.find_spec(f"comptoir.cli.{module}")]
        try:
            from comptoir.contributions import Command

            plugins = [p.name for p, _command in _registry(ctx).contributions(Command)]
        except Exception:  # noqa: BLE001 - the help page is shown without a deployment too
            plugins = []
        return present + sorted(set(plugins) - set(present))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A command of the core, or the group of an enabled plugin."""
        if name in COMMANDS:
            module, attribute = COMMANDS[name]
            if util.find_spec(f"comptoir.cli.{module}") is None:
                return None
            command: click.Command = getattr(import_module(f"comptoir.cli.{module}"), attribute)
            return command
        return _plugin_group(ctx, name)


def _terminal(ctx: click.Context) -> Terminal:
    """The terminal of this run; needed before the callback below when the command belongs to a plugin."""
    if ctx.obj is None:
        ctx.obj = Terminal(ctx.params.get("config") or _default_config())
        ctx.call_on_close(ctx.obj.close)
    found: Terminal = ctx.obj
    return found


def _registry(ctx: click.Context) -> Registry:
    return _terminal(ctx).deployment.registry


def _plugin_group(ctx: click.Context, name: str) -> click.Command | None:
    """The commands of a plugin; None for a name that no installed plugin has, so that click suggests what was meant."""
    from comptoir.contributions import Command
    from comptoir.registry.discover import discover_plugins

    if name not in discover_plugins():
        return None
    registry = _registry(ctx)
    if name in registry.quarantined:
        raise PluginError(name, registry.quarantined[name].reason)
    if name not in registry.plugins:
        raise NotFound(_("The module {name} is not enabled. Enable it with: comptoir modules enable {name}", name=name))
    commands = {str(c.command.name): c.command for c in registry.plugins[name].of(Command)}
    if not commands:
        raise NotFound(_("The module {name} has no commands.", name=name))
    return click.Group(name, commands=commands, help=str(registry.plugins[name].manifest.summary))


def _default_config() -> Path:
    return Path(os.environ.get("COMPTOIR_CONFIG") or "comptoir.toml")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    is_eager=True,  # the help page lists the commands of its plugins
    type=click.Path(dir_okay=False, readable=False, path_type=Path),
    default=_default_config,
    show_default="$COMPTOIR_CONFIG, else ./comptoir.toml",
    help="The deployment's configuration file.",
)
@click.version_option(__version__, prog_name="comptoir")
@click.pass_context
def comptoir(ctx: click.Context, config: Path) -> None:
    """Comptoir, the CRM that grows by modules."""
    _terminal(ctx)
