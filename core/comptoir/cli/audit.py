"""``comptoir audit``: what the security log holds."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, as_json, pass_terminal, print_rows
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.context import Context

LINE = 120
"""How much of the details stands in a line of the table; JSON has all of them."""


@click.group()
def audit() -> None:
    """Read the security log."""


@audit.command("list")
@click.option("--person", metavar="WORDS", default="", help="Who acted, or whom or what it concerns.")
@click.option("--kind", metavar="KIND", default="", help="Such as signed_in, sign_in_refused or permission_changed.")
@click.option("--from", "first", metavar="DAY", default="", help="From this day on: 2026-11-22.")
@click.option("--to", "last", metavar="DAY", default="", help="Up to this day.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, metavar="N")
@as_json
@pass_terminal
def list_(terminal: Terminal, person: str, kind: str, first: str, last: str, limit: int, as_json: bool) -> None:
    """The events, the newest first."""
    from comptoir.access.security_log import EventFilter, described, list_events

    given = {"person": person, "kind": kind, "from": first, "to": last}

    def look(ctx: Context) -> list[dict[str, Any]]:
        found = list_events(ctx.session, EventFilter.of(given, ctx.timezone), size=limit)
        return [
            {
                "at": event.at, "kind": event.kind, "actor": event.actor, "about": event.about, "address": event.address,
                "details": event.details if as_json else shorten(described(event.details), LINE, placeholder=" …"),
            }
            for event in found
        ]  # fmt: skip

    rows = terminal.perform("comptoir audit list", look, write=False)
    columns = {
        "at": _("When"), "kind": _("What"), "actor": _("Who"), "about": _("About"), "address": _("Address"),
        "details": _("Details"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty=_("Nothing fits"))
