"""``comptoir init``: from nothing to a deployment that can be served."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comptoir.cli.terminal import Terminal, ask_password, pass_terminal, progress, say
from comptoir.errors import ComptoirError, ConfigurationError, NotFound
from comptoir.i18n import _, ngettext
from comptoir.settings import Settings, load_settings

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.deployment import Deployment

ADMIN_EMAIL = "admin@example.com"
DEMO_PASSWORD = "comptoir-demo"
"""The password of the people that demonstration data brings."""
DEMO_COUNTRY = "RO"
"""Where the company of the demonstration data sits."""

TEMPLATE = """\
# The configuration of one Comptoir deployment. Paths are relative to this file.
# Every key can also be set by the environment: COMPTOIR_DEPLOYMENT__DATABASE_URL=…

[deployment]
name = {name}  # shown in the interface, used in logs
database_url = {database_url}  # or postgresql+psycopg://user:password@host/name
data_dir = {data_dir}  # attachments, logs, exports, outgoing mail when no SMTP is set
theme = "default"
language = "en"  # en, ro, nl, az, bg, pl
{country}  # telephone numbers and addresses without a country of their own
timezone = {timezone}
currency = "EUR"

# What this deployment may use; without this section everything, without limit.
# [entitlement]
# modules = ["catalog", "sales"]
# seats = 15

# [mail]
# smtp_url = "smtp://user:password@mail.example.com:587"
# from = "crm@example.com"

# [server]
# hosts = ["crm.example.com"]  # allowed Host headers
# proxies = 1  # how many reverse proxies stand before it
# workers = 2
# https = true
"""


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first administrator as asked for."""

    name: str
    email: str
    password: str
    generated: bool


@click.command()
@click.option("--database-url", metavar="URL", help="SQLite or PostgreSQL; stands in a new configuration file.")
@click.option("--admin-email", metavar="E", help="The first administrator's address.")
@click.option("--admin-password", metavar="P", help="Their password; asked for, or made up and shown.")
@click.option("--admin-name", metavar="N", default="Administrator", show_default=True)
@click.option("--country", metavar="CC", help="Where telephone numbers are written without prefix: RO, NL, …")
@click.option("--modules", metavar="A,B", help="Modules to enable at once.")
@click.option("--demo", is_flag=True, help="Load demonstration data; enables every entitled module unless told which.")
@pass_terminal
def init(
    terminal: Terminal,
    database_url: str | None,
    admin_email: str | None,
    admin_password: str | None,
    admin_name: str,
    country: str | None,
    modules: str | None,
    demo: bool,
) -> None:
    """Create the schema, the first administrator, the secret key, and the configuration if there is none."""
    path = terminal.config
    fresh = not path.exists()
    if fresh:
        write_configuration(path, database_url, country or (DEMO_COUNTRY if demo else None))
    try:
        settings = load_settings(path)
        if not fresh and database_url is not None and _resolved(database_url, path) != settings.database_url:
            raise ConfigurationError(
                _(
                    "{path} names another database. Change deployment.database_url there, or move the file away.",
                    path=path,
                )
            )
        if not fresh and country is not None and country != settings.country:
            raise ConfigurationError(
                _("{path} stands already. Change deployment.country there to {country}.", path=path, country=country)
            )
        if fresh:
            say(_("Wrote {path}.", path=path))
        chosen = _chosen_modules(terminal, settings, modules, demo=demo)
        administrator = _administrator(terminal, admin_email, admin_password, admin_name)
        make_folders(settings)
        make_key(settings)
        _build(terminal.deployment, chosen, administrator, demo=demo)
    except BaseException:
        if fresh:  # the next try may name another database
            path.unlink(missing_ok=True)
        raise
    say(_("Serve it with: comptoir --config {path} serve", path=path))


