"""``comptoir plugin``: tools for those who write plugins."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

import click

from comptoir.cli.terminal import Terminal, pass_terminal, say
from comptoir.errors import ComptoirError, NotFound
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.db.migrations import Unit
    from comptoir.deployment import Deployment

REVISION = '''\
"""{message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "{revision}"
down_revision = {previous}
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''


@click.group()
def plugin() -> None:
    """Tools for plugin authors."""


@plugin.command()
@click.argument("name")
@click.option("-m", "--message", required=True, metavar="MSG", help="What the revision changes, in one sentence.")
@click.option("--dry-run", is_flag=True, help="Print the revision and write no file.")
@pass_terminal
def revision(terminal: Terminal, name: str, message: str, dry_run: bool) -> None:
    """Draft the migration that brings a plugin’s tables in step with its models; read it before you keep it.

    It compares with the database of this deployment, which must be at the plugin's newest revision.
    """
    unit = _unit(terminal.deployment, name)
    text, file = _draft(terminal.deployment, unit, message)
    if dry_run:
        click.echo(text, nl=False)
        return
    folder = unit.folder / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    say(_("Wrote {file}. Read it, then run: comptoir upgrade", file=folder / file))


def _unit(deployment: Deployment, name: str) -> Unit:
    from comptoir.registry.lifecycle import core_unit, unit_of
    from comptoir.registry.registry import build_registry

    if name == "comptoir":
        return core_unit()
    available = deployment.available()
    registry = build_registry(available, [name])
    if name in registry.quarantined and name in available:
        raise ComptoirError(_("{name} cannot be built: {reason}", name=name, reason=registry.quarantined[name].reason))
    if name not in registry.plugins:
        raise NotFound(
            _("There is no module {name}. Installed: {known}.", name=name, known=", ".join(available))
        )
    return unit_of(registry, name)


def _draft(deployment: Deployment, unit: Unit, message: str) -> tuple[str, str]:
    from comptoir.db.migrations import draft_revision, pending

    with deployment.engine.connect() as connection:
        if waiting := pending(connection, unit):
            raise ComptoirError(
                _("The database has not run {names} yet. Run first: comptoir upgrade", names=", ".join(waiting))
            )
        upgrade, downgrade = draft_revision(connection, unit)
    if dedent(upgrade).strip().splitlines()[-1:] == ["pass"] or "op." not in upgrade:
        raise ComptoirError(_("The models of {name} and its tables agree; there is nothing to migrate.", name=unit.name))
    previous = unit.head()
    last = re.search(r"(\d+)$", previous or "")
    number = int(last.group(1)) + 1 if last else 1
    identifier = f"{unit.name}_{number:04d}"
    text = REVISION.format(
        message=" ".join(message.split()).replace('"""', "'''").rstrip('"\\'),
        revision=identifier,
        previous=f'"{previous}"' if previous else None,
        upgrade=_indented(upgrade),
        downgrade=_indented(downgrade),
    )
    return text, f"{identifier}.py"


def _indented(body: str) -> str:
    """The body of a function; the renderer's first line stands at the margin, the others within it."""
    lines = [line for line in body.strip().splitlines() if not line.strip().startswith("# ###")]
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    return "\n".join("    " + (line[margin:] if line[:margin].isspace() else line) for line in lines)
