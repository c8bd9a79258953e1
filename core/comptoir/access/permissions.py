"""What an actor may do: the permissions of the roles, each with its widest scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from comptoir.access.models import AccessStamp, RolePermission, TeamClosure, TeamMember, User, UserRole

ADMINISTER = "core.admin"
"""The permission of administrators: it holds every other, with scope all."""

EVERYONE = frozenset(
    {("base.view.read", "all"), ("base.view.create", "own"), ("base.view.write", "own"), ("base.view.delete", "own")}
)
"""What every user holds without a role: views of their own, and a look at those that others share."""

RANK = {"own": 0, "team": 1, "all": 2}


@dataclass(frozen=True, slots=True)
class Grants:
    """Permissions with their scopes; hashable, so that policies and pages can be cached by it."""

    scopes: frozenset[tuple[str, str]] = frozenset()
    administrator: bool = False

    def scope(self, permission: str) -> str | None:
        """``own``, ``team``, ``all``, or None where the permission is not held."""
        if self.administrator:
            return "all"
        best: str | None = None
        for name, scope in self.scopes:
            if name == permission and (best is None or RANK[scope] > RANK[best]):
                best = scope
        return best

    def cut_down_to(self, prefixes: Iterable[str]) -> Grants:
        """The grants that a token with these scopes keeps; ``sales`` keeps all of ``sales.*``."""
        wanted = tuple(prefixes)
        if not wanted:
            return self
        if self.administrator and ADMINISTER in wanted:
            return self
        kept = frozenset(
            (name, scope)
            for name, scope in self.scopes
            if any(name == prefix or name.startswith(prefix + ".") for prefix in wanted)
        )
        return Grants(kept | {(p, "all") for p in wanted if self.administrator and p.count(".") >= 2})


@dataclass(frozen=True)
class Actor:
    """Who acts: a signed-in user, or the system itself with a reason."""

    id: int | None
    name: str
    grants: Grants = field(default_factory=Grants)
    team_ids: frozenset[int] = frozenset()
    """The user's teams and every team below them."""
    team_id: int | None = None
    language: str = "en"
    timezone: str | None = None
    is_system: bool = False

    @cached_property
    def initials(self) -> str:
        """The first letters of the first and last word of the name."""
        words = [word for word in self.name.split() if word[:1].isalpha()]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper() if words else "?"


def system_actor(reason: str) -> Actor:
    """The actor of jobs, the command line and privileged work."""
    return Actor(None, reason, Grants(administrator=True), is_system=True)


def grants_of(session: Session, user_id: int, all_permissions: Mapping[str, object] | None = None) -> Grants:
    """The grants of a user's roles; an administrator's are spelled out when ``all_permissions`` is given."""
    rows = session.execute(
        select(RolePermission.permission, RolePermission.scope)
        .join(UserRole, UserRole.role_id == RolePermission.role_id)
        .where(UserRole.user_id == user_id)
    ).all()
    held = frozenset((permission, scope) for permission, scope in rows)
    if any(permission == ADMINISTER for permission, _scope in held):
        return Grants(EVERYONE | {(name, "all") for name in all_permissions or ()}, administrator=True)
    return Grants(EVERYONE | held)


def actor_of(session: Session, user: User, all_permissions: Mapping[str, object] | None = None) -> Actor:
    """The actor that a user is, with the teams at or below theirs."""
    teams = session.scalars(
        select(TeamClosure.descendant_id)
        .join(TeamMember, TeamMember.team_id == TeamClosure.ancestor_id)
        .where(TeamMember.user_id == user.id)
    ).all()
    return Actor(
        id=user.id,
        name=user.name,
        grants=grants_of(session, user.id, all_permissions),
        team_ids=frozenset(teams),
        team_id=user.team_id,
        language=user.language,
        timezone=user.timezone,
    )


def access_stamp(session: Session) -> int:
    """The counter of changes to roles and memberships."""
    return session.scalar(select(AccessStamp.stamp).where(AccessStamp.id == 1)) or 0


def raise_access_stamp(session: Session) -> None:
    """Tell every worker that cached rights are out of date.

    The counter's row stays locked until the transaction ends: changes of rights, and the counting of seats and
    administrators that goes with them, happen one after the other.
    """
    raised = session.execute(
        update(AccessStamp).where(AccessStamp.id == 1).values(stamp=AccessStamp.stamp + 1),
        execution_options={"synchronize_session": False},
    )
    if not raised.rowcount:  # type: ignore[attr-defined]
        session.add(AccessStamp(id=1, stamp=1))
        session.flush()
