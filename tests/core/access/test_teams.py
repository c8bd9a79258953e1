"""Teams lie within teams; who leads a region sees what its teams see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from comptoir.access.models import Team, TeamClosure, TeamMember, User
from comptoir.access.permissions import access_stamp, actor_of
from comptoir.access.teams import (
    add_member,
    add_team,
    closure_of,
    rebuild_closure,
    remove_member,
    set_main_team,
)
from comptoir.db.gate import RecordSession
from comptoir.errors import NotFound, RuleViolation

Person = Callable[..., User]


@pytest.fixture
def region(session: RecordSession, now: dt.datetime) -> tuple[Team, Team, Team]:
    east = add_team(session, name="East", now=now)
    iasi = add_team(session, name="Iași", now=now, parent=east)
    return east, iasi, add_team(session, name="Copou", now=now, parent=iasi)


def stored(session: RecordSession) -> set[tuple[int, int]]:
    return set(session.execute(select(TeamClosure.ancestor_id, TeamClosure.descendant_id)).all())


def memberships(session: RecordSession, user: User) -> set[int]:
    return set(session.scalars(select(TeamMember.team_id).where(TeamMember.user_id == user.id)))


def test_a_leader_sees_every_team_below(
    session: RecordSession, person: Person, region: tuple[Team, Team, Team]
) -> None:
    east, iasi, copou = region
    assert actor_of(session, person(team=east)).team_ids == {east.id, iasi.id, copou.id}
    assert actor_of(session, person("Ion Rus", team=copou)).team_ids == {copou.id}


def test_a_moved_team_leaves_its_old_region(
    session: RecordSession, region: tuple[Team, Team, Team], now: dt.datetime
) -> None:
    east, iasi, copou = region
    west = add_team(session, name="West", now=now)
    iasi.parent_id = west.id
    session.write([iasi], "test")
    rebuild_closure(session)
    own = {(team.id, team.id) for team in (east, iasi, copou, west)}
    assert stored(session) == own | {(west.id, iasi.id), (west.id, copou.id), (iasi.id, copou.id)}


def test_a_team_cannot_lie_below_itself(session: RecordSession, region: tuple[Team, Team, Team]) -> None:
    east, _iasi, copou = region
    before = stored(session)
    east.parent_id = copou.id
    session.write([east], "test")
    with pytest.raises(RuleViolation, match="cannot be part of itself") as refusal:
        rebuild_closure(session)
    assert refusal.value.field == "parent_id"
    assert stored(session) == before


def test_team_names_differ(session: RecordSession, region: tuple[Team, Team, Team], now: dt.datetime) -> None:
    with pytest.raises(RuleViolation, match="East"):
        add_team(session, name=" East ", now=now)
    with pytest.raises(RuleViolation, match="has a name"):
        add_team(session, name=" ", now=now)


def test_changing_the_main_team_keeps_further_memberships(
    session: RecordSession, person: Person, region: tuple[Team, Team, Team]
) -> None:
    east, iasi, copou = region
    ana = person(team=iasi)
    add_member(session, copou.id, ana)
    ana.team_id = east.id
    session.write([ana], "test")
    set_main_team(session, ana, previous=iasi.id)
    assert memberships(session, ana) == {east.id, copou.id}


def test_setting_the_main_team_twice_changes_nothing(
    session: RecordSession, person: Person, region: tuple[Team, Team, Team]
) -> None:
    ana = person(team=region[0])
    set_main_team(session, ana, previous=region[0].id)
    assert memberships(session, ana) == {region[0].id}


def test_leaving_the_main_team_leaves_none(
    session: RecordSession, person: Person, region: tuple[Team, Team, Team]
) -> None:
    ana = person(team=region[0])
    remove_member(session, region[0].id, ana)
    assert ana.team_id is None
    assert memberships(session, ana) == set()


def test_there_is_no_membership_of_a_team_that_is_not_there(session: RecordSession, person: Person) -> None:
    with pytest.raises(NotFound):
        add_member(session, 999, person())


def test_memberships_raise_the_stamp(session: RecordSession, person: Person, region: tuple[Team, Team, Team]) -> None:
    ana = person()
    before = access_stamp(session)
    add_member(session, region[0].id, ana)
    after = access_stamp(session)
    remove_member(session, region[0].id, ana)
    assert before < after < access_stamp(session)


@st.composite
def forests(draw: st.DrawFn) -> dict[int, int | None]:
    """Teams numbered in any order, each below one that was drawn before it."""
    order = draw(st.permutations(range(1, draw(st.integers(1, 14)) + 1)))
    return {
        team: draw(st.sampled_from([None, *order[:position]])) if position else None
        for position, team in enumerate(order)
    }


@given(forests())
def test_the_closure_is_reflexive_and_transitive(parents: dict[int, int | None]) -> None:
    closure = closure_of(parents)
    assert {(team, team) for team in parents} <= closure
    assert {(parent, team) for team, parent in parents.items() if parent is not None} <= closure
    assert {(a, d) for a, b in closure for c, d in closure if b == c} == closure


@given(forests(), st.data())
def test_the_closure_is_no_larger_than_the_tree(parents: dict[int, int | None], data: st.DataObject) -> None:
    above, below = data.draw(st.sampled_from(sorted(closure_of(parents))))
    walked: int | None = below
    while walked != above:
        assert walked is not None
        walked = parents[walked]


@given(forests(), st.data())
def test_a_parent_from_below_is_a_cycle(parents: dict[int, int | None], data: st.DataObject) -> None:
    above, below = data.draw(st.sampled_from(sorted(closure_of(parents))))
    with pytest.raises(RuleViolation):
        closure_of({**parents, above: below})
