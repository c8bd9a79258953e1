"""Users as an administrator sees them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select

from comptoir.access.models import Role, Team, User, UserRole
from comptoir.access.permissions import ADMINISTER
from comptoir.access.roles import grant_role, list_roles, revoke_role, roles_of
from comptoir.access.sessions import last_seen
from comptoir.access.teams import set_main_team
from comptoir.access.users import (
    ACCOUNTS,
    add_user,
    disable_user,
    enable_user,
    list_users,
    rename_user,
    seats_taken,
    set_email,
    set_password,
)
from comptoir.context import unrestricted
from comptoir.db.types import fold
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import LANGUAGES, Text, _
from comptoir.kinds import Cell
from comptoir.web.account import tokens_revoked
from comptoir.web.frame import page, redirect_with, settings_side
from comptoir.web.ids import id_of
from comptoir.web.models.admin import AdminTable
from comptoir.web.models.form import FormPage, FormSection
from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.models.shell import Action, Choice, Empty, Toast
from comptoir.web.models.table import Column, Row, Table
from comptoir.web.session import Visit, requires, visited

pages = Blueprint("users", __name__)
BASE = "/settings/users"


@pages.get(BASE)
@requires(ADMINISTER)
@visited
def users(visit: Visit) -> Response:
    """Everybody who can sign in, with roles and team."""
    session, formats = unrestricted(visit.context, "users"), visit.formats
    everyone, text = request.args.get("show") == "all", request.args.get("q", "").strip()
    held: dict[int, list[str]] = defaultdict(list)
    for user_id, name in session.execute(
        select(UserRole.user_id, Role.name).join(Role, Role.id == UserRole.role_id).order_by(Role.name)
    ):
        held[user_id].append(name)
    teams, seen = dict(session.execute(select(Team.id, Team.name)).all()), last_seen(session)
    found = [
        u for u in list_users(session)
        if (everyone or u.active) and (not text or fold(text) in fold(f"{u.name} {u.email or ''}"))
    ]  # fmt: skip
    rows = tuple(
        Row(str(u.id), u.name, f"{BASE}/{u.id}", (
            Cell(u.name, "title", url=f"{BASE}/{u.id}"),
            Cell(u.email or "", "email"),
            Cell("", "tags", tags=tuple(held[u.id])),
            Cell(teams.get(u.team_id or 0, "")),
            Cell(str(_("Active") if u.active else _("Disabled")), "status", tone="ok" if u.active else "off"),
            Cell(formats.moment(seen[u.id]) if u.id in seen else "", "moment"),
        ))
        for u in found
    )  # fmt: skip
    table = Table(
        (Column("name", str(_("Name"))), Column("email", str(_("E-mail"))), Column("roles", str(_("Roles"))),
         Column("team", str(_("Team"))), Column("state", str(_("State"))), Column("seen", str(_("Last seen")))),
        rows,
    )  # fmt: skip
    seats, taken = visit.context.settings.seats, seats_taken(session)
    note = _("{taken} of {seats} seats in use", taken=taken, seats=seats) if seats is not None else ""
    model = AdminTable(
        str(_("Users")), table, str(note),
        (Choice(str(_("Active")), BASE, not everyone), Choice(str(_("All")), f"{BASE}?show=all", everyone)), text, BASE,
        empty=Empty(str(_("Nobody fits"))),
    )  # fmt: skip
    return page("admin/table.html", model, crumbs=[(_("Settings"), "/settings/modules"), _("Users")], side=settings_side(visit),
                actions=[Action(str(_("New user")), f"{BASE}/new", "plus", tone="primary", key="N")])  # fmt: skip


def _latest(*moments: dt.datetime | None) -> dt.datetime | None:
    """The last of those that are known: a session tells more exactly than the user, but it ends."""
    return max((moment for moment in moments if moment is not None), default=None)


@pages.route(f"{BASE}/new", methods=["GET", "POST"])
@requires(ADMINISTER)
@visited
def new_user(visit: Visit) -> Response:
    """A form for a new user, and their creation."""
    return _form(visit, None)


@pages.route(f"{BASE}/<int:user_id>", methods=["GET", "POST"])
@requires(ADMINISTER)
@visited
def edit_user(visit: Visit, user_id: int) -> Response:
    """One user: name, address, roles, team, password."""
    user = unrestricted(visit.context, "users").get(User, user_id)
    if user is None:
        raise NotFound(_("There is no user {id}.", id=user_id))
    return _form(visit, user)


def _form(visit: Visit, user: User | None) -> Response:
    ctx, session = visit.context, unrestricted(visit.context, "users")
    trouble: RuleViolation | None = None
    if request.method == "POST":
        try:
            with ctx.savepoint():
                saved, revoked = _save(visit, user)
                name = saved.name
            told: list[Text] = [_("{name} is saved", name=name)]
            if revoked:
                told.append(tokens_revoked(revoked))
            return redirect_with(BASE, Toast(". ".join(map(str, told))))
        except RuleViolation as refused:
            trouble = refused
    roles = [role for role, _count in list_roles(session)]
    held = {str(role.id) for role in roles_of(session, user)} if user is not None else set()
    chosen = set(request.form.getlist("roles")) if request.method == "POST" else held
    teams = session.execute(select(Team.id, Team.name).order_by(Team.name)).all()
    form: Any = request.form if request.method == "POST" else {}
    error = {trouble.field or "": str(trouble)} if trouble is not None else {}

    def field(name: str, label: Any, kind: Any = "text", value: str = "", **options: Any) -> FieldInput:
        return FieldInput(name, str(label), kind, form.get(name, value), error=error.get(name, ""), **options)

    team_options = (Option("", "–"), *(Option(str(i), n) for i, n in teams))
    title = user.name if user is not None else str(_("New user"))
    person = FormSection(str(_("Person")), (
        field("name", _("Name"), value=user.name if user else "", required=True, autofocus=user is None),
        field("email", _("E-mail"), "email", (user.email or "") if user else "", required=user is None),
        field("team_id", _("Team"), "choice", str(user.team_id or "") if user else "", options=team_options, width=4),
        field("language", _("Language"), "choice", user.language if user else ctx.settings.language, width=4,
              options=tuple(Option(c, n) for c, n in LANGUAGES.items())),
        FieldInput("active", str(_("May sign in")), "bool", "1" if (user is None or user.active) else "", 4),
        field("password", _("New password") if user else _("Password"), "password", autocomplete="new-password",
              required=user is None, hint=str(_("At least ten characters. Empty keeps the old one; a new one ends their sessions and API tokens.") if user else _("At least ten characters."))),
    ))  # fmt: skip
    permitted = FormSection(str(_("Roles")), (
        FieldInput("roles", str(_("Holds")), "many", width=12,
                   options=tuple(Option(str(r.id), r.name, str(r.id) in chosen) for r in roles)),
    ))  # fmt: skip
    errors = (FormError(str(trouble), f"f-{trouble.field}" if trouble.field else ""),) if trouble is not None else ()
    url = f"{BASE}/{user.id}" if user is not None else f"{BASE}/new"
    model = FormPage(title, url, (person, permitted), BASE, str(_("Save user")), errors=errors)
    return page(
        "admin/form.html",
        model,
        crumbs=[(_("Users"), BASE), title],
        side=settings_side(visit),
        status=422 if trouble else 200,
    )


def _save(visit: Visit, user: User | None) -> tuple[User, int]:
    """The user as the form has them, and how many tokens a new password ended."""
    ctx = visit.context
    session, now, form = unrestricted(ctx, "users"), ctx.now(), request.form
    wanted = {id_ for text in form.getlist("roles") if (id_ := id_of(text)) is not None}
    roles = {role.id: role for role, _count in list_roles(session)}
    team_id = id_of(form.get("team_id", ""))
    team = session.get(Team, team_id) if team_id is not None else None
    if user is None:
        added = add_user(
            session, name=form.get("name", ""), email=form.get("email"), now=now, password=form.get("password") or "",
            roles=[roles[i] for i in wanted if i in roles], team=team, language=form.get("language", "en"),
            seats=ctx.settings.seats, created_by=ctx.actor.id,
        )  # fmt: skip
        return added, 0
    user.updated_at, user.updated_by = now, ctx.actor.id
    rename_user(user, form.get("name", ""))
    if form.get("language") in LANGUAGES:
        user.language = form["language"]
    if (form.get("email") or "").strip() != (user.email or ""):
        set_email(session, user, form.get("email"), now)
    previous = user.team_id
    if (team.id if team is not None else None) != previous:
        user.team_id = team.id if team is not None else None
        session.write([user], ACCOUNTS)
        set_main_team(session, user, previous=previous)
    held = {role.id: role for role in roles_of(session, user)}
    for role_id in wanted - held.keys():
        if role_id in roles:
            grant_role(session, user, roles[role_id])
    for role_id in held.keys() - wanted:
        revoke_role(session, user, held[role_id])
    session.write([user], ACCOUNTS)
    if user.active and not form.get("active"):
        disable_user(session, user, now)
    elif not user.active and form.get("active"):
        enable_user(session, user, now, seats=ctx.settings.seats)
    revoked = (
        set_password(session, user, form["password"], now, seats=ctx.settings.seats) if form.get("password") else 0
    )
    return user, revoked
