"""``comptoir tokens``: keys for programs that use the API."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, as_json, note, pass_terminal, print_json, print_rows, say
from comptoir.errors import NotFound
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.context import Context


@click.group()
def tokens() -> None:
    """Create, list and revoke API tokens."""


@tokens.command()
@click.option("--user", "email", required=True, metavar="E", help="Whom the token acts for.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="S",
    help="Keep only these permissions: sales, sales.deal or sales.deal.read; may be repeated. Default: all of the user’s.",
)  # fmt: skip
@click.option("--name", default="", metavar="N", help="What the token is for.")
@click.option("--days", type=click.IntRange(1, 3650), metavar="N", help="Expires after so many days; default: never.")
@as_json
@pass_terminal
def create(terminal: Terminal, email: str, scopes: tuple[str, ...], name: str, days: int | None, as_json: bool) -> None:
    """Create a token and print it, this once."""
    from comptoir.access.tokens import create_token
    from comptoir.access.users import find_user

    wanted = [part for scope in scopes for part in scope.replace(",", " ").split()]

    def work(ctx: Context) -> dict[str, Any]:
        user = find_user(ctx.session, email)
        expires = ctx.now() + dt.timedelta(days=days) if days else None
        plain, row = create_token(ctx.session, user, name, wanted, ctx.now(), expires, known=ctx.registry.permissions)
        return {
            "id": row.id,
            "token": plain,
            "user": email,
            "scopes": row.scopes.split(),
            "expires_at": row.expires_at,
        }

    made = terminal.perform("comptoir tokens create", work)
    if as_json:
        print_json(made)
    else:
        say(made["token"])
        note(_("This token is not shown again."))


@tokens.command("list")
@click.option("--user", "email", metavar="E", help="Those of one user.")
@as_json
@pass_terminal
def list_(terminal: Terminal, email: str | None, as_json: bool) -> None:
    """The tokens there are, by their first letters."""
    from comptoir.access.tokens import list_tokens
    from comptoir.access.users import find_user

    def work(ctx: Context) -> list[dict[str, Any]]:
        session = ctx.session
        user = find_user(session, email) if email is not None else None
        return [
            {
                "id": row.id,
                "user": owner.email or owner.name,
                "name": row.name,
                "prefix": row.prefix,
                "scopes": row.scopes.split(),
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "last_used_at": row.last_used_at,
                "revoked": row.revoked,
            }
            for row, owner in list_tokens(session, user)
        ]

    rows = terminal.perform("comptoir tokens list", work, write=False)
    columns = {
        "id": _("Id"), "user": _("User"), "name": _("Name"), "prefix": _("Begins"), "scopes": _("Scopes"),
        "expires_at": _("Expires"), "last_used_at": _("Last used"), "revoked": _("Revoked"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json)


@tokens.command()
@click.argument("token", metavar="ID|PREFIX")
@pass_terminal
def revoke(terminal: Terminal, token: str) -> None:
    """End a token for good."""
    from comptoir.access.tokens import SHOWN, list_tokens, revoke_token

    def work(ctx: Context) -> None:
        session = ctx.session
        found = [row for row, _owner in list_tokens(session) if token in (str(row.id), row.prefix)]
        if not found and len(token) > SHOWN:
            found = [row for row, _owner in list_tokens(session) if token.startswith(row.prefix)]
        if len(found) != 1:
            raise NotFound(_("There is no token {token}. See: comptoir tokens list", token=token[:SHOWN]))
        revoke_token(session, found[0].id)

    terminal.perform("comptoir tokens revoke", work)
    say(_("Revoked."))
