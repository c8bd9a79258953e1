"""Users come and go within the seats, and somebody always stays in charge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from comptoir.access.models import TeamMember, User
from comptoir.access.permissions import access_stamp, actor_of
from comptoir.access.roles import grant_role, revoke_role, seed_administrator_role
from comptoir.access.teams import add_team
from comptoir.access.users import (
    add_user,
    disable_user,
    enable_user,
    find_user,
    list_users,
    seats_taken,
    set_email,
    set_password,
)
from comptoir.db.engine import create_engine
from comptoir.db.gate import RecordSession, opened
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import NotFound, RuleViolation

Person = Callable[..., User]


def test_a_user_is_found_by_address(session: RecordSession, person: Person) -> None:
    ana = person(email="Ana@Example.com")
    assert find_user(session, "ana@example.COM") is ana
    with pytest.raises(NotFound, match=r"nobody@example\.com"):
        find_user(session, "nobody@example.com")


def test_an_address_belongs_to_one_user(session: RecordSession, person: Person) -> None:
    person(email="ana@example.com")
    with pytest.raises(RuleViolation, match="Ana Pop has the address") as refusal:
        person("Another Ana", email="ANA@example.com")
    assert refusal.value.field == "email"


@pytest.mark.parametrize(
    "email", ["ana", "ana@", "@example.com", "a b@example.com", "ana@example", "x" * 250 + "@a.ro", "a@b.\x00c"]
)
def test_what_is_no_address_is_refused(session: RecordSession, person: Person, email: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        person(email=email)
    assert refusal.value.field == "email"


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "NUL\x00"])
def test_what_is_no_name_is_refused(session: RecordSession, person: Person, name: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        person(name, email="ana@example.com")
    assert refusal.value.field == "name"


def test_who_signs_in_needs_an_address(session: RecordSession, person: Person) -> None:
    with pytest.raises(RuleViolation, match="needs an e-mail address"):
        person(email=None)


def test_an_unknown_language_is_refused(session: RecordSession, person: Person) -> None:
    with pytest.raises(RuleViolation, match="Choose a language"):
        person(language="tlh")


def test_a_user_may_exist_without_signing_in(session: RecordSession, person: Person) -> None:
    person(email=None, password=None)
    assert seats_taken(session) == 0


def test_a_new_user_is_in_their_team_and_roles(session: RecordSession, person: Person, now: dt.datetime) -> None:
    team = add_team(session, name="North", now=now)
    ana = person(team=team, roles=[seed_administrator_role(session)])
    actor = actor_of(session, ana)
    assert actor.team_ids == {team.id}
    assert actor.grants.administrator


def test_the_seat_after_the_last_is_refused(session: RecordSession, person: Person) -> None:
    person(seats=1)
    with pytest.raises(RuleViolation, match="All seats are taken: 1 user can sign in"):
        person("Ion Rus", seats=1)
    assert [user.name for user in list_users(session)] == ["Ana Pop"]


def test_who_cannot_sign_in_takes_no_seat(session: RecordSession, person: Person, now: dt.datetime) -> None:
    person(seats=1)
    agent = person("Imported Agent", password=None, seats=1)
    with pytest.raises(RuleViolation, match="All seats are taken"):
        set_password(session, agent, "another long phrase", now, seats=1)


def test_disabling_frees_the_seat_and_enabling_takes_it(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    ana = person(seats=1)
    disable_user(session, ana, now)
    person("Ion Rus", seats=1)
    with pytest.raises(RuleViolation, match="All seats are taken"):
        enable_user(session, ana, now, seats=1)
    assert not ana.active


def test_seats_hold_under_concurrency(database_url: str, now: dt.datetime) -> None:
    from .conftest import TABLES

    engine = create_engine(database_url)
    User.metadata.create_all(engine, tables=TABLES)

    def join(number: int) -> bool:
        try:
            with UnitOfWork(engine, write=True) as uow:
                add_user(
                    uow.system,
                    name=f"User {number}",
                    email=f"user{number}@example.com",
                    password="correct horse",
                    now=now,
                    seats=5,
                )
        except RuleViolation:
            return False
        return True

    with UnitOfWork(engine, write=True) as uow:
        seed_administrator_role(uow.system)
    with ThreadPoolExecutor(8) as pool:
        joined = list(pool.map(join, range(16)))
    with RecordSession(engine) as session:
        assert session.scalar(select(func.count()).select_from(User)) == 5
    assert joined.count(True) == 5
    engine.dispose()


def test_the_last_administrator_cannot_be_disabled(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person(roles=[seed_administrator_role(session)])
    person("Ion Rus")
    with pytest.raises(RuleViolation, match="Nobody could administer") as refusal:
        disable_user(session, ana, now)
    assert refusal.value.code == "core.last_administrator"
    assert ana.active


def test_the_last_administrator_cannot_lose_the_role(session: RecordSession, person: Person) -> None:
    role = seed_administrator_role(session)
    ana = person(roles=[role])
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        revoke_role(session, ana, role)


def test_an_administrator_who_cannot_sign_in_does_not_count(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    role = seed_administrator_role(session)
    ana = person(roles=[role])
    person("Ion Rus", password=None, roles=[role])
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        disable_user(session, ana, now)


def test_one_of_two_administrators_may_go(session: RecordSession, person: Person, now: dt.datetime) -> None:
    role = seed_administrator_role(session)
    ana = person(roles=[role])
    grant_role(session, person("Ion Rus"), role)
    disable_user(session, ana, now)
    assert not ana.active


def test_two_administrators_cannot_leave_at_the_same_moment(database_url: str, now: dt.datetime) -> None:
    from .conftest import TABLES

    engine = create_engine(database_url)
    User.metadata.create_all(engine, tables=TABLES)
    with UnitOfWork(engine, write=True) as uow:
        role = seed_administrator_role(uow.system)
        ids = [
            add_user(
                uow.system, name=name, email=f"{name}@example.com", password="correct horse", now=now, roles=[role]
            ).id
            for name in ("ana", "ion", "eva")
        ]

    def leave(user_id: int) -> bool:
        try:
            with UnitOfWork(engine, write=True) as uow:
                disable_user(uow.system, uow.system.get_one(User, user_id), now)
        except RuleViolation:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        left = list(pool.map(leave, ids))
    assert sorted(left) == [False, True, True]
    engine.dispose()


def test_every_change_of_rights_raises_the_stamp(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    role = seed_administrator_role(session)
    stamps = [access_stamp(session)]
    for change in (
        lambda: grant_role(session, ana, role),
        lambda: person("Ion Rus", roles=[role]),
        lambda: revoke_role(session, ana, role),
        lambda: disable_user(session, ana, now),
        lambda: enable_user(session, ana, now),
        lambda: set_password(session, ana, "another long phrase", now),
    ):
        change()
        stamps.append(access_stamp(session))
    assert stamps == sorted(set(stamps))


def test_a_new_address_is_the_one_to_sign_in_with(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person()
    set_email(session, ana, "ana.new@example.com", now)
    assert find_user(session, "ANA.NEW@example.com") is ana
    set_email(session, ana, "ana.new@example.com", now)


def test_the_last_administrator_keeps_an_address(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person(roles=[seed_administrator_role(session)])
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        set_email(session, ana, None, now)


def test_memberships_end_with_the_user(session: RecordSession, person: Person, now: dt.datetime) -> None:
    ana = person(team=add_team(session, name="North", now=now))
    session.delete(ana)
    with opened("test"):
        session.flush()
    assert session.scalar(select(func.count()).select_from(TeamMember)) == 0
