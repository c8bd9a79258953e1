"""The core's own rules of users and teams, on the same hooks that plugins have; always on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from comptoir.access import throttle
from comptoir.access.models import Team, User
from comptoir.access.roles import find_role, grant_role
from comptoir.access.sessions import purge_sessions
from comptoir.access.teams import rebuild_closure, set_main_team
from comptoir.access.users import check_leaving, email_key, follow_additions, follow_edits
from comptoir.context import Context, unrestricted
from comptoir.contributions import Job, Step, Steps
from comptoir.db.record import Record
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.hookspecs.marker import hookimpl
from comptoir.i18n import _
from comptoir.records.changes import Change, changes_of, of_type
from comptoir.records.summaries import fold_some, make_missing
from comptoir.schedules import Daily, Every


@hookimpl
def prepare_records(changes: Sequence[Change]) -> None:
    """People sign in by their folded address."""
    for user, change in changes_of(changes, User):
        if change.is_new or change.touches("email"):
            typed: object = user.email
            if isinstance(typed, str):  # anything else is for the checks to refuse
                user.email = " ".join(typed.split()) or None
                user.email_key = email_key(user.email)


@hookimpl
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    """Two people do not share an address, because they sign in with it."""
    if taken := list(_shared_addresses(ctx, changes)):
        raise RuleViolations(taken)


def _shared_addresses(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    keys = {user.email_key: user for user in of_type(changes, User) if user.email_key}
    rows = (
        unrestricted(ctx, "users and teams").execute(select(User.id, User.email_key).where(User.email_key.in_(keys)))
        if keys
        else ()
    )
    for user_id, key in rows:
        if keys[str(key)].id != user_id:
            yield RuleViolation("core.email_taken", _("Another user signs in with this address."), field="email")


@hookimpl
def on_records_saved(ctx: Context, changes: Sequence[Change]) -> None:
    """Who sees what follows the tree of teams; whoever may not enter any more is signed out at once."""
    if any(change.is_new or change.touches("parent_id") for _team, change in changes_of(changes, Team)):
        rebuild_closure(unrestricted(ctx, "users and teams"))
    edited: dict[int, list[str]] = {}
    added = []
    for user, change in changes_of(changes, User):
        if change.touches("team_id"):
            held = unrestricted(ctx, "users and teams").get(User, user.id, populate_existing=True)
            assert held is not None
            set_main_team(unrestricted(ctx, "users and teams"), held, previous=change.fields["team_id"].before)
        touched = [name for name in ("active", "archived_at", "email") if change.touches(name)]
        if change.is_new:
            added.append(user.id)
        elif touched:
            edited[user.id] = touched
    if added:
        follow_additions(unrestricted(ctx, "users and teams"), added)
    if edited:
        follow_edits(unrestricted(ctx, "users and teams"), edited, seats=ctx.settings.seats)


@hookimpl
def check_deletion(ctx: Context, records: Sequence[Record]) -> None:
    """Deleting users leaves somebody who administers."""
    leaving = [record.id for record in records if isinstance(record, User)]
    if leaving:
        check_leaving(unrestricted(ctx, "users and teams"), leaving)


def forget_sign_ins(ctx: Context) -> None:
    """Delete expired sessions, and counters of refused sign-ins that no longer matter."""
    purge_sessions(unrestricted(ctx, "users and teams"), ctx.now())
    throttle.purge(unrestricted(ctx, "users and teams"), ctx.now())


JOBS = (
    Job("core.forget_sign_ins", forget_sign_ins, Daily(dt.time(3, 20)), _("Forget expired sign-ins")),
    Job(
        "core.keep_summaries",
        schedule=Every(minutes=5),
        title=_("Keep summaries short and complete"),
        steps=Steps(Step(fold_some), Step(make_missing)),
    ),
)
"""Scheduled work of the core itself."""


def give_role(ctx: Context, users: Iterable[User], role: str) -> None:
    """Let users hold a role, named by its name or its template's (``sales.agent``); needs the right to edit users."""
    ctx.require("base.user.write")
    session = unrestricted(ctx, "users and teams")
    held = find_role(session, role)
    for user in users:
        found = session.get(User, user.id)
        assert found is not None
        grant_role(session, found, held)