def write_configuration(path: Path, database_url: str | None, country: str | None = None) -> None:
    """A commented configuration file, readable by its owner alone as it may hold passwords."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(
            _(
                "{path} cannot be written: {reason}. Choose another place with --config.",
                path=path,
                reason=error.strerror,
            )
        ) from None
    folder = path.resolve().parent
    called = folder.name if path.name == "comptoir.toml" else path.stem
    name = re.sub(r"[^a-z0-9]+", "-", called.lower()).strip("-") or "comptoir"
    stem = "" if path.name == "comptoir.toml" else f"{path.stem}-"
    data = f"{stem}data"
    url = _resolved(database_url, path) if database_url else f"sqlite:///{data}/comptoir.db"
    inside = f"sqlite:///{folder}/"
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(
            TEMPLATE.format(
                name=_quoted(name),
                database_url=_quoted("sqlite:///" + url.removeprefix(inside) if url.startswith(inside) else url),
                data_dir=_quoted(data),
                country=f"country = {_quoted(country)}" if country else '# country = "RO"',
                timezone=_quoted(_local_timezone()),
            )
        )


def make_folders(settings: Settings) -> None:
    """The folder for attachments, logs and exports."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe = settings.data_dir / ".write-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            _(
                "The folder {folder} cannot be written: {reason}. Change deployment.data_dir or the folder’s rights.",
                folder=settings.data_dir,
                reason=error.strerror,
            )
        ) from None


def key_file(config: Path) -> Path:
    """Where the key for stored secrets lies: beside the configuration, outside database and backup."""
    return config.with_suffix(".key")


