"""The security log: every deed that concerns rights leaves a line, and no line is ever changed."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from comptoir.access import security_log as log
from comptoir.access.models import SecurityEvent, User
from comptoir.access.roles import create_role, delete_role, edit_role, grant_role, revoke_role, set_permission
from comptoir.access.security_log import EventFilter, list_events
from comptoir.access.sessions import end_all_sessions, open_session
from comptoir.access.teams import add_member, remove_member
from comptoir.access.tokens import create_token, revoke_token
from comptoir.access.users import add_user, disable_user, enable_user, set_email, set_password
from comptoir.context import Context
from comptoir.deployment import Deployment
from comptoir.errors import RuleViolation
from comptoir.modules.life_cycle import enable_modules, pause_modules
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.query import Query
from comptoir.records.transfer import export_records
from comptoir.records.write import delete, save
from comptoir.testing.platform import Clock, Stage

MakeUser = Callable[..., User]


def kinds(ctx: Context, **wanted: Any) -> list[str]:
    """What was logged, the oldest first."""
    return [event.kind for event in reversed(list_events(ctx.bookkeeping("test"), EventFilter(**wanted), size=500))]


def last(ctx: Context) -> SecurityEvent:
    return list_events(ctx.bookkeeping("test"), EventFilter(), size=1)[0]


@pytest.mark.parametrize("statement", ["UPDATE core_security_event SET actor = 'x'", "DELETE FROM core_security_event"])
def test_the_database_refuses_to_change_or_delete_an_event(
    deployment: Deployment, make_user: MakeUser, statement: str
) -> None:
    make_user("Ana")
    with pytest.raises(DBAPIError, match="append-only"), deployment.engine.begin() as connection:
        connection.execute(text(statement))


def test_every_deed_on_a_user_leaves_a_line(ctx: Context, make_user: MakeUser, stage: Stage) -> None:
    make_user("Boss", email="boss@example.org", administrator=True)
    session, now, team = ctx.bookkeeping("test"), ctx.now(), stage.team("North")
    before = len(kinds(ctx))
    ana = add_user(session, name="Ana", email="ana@example.org", password="correct horse", now=now)
    open_session(session, ana, now, address="203.0.113.9", agent="Firefox")
    plain, token = create_token(session, ana, "ERP", ["base"], now)
    add_member(session, team.id, ana)
    remove_member(session, team.id, ana)
    set_email(session, ana, "ana.pop@example.org", now)
    set_password(session, ana, "another phrase", now)
    disable_user(session, ana, now)
    enable_user(session, ana, now)
    revoke_token(session, token.id)
    assert kinds(ctx)[before:] == [
        log.USER_ADDED, log.SIGNED_IN, log.TOKEN_CREATED, log.TEAM_JOINED, log.TEAM_LEFT, log.USER_CHANGED, log.TOKEN_REVOKED,
        log.PASSWORD_CHANGED, log.SESSIONS_ENDED, log.USER_DISABLED, log.USER_ENABLED,
    ]  # fmt: skip
    assert {event.person_id for event in list_events(session, EventFilter(text="ana"))} == {ana.id}
    kept = str(session.execute(select(SecurityEvent.__table__)).all())
    for secret in ("correct horse", "another phrase", plain):
        assert secret not in kept


def test_users_edited_as_records_leave_a_line_too(ctx: Context, make_user: MakeUser) -> None:
    make_user("Boss", email="boss@example.org", administrator=True)
    before = len(kinds(ctx))
    ana = User(name="Ana", email="ana@example.org")
    save(ctx, [ana])
    ana.email = "ana.pop@example.org"
    save(ctx, [ana])
    assert (last(ctx).kind, last(ctx).details) == (log.USER_CHANGED, {"fields": ["email"]})
    delete(ctx, [ana])
    assert kinds(ctx)[before:] == [log.USER_ADDED, log.USER_CHANGED, log.USER_DELETED]
    assert last(ctx).about == "ana.pop@example.org"


def test_every_change_of_roles_leaves_a_line(ctx: Context, make_user: MakeUser) -> None:
    session, ana = ctx.bookkeeping("test"), make_user("Ana", email="ana@example.org")
    before = len(kinds(ctx))
    role = create_role(session, name="Clerk", permissions={"base.contact.read": "own"})
    set_permission(session, role, "base.contact.read", "all")
    set_permission(session, role, "base.contact.read", "all")
    found = last(ctx)
    assert (found.about, found.details) == (
        "Clerk", {"permission": "base.contact.read", "before": "own", "after": "all"},
    )  # fmt: skip
    grant_role(session, ana, role)
    grant_role(session, ana, role)
    edit_role(session, role, name="Clerks")
    revoke_role(session, ana, role)
    delete_role(session, role)
    assert kinds(ctx)[before:] == [
        log.ROLE_CREATED, log.PERMISSION_CHANGED, log.PERMISSION_CHANGED, log.ROLE_GRANTED, log.ROLE_CHANGED, log.ROLE_REVOKED,
        log.ROLE_DELETED,
    ]  # fmt: skip


def test_an_event_goes_with_the_deed_that_is_undone(ctx: Context, make_user: MakeUser) -> None:
    boss = make_user("Boss", email="boss@example.org", administrator=True)
    before = kinds(ctx)
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        disable_user(ctx.bookkeeping("test"), boss, ctx.now())
    assert kinds(ctx) == before


@pytest.mark.modules
def test_the_life_of_a_module_is_logged(deployment: Deployment, stage: Stage) -> None:
    enable_modules(deployment, ["catalog"])
    pause_modules(deployment, ["catalog"])
    uninstall_modules(deployment, ["catalog"])
    with stage.system() as ctx:
        found = list_events(ctx.bookkeeping("test"), EventFilter(kind=log.MODULE_CHANGED))
        assert [(event.about, event.details["state"]) for event in reversed(found)][-3:] == [
            ("catalog", "enabled"), ("catalog", "paused"), ("catalog", "uninstalled"),
        ]  # fmt: skip


@pytest.mark.parametrize("write", [True, False])
def test_an_export_is_logged_with_what_was_taken(stage: Stage, make_user: MakeUser, write: bool) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "own"})
    with stage.acting(ana, write=write) as ctx:
        declared = ctx.registry.record_type("base.contact")
        export_records(ctx, declared, Query(fields=("name", "city")), io.BytesIO())
    with stage.system() as ctx:
        event = last(ctx)
        assert (event.kind, event.user_id, event.about) == (log.DATA_EXPORTED, ana.id, "base.contact")
        assert event.details == {"records": 0, "format": "csv", "fields": ["name", "city"], "filtered": False}


def test_work_as_the_system_names_the_person_and_the_reason(stage: Stage, make_user: MakeUser) -> None:
    ana = make_user("Ana")
    with stage.acting(ana) as ctx:
        ctx.as_system("points follow rewards")
    with stage.system() as ctx:
        event = last(ctx)
        assert (event.kind, event.user_id, event.actor, event.about) == (
            log.ACTED_AS_SYSTEM, ana.id, "Ana", "points follow rewards",
        )  # fmt: skip


def test_events_are_found_by_person_kind_and_period(ctx: Context, make_user: MakeUser, clock: Clock) -> None:
    ana, ion = make_user("Ștefan", email="stefan@example.org"), make_user("Ion", email="ion@example.org")
    open_session(ctx.bookkeeping("test"), ana, ctx.now(), address="203.0.113.9")
    clock.advance(days=2)
    open_session(ctx.bookkeeping("test"), ion, ctx.now())
    end_all_sessions(ctx.bookkeeping("test"), ion)
    assert kinds(ctx, text="stefan", kind=log.SIGNED_IN) == [log.SIGNED_IN]
    assert kinds(ctx, text="203.0.113.9") == [log.SIGNED_IN]
    day = clock().astimezone(ctx.timezone).date().isoformat()
    today = EventFilter.of({"from": day, "to": day}, ctx.timezone)
    assert [event.kind for event in list_events(ctx.bookkeeping("test"), today)] == [log.SESSIONS_ENDED, log.SIGNED_IN]
    earlier = EventFilter.of({"to": "2026-11-22", "kind": log.SIGNED_IN}, ctx.timezone)
    assert [event.person_id for event in list_events(ctx.bookkeeping("test"), earlier)] == [ana.id]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"kind": "nonsense"}, "kind"), ({"from": "22.11.2026"}, "from"), ({"to": "9999-12-31"}, "to"), ({"to": "x"}, "to")],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_refused_at_its_field(given: dict[str, str], field: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        EventFilter.of(given, dt.UTC)
    assert refused.value.field == field
