"""Teams: their tree, and who belongs to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from comptoir.access.models import Team, TeamClosure, TeamMember, User
from comptoir.access.permissions import raise_access_stamp
from comptoir.access.security_log import TEAM_JOINED, TEAM_LEFT, record_event
from comptoir.db.gate import RecordSession
from comptoir.db.types import fold
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _

BATCH = 500
TEAMS = "teams"
"""Why teams pass the gate without the writer: who sees what through them changes with them."""


def add_team(session: RecordSession, *, name: str, now: dt.datetime, parent: Team | None = None) -> Team:
    """A new team, at the top or below another."""
    name = name.strip()
    if not name or len(name) > 255:
        raise RuleViolation("core.required", _("A team has a name of at most 255 characters."), field="name")
    if session.scalar(select(Team.id).where(Team.name == name)) is not None:
        raise RuleViolation("core.not_unique", _("There is a team “{name}” already.", name=name), field="name")
    team = Team(
        name=name,
        parent_id=parent.id if parent else None,
        created_at=now,
        updated_at=now,
        custom={},
        search_key=fold(name),
    )
    session.write([team], TEAMS)
    rebuild_closure(session)
    return team


def rebuild_closure(session: Session) -> None:
    """Bring the closure in step with `Team.parent_id`; a team that would lie below itself is a `RuleViolation`."""
    session.flush()
    raise_access_stamp(session)
    parents = dict(session.execute(select(Team.id, Team.parent_id)).all())
    wanted = closure_of(parents)
    present = set(session.execute(select(TeamClosure.ancestor_id, TeamClosure.descendant_id)).all())
    gone = sorted(present - wanted)
    for start in range(0, len(gone), BATCH):
        pairs = [
            and_(TeamClosure.ancestor_id == above, TeamClosure.descendant_id == below)
            for above, below in gone[start : start + BATCH]
        ]
        session.execute(delete(TeamClosure).where(or_(*pairs)), execution_options={"synchronize_session": False})
    if fresh := sorted(wanted - present):
        session.execute(insert(TeamClosure), [{"ancestor_id": above, "descendant_id": below} for above, below in fresh])
    session.flush()


def closure_of(parents: Mapping[int, int | None]) -> set[tuple[int, int]]:
    """Every team with itself and each team above it, as (ancestor, descendant)."""
    pairs: set[tuple[int, int]] = set()
    for team in parents:
        above: int | None = team
        seen: set[int] = set()
        while above is not None and above in parents:
            if above in seen:
                raise RuleViolation(
                    "core.team_cycle", _("A team cannot be part of itself, nor of a team below it."), field="parent_id"
                )
            seen.add(above)
            above = parents[above]
        pairs |= {(ancestor, team) for ancestor in seen}
    return pairs


def set_main_team(session: Session, user: User, *, previous: int | None = None) -> None:
    """Bring the memberships in step with `User.team_id`; only that of the ``previous`` main team ends."""
    session.flush()
    if previous is not None and previous != user.team_id:
        _end_membership(session, previous, user)
    if user.team_id is not None:
        add_member(session, user.team_id, user)


def add_member(session: Session, team_id: int, user: User) -> None:
    """Let a user see what the team sees; whoever belongs to it already stays as they are."""
    raise_access_stamp(session)
    if session.get(TeamMember, (team_id, user.id)) is not None:
        return
    team = session.get(Team, team_id)
    if team is None:
        raise NotFound(_("There is no team {id}.", id=team_id))
    record_event(session, TEAM_JOINED, person=user, team=team.name)
    session.add(TeamMember(team_id=team_id, user_id=user.id))
    session.flush()


def remove_member(session: RecordSession, team_id: int, user: User) -> None:
    """End a membership; the main team is taken from the user as well."""
    _end_membership(session, team_id, user)
    if user.team_id == team_id:
        user.team_id = None
        session.write([user], TEAMS)
    session.flush()


def _end_membership(session: Session, team_id: int, user: User) -> None:
    raise_access_stamp(session)
    if (member := session.get(TeamMember, (team_id, user.id))) is not None:
        record_event(session, TEAM_LEFT, person=user, team=session.get_one(Team, team_id).name)
        session.delete(member)
    session.flush()
