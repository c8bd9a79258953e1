"""``comptoir demo``: demonstration data, there and gone."""

from __future__ import annotations

import click

from comptoir.cli.init import open_doors, print_log_ins
from comptoir.cli.terminal import Terminal, confirm, pass_terminal, progress, say
from comptoir.errors import ComptoirError
from comptoir.i18n import _, ngettext


@click.group()
def demo() -> None:
    """Load demonstration data, or remove it without trace."""


@demo.command("on")
@pass_terminal
def load(terminal: Terminal) -> None:
    """Let every enabled module that has none yet create its demonstration data."""
    from comptoir.modules.demo import load_demo

    with progress(_("Loading demonstration data")):
        count = load_demo(terminal.deployment)
        people = open_doors(terminal.deployment)
    say(ngettext("Loaded {count} demonstration record.", "Loaded {count} demonstration records.", count))
    print_log_ins(people)


@demo.command("off")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_terminal
def remove(terminal: Terminal, yes: bool) -> None:
    """Delete every demonstration record with its history; what people made stays."""
    from sqlalchemy.exc import IntegrityError

    from comptoir.modules.demo import remove_demo

    confirm(_("Delete all demonstration records, with what people changed in them?"), yes=yes)
    try:
        with progress(_("Removing demonstration data")):
            count = remove_demo(terminal.deployment)
    except IntegrityError:
        raise ComptoirError(
            _("Records that people made point at demonstration records. Delete those, or point them elsewhere, first.")
        ) from None
    say(ngettext("Removed {count} demonstration record.", "Removed {count} demonstration records.", count))