def make_key(settings: Settings) -> None:
    """The key that stored secrets are encrypted with, readable by its owner alone; an existing one stays."""
    assert settings.path is not None
    try:
        handle = os.open(key_file(settings.path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(base64.urlsafe_b64encode(os.urandom(32)) + b"\n")


def _build(deployment: Deployment, modules: list[str], administrator: Administrator | None, *, demo: bool) -> None:
    from comptoir.modules.demo import load_demo
    from comptoir.modules.life_cycle import enable_modules, initialise

    with progress(_("Creating the tables")) as announce:
        initialise(deployment)
        created = _add_administrator(deployment, administrator)
        enabled = enable_modules(deployment, modules, progress=announce).plan.modules if modules else ()
        count, people = 0, list[tuple[str, str]]()
        if demo:
            announce(_("Loading demonstration data"))
            count = load_demo(deployment)
            people = open_doors(deployment)
    say(_("The database is ready."))
    if enabled:
        say(_("Enabled: {names}.", names=", ".join(enabled)))
    if demo:
        say(ngettext("Loaded {count} demonstration record.", "Loaded {count} demonstration records.", count))
        print_log_ins(people)
    if created is not None:
        if created.generated:
            say(
                _(
                    "Administrator: {email} with the password {password}. It is not shown again.",
                    email=created.email,
                    password=created.password,
                )
            )
        else:
            say(_("Administrator: {email}", email=created.email))


def _chosen_modules(terminal: Terminal, settings: Settings, names: str | None, *, demo: bool) -> list[str]:
    """The modules to enable, refused before anything is created."""
    from comptoir.registry.discover import discover_plugins

    available = discover_plugins()
    if names is None:
        return [name for name in available if name != "base" and settings.is_entitled(name)] if demo else []
    chosen = [name for name in (part.strip() for part in names.split(",")) if name and name != "base"]
    for name in chosen:
        if name not in available:
            raise NotFound(_("There is no module {name}. Installed: {known}.", name=name, known=", ".join(available)))
        if not settings.is_entitled(name):
            raise ComptoirError(
                _(
                    "{name} is not in this deployment’s plan. Add it to entitlement.modules in {path} first.",
                    name=name,
                    path=terminal.config,
                )
            )
    return chosen


def _administrator(terminal: Terminal, email: str | None, password: str | None, name: str) -> Administrator | None:
    """Who is to administer; None where somebody does already and nobody was named."""
    from sqlalchemy.orm import Session

    from comptoir.access.passwords import check_password
    from comptoir.access.roles import has_administrator

    if email is None and terminal.deployment.is_initialised():
        with Session(terminal.deployment.engine) as session:
            if has_administrator(session):
                return None
    if email is None and sys.stdin.isatty():
        email = click.prompt(str(_("The administrator’s e-mail address")), default=ADMIN_EMAIL, err=True)
    secret, generated = ask_password(password, _("Their password"))
    chosen = Administrator(name, email or ADMIN_EMAIL, secret, generated)
    check_password(secret, name=name, email=chosen.email)
    return chosen


def _add_administrator(deployment: Deployment, wanted: Administrator | None) -> Administrator | None:
    """Create them; an existing user of that address stays as they are and becomes administrator."""
    from comptoir.access.permissions import system_actor
    from comptoir.access.roles import grant_role, seed_administrator_role
    from comptoir.access.users import add_user, find_user
    from comptoir.edge import perform

    def appoint(ctx: Context) -> bool:
        session = ctx.session
        role = seed_administrator_role(session)
        if wanted is None:
            return False
        try:
            grant_role(session, find_user(session, wanted.email), role)
        except NotFound:
            add_user(
                session,
                name=wanted.name,
                email=wanted.email,
                password=wanted.password,
                roles=[role],
                language=deployment.settings.language,
                now=ctx.now(),
                seats=deployment.settings.seats,
            )
            return True
        return False

    if perform(deployment, system_actor("comptoir init"), appoint):
        return wanted
    if wanted is not None:
        say(_("{email} is a user already; their password stays.", email=wanted.email))
    return None


def open_doors(deployment: Deployment) -> list[tuple[str, str]]:
    """Let the people of the demonstration data sign in, as far as there are seats; their addresses and names."""
    from sqlalchemy import select

    from comptoir.access.models import User
    from comptoir.access.permissions import system_actor
    from comptoir.access.users import seats_taken, set_password
    from comptoir.edge import perform
    from comptoir.registry.models import DemoRecord

    def let_in(ctx: Context) -> list[tuple[str, str]]:
        session, seats = ctx.session, deployment.settings.seats
        people = session.scalars(
            select(User)
            .join(DemoRecord, (DemoRecord.record_id == User.id) & (DemoRecord.record_type == "base.user"))
            .where(User.email_key.is_not(None), User.active)
            .order_by(User.id)
        ).all()
        opened = []
        for user in people:
            if user.password_hash is None:
                if seats is not None and seats_taken(session) >= seats:
                    break
                set_password(session, user, DEMO_PASSWORD, ctx.now(), seats=seats)
                opened.append((user.email or "", user.name))
        return opened

    return perform(deployment, system_actor("comptoir demo"), let_in)


def print_log_ins(people: Sequence[tuple[str, str]]) -> None:
    """How to enter as the people of the demonstration data."""
    for email, name in people:
        say(
            _(
                "Demo log-in: {email} with the password {password} ({name})",
                email=email,
                password=DEMO_PASSWORD,
                name=name,
            )
        )


def _resolved(url: str, path: Path) -> str:
    """The address with a SQLite file's path spelled out; typed on the command line it is relative to where one stands."""
    prefix = "sqlite:///"
    return prefix + str(Path(url.removeprefix(prefix)).absolute()) if url.startswith(prefix) else url


def _quoted(text: str) -> str:
    """A TOML string."""
    import json

    return json.dumps(text, ensure_ascii=False)


def _local_timezone() -> str:
    """The machine's time zone by name, where it says so."""
    from zoneinfo import ZoneInfo

    named = os.environ.get("TZ", "").lstrip(":")
    try:
        linked = os.readlink("/etc/localtime").partition("zoneinfo/")[2]
    except OSError:
        linked = ""
    for name in (named, linked):
        if name:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                continue
            return name
    return "UTC"
