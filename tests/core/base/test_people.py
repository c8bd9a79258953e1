"""Users and teams as records: the tree of teams, and who sees what through it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from comptoir.access.models import Team, TeamClosure, TeamMember, User
from comptoir.context import Context
from comptoir.errors import RuleViolations
from comptoir.records.write import save


def team(ctx: Context, name: str, parent: Team | None = None) -> Team:
    made = Team(name=name, parent_id=parent.id if parent else None)
    save(ctx, [made])
    return made


def below(ctx: Context, above: Team) -> set[int]:
    query = select(TeamClosure.descendant_id).where(TeamClosure.ancestor_id == above.id)
    return set(ctx.bookkeeping("test").scalars(query))


def test_a_team_sees_the_teams_below_it(ctx: Context) -> None:
    region = team(ctx, "East")
    office = team(ctx, "Baku", region)
    assert below(ctx, region) == {region.id, office.id}


def test_a_team_that_moves_takes_its_teams_along(ctx: Context) -> None:
    east, west = team(ctx, "East"), team(ctx, "West")
    office = team(ctx, "Baku", east)
    desk = team(ctx, "Desk", office)
    office.parent_id = west.id
    save(ctx, [office])
    assert below(ctx, east) == {east.id}
    assert below(ctx, west) == {west.id, office.id, desk.id}


def test_a_team_cannot_be_part_of_a_team_below_it(ctx: Context) -> None:
    east = team(ctx, "East")
    office = team(ctx, "Baku", east)
    east.parent_id = office.id
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [east])
    assert list(refused.value.by_field()) == ["parent_id"]


def test_a_user_belongs_to_their_main_team(ctx: Context) -> None:
    first, second = team(ctx, "Baku"), team(ctx, "Sofia")
    user = User(name="Leyla Əliyeva", team_id=first.id)
    save(ctx, [user])
    user.team_id = second.id
    save(ctx, [user])
    query = select(TeamMember.team_id).where(TeamMember.user_id == user.id)
    assert list(ctx.bookkeeping("test").scalars(query)) == [second.id]


def test_two_users_cannot_share_an_address(ctx: Context) -> None:
    save(ctx, [User(name="Leyla", email="leyla@example.org")])
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [User(name="Other", email="LEYLA@example.org")])
    assert list(refused.value.by_field()) == ["email"]
