"""``comptoir users``: who may enter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.terminal import Terminal, as_json, ask_password, note, pass_terminal, print_rows, say
from comptoir.i18n import Text, _, ngettext

if TYPE_CHECKING:
    from comptoir.context import Context


@click.group()
def users() -> None:
    """Add, list, disable and enable users, set passwords, give and take roles."""


@users.command("add")
@click.argument("email", metavar="EMAIL")
@click.option("--name", metavar="N", help="Their name; default: the address before the @.")
@click.option("--password", metavar="P", help="Asked for, or made up and shown.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role to give; may be repeated.")
@click.option("--team", metavar="TEAM", help="Their main team, by name.")
@click.option("--language", metavar="L", help="Default: the deployment’s.")
@click.option("--no-sign-in", is_flag=True, help="Without a password: a name to assign work to; takes no seat.")
@pass_terminal
def add(
    terminal: Terminal,
    email: str,
    name: str | None,
    password: str | None,
    roles: tuple[str, ...],
    team: str | None,
    language: str | None,
    no_sign_in: bool,
) -> None:
    """Add a user."""
    from comptoir.access.roles import find_role
    from comptoir.access.users import add_user

    secret, generated = (None, False) if no_sign_in else ask_password(password, _("Their password"))

    def work(ctx: Context) -> None:
        session = ctx.session
        add_user(
            session,
            name=name or email.partition("@")[0].replace(".", " ").title(),
            email=email,
            password=secret,
            roles=[find_role(session, role) for role in roles],
            team=_find_team(session, team) if team else None,
            language=language or ctx.settings.language,
            now=ctx.now(),
            seats=ctx.settings.seats,
        )

    terminal.perform("comptoir users add", work)
    if generated:
        say(_("Added {email} with the password {password}. It is not shown again.", email=email, password=secret))
    else:
        say(_("Added {email}.", email=email))


@users.command("list")
@as_json
@pass_terminal
def list_(terminal: Terminal, as_json: bool) -> None:
    """Everyone, with their roles and when they were last seen."""
    from sqlalchemy import select

    from comptoir.access.models import Team
    from comptoir.access.roles import roles_by_user
    from comptoir.access.sessions import last_seen
    from comptoir.access.users import list_users

    def work(ctx: Context) -> list[dict[str, Any]]:
        session = ctx.session
        teams = dict(session.execute(select(Team.id, Team.name)).all())
        held, seen = roles_by_user(session), last_seen(session)
        return [
            {
                "id": user.id,
                "name": user.name,
                "email": user.email,
                "active": user.active,
                "signs_in": user.password_hash is not None,
                "team": teams.get(user.team_id) if user.team_id is not None else None,
                "roles": [role.name for role in held.get(user.id, ())],
                "language": user.language,
                "last_seen_at": seen.get(user.id),
            }
            for user in list_users(session)
        ]

    rows = terminal.perform("comptoir users list", work, write=False)
    columns = {
        "name": _("Name"), "email": _("E-mail"), "active": _("Active"), "team": _("Team"), "roles": _("Roles"),
        "last_seen_at": _("Last seen"),
    }  # fmt: skip
    print_rows(rows, columns, as_json=as_json)


@users.command()
@click.argument("email")
@pass_terminal
def disable(terminal: Terminal, email: str) -> None:
    """Keep a user from entering: sessions and tokens stop at once, their records stay."""
    from comptoir.access.users import disable_user, find_user

    def work(ctx: Context) -> None:
        disable_user(ctx.session, find_user(ctx.session, email), ctx.now())

    terminal.perform("comptoir users disable", work)
    say(_("Disabled {email}.", email=email))


@users.command()
@click.argument("email")
@pass_terminal
def enable(terminal: Terminal, email: str) -> None:
    """Let a user enter again."""
    from comptoir.access.users import enable_user, find_user

    def work(ctx: Context) -> None:
        user = find_user(ctx.session, email)
        enable_user(ctx.session, user, ctx.now(), seats=ctx.settings.seats)

    terminal.perform("comptoir users enable", work)
    say(_("Enabled {email}.", email=email))


@users.command()
@click.argument("email")
@click.option("--password", metavar="P", help="Asked for, or made up and shown.")
@click.option("--keep-tokens", is_flag=True, help="Let their API tokens work on.")
@pass_terminal
def passwd(terminal: Terminal, email: str, password: str | None, keep_tokens: bool) -> None:
    """Set a user’s password; their sessions end, and so do their API tokens."""
    from comptoir.access.users import find_user, set_password

    terminal.perform("comptoir users passwd", lambda ctx: find_user(ctx.session, email), write=False)
    secret, generated = ask_password(password, _("The new password"))

    def work(ctx: Context) -> int:
        session = ctx.session
        user = find_user(session, email)
        return set_password(session, user, secret, ctx.now(), seats=ctx.settings.seats, revoke=not keep_tokens)

    revoked = terminal.perform("comptoir users passwd", work)
    if generated:
        say(_("{email} has the password {password} now. It is not shown again.", email=email, password=secret))
    else:
        say(_("Changed the password of {email}.", email=email))
    if revoked:
        note(ngettext("{count} API token no longer works.", "{count} API tokens no longer work.", revoked))


@users.command()
@click.argument("email", required=False)
@click.option("--grant", multiple=True, metavar="ROLE", help="Give a role; may be repeated.")
@click.option("--revoke", multiple=True, metavar="ROLE", help="Take a role; may be repeated.")
@as_json
@pass_terminal
def roles(
    terminal: Terminal, email: str | None, grant: tuple[str, ...], revoke: tuple[str, ...], as_json: bool
) -> None:
    """The roles there are, or those of a user; gives and takes them."""
    from comptoir.access.roles import find_role, grant_role, list_roles, revoke_role, roles_of
    from comptoir.access.users import find_user

    if email is None and (grant or revoke):
        raise click.UsageError(str(_("Say whose roles: comptoir users roles EMAIL --grant ROLE")))

    def there_are(ctx: Context) -> list[dict[str, Any]]:
        return [
            {"name": role.name, "template": role.template, "users": holders, "description": role.description}
            for role, holders in list_roles(ctx.session)
        ]

    def held(ctx: Context) -> list[dict[str, Any]]:
        session = ctx.session
        user = find_user(session, email or "")
        for name in grant:
            grant_role(session, user, find_role(session, name))
        for name in revoke:
            revoke_role(session, user, find_role(session, name))
        return [{"name": role.name, "template": role.template} for role in roles_of(session, user)]

    columns: dict[str, Text] = {"name": _("Role"), "template": _("Template")}
    if email is None:
        found = terminal.perform("comptoir users roles", there_are, write=False)
        print_rows(found, {**columns, "users": _("Users"), "description": _("About")}, as_json=as_json)
        return
    found = terminal.perform("comptoir users roles", held, write=bool(grant or revoke))
    print_rows(found, columns, as_json=as_json, empty=_("{email} has no role.", email=email))


def _find_team(session: Any, name: str) -> Any:
    from sqlalchemy import select

    from comptoir.access.models import Team
    from comptoir.errors import NotFound

    found = session.scalar(select(Team).where(Team.name == name))
    if found is None:
        known = ", ".join(session.scalars(select(Team.name).order_by(Team.name))) or "–"
        raise NotFound(_("There is no team {name}. There are: {known}.", name=name, known=known))
    return found
