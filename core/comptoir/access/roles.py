"""Roles: what they permit, who holds them, and the administrators that a deployment may not run out of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from comptoir.access.models import Role, RolePermission, User, UserRole
from comptoir.access.permissions import ADMINISTER, RANK, raise_access_stamp
from comptoir.access.security_log import (
    PERMISSION_CHANGED,
    ROLE_CHANGED,
    ROLE_CREATED,
    ROLE_DELETED,
    ROLE_GRANTED,
    ROLE_REVOKED,
    record_event,
)
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import Text, _

ADMINISTRATOR = "base.administrator"
"""The template name of the administrators' role."""


class Template(Protocol):
    """A ready-made role, as a plugin contributes it."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> Text: ...
    @property
    def permissions(self) -> Mapping[str, str]: ...
    @property
    def description(self) -> Text: ...


# -- administrators -------------------------------------------------------------------------------------------------------


def has_administrator(session: Session, *, without: Collection[int] = ()) -> bool:
    """Whether somebody can sign in who holds every permission, the users ``without`` aside."""
    found = session.scalar(_administrators().where(*can_sign_in(), User.id.not_in(list(without))).limit(1))
    return found is not None


def keep_administrator(session: Session, user_ids: Collection[int], *, leaving: bool = False) -> None:
    """Raise `RuleViolation` when these users were edited, or are ``leaving``, and nobody could administer any more."""
    if session.scalar(_administrators().where(User.id.in_(list(user_ids))).limit(1)) is None:
        return
    if not has_administrator(session, without=user_ids if leaving else ()):
        raise _last_administrator()


def _administrators() -> Select[int]:
    return (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .join(RolePermission, RolePermission.role_id == UserRole.role_id)
        .where(RolePermission.permission == ADMINISTER)
    )


def _last_administrator() -> RuleViolation:
    return RuleViolation(
        "core.last_administrator",
        _("Nobody could administer Comptoir after this. Give another user the role Administrator first."),
    )


def can_sign_in() -> tuple[Any, ...]:
    """The conditions on `User` under which somebody takes a seat: active, not archived, with address and password."""
    return (
        User.active,
        User.archived_at.is_(None),
        User.email_key.is_not(None),
        User.password_hash.is_not(None),
    )


@contextmanager
def changing_rights(session: Session) -> Iterator[None]:
    """A change of rights, undone and refused when it would take the last administrator away; raises the access stamp."""
    session.flush()
    raise_access_stamp(session)
    before = has_administrator(session)
    with session.begin_nested():
        yield
        session.flush()
        if before and not has_administrator(session):
            raise _last_administrator()


def seed_administrator_role(session: Session) -> Role:
    """The role that holds every permission; created at the first call."""
    role = session.scalar(select(Role).where(Role.template == ADMINISTRATOR))
    if role is None:
        role = Role(
            name=_free_name(session, str(_("Administrator"))),
            template=ADMINISTRATOR,
            description=str(_("May do everything, including modules, users and roles.")),
        )
        session.add(role)
        session.flush()
        session.add(RolePermission(role_id=role.id, permission=ADMINISTER, scope="all"))
        raise_access_stamp(session)
        session.flush()
    return role


# -- roles ------------------------------------------------------------------------------------------------------------------


def copy_templates(session: Session, templates: Iterable[Template]) -> Sequence[Role]:
    """Create the roles that do not exist yet; one that was copied before is left as the administrators made it."""
    known = set(session.scalars(select(Role.template).where(Role.template.is_not(None))))
    created = []
    for template in templates:
        if template.name in known:
            continue
        known.add(template.name)
        role = Role(
            name=_free_name(session, str(template.label)), template=template.name, description=str(template.description)
        )
        session.add(role)
        session.flush()
        session.add_all(
            RolePermission(role_id=role.id, permission=permission, scope=_scope(scope))
            for permission, scope in template.permissions.items()
        )
        record_event(session, ROLE_CREATED, about=role.name, permissions=dict(template.permissions))
        created.append(role)
    if created:
        raise_access_stamp(session)
        session.flush()
    return created


def find_role(session: Session, name: str) -> Role:
    """The role of a name, or of a template's name."""
    found = session.scalar(select(Role).where(Role.name == name)) or session.scalar(
        select(Role).where(Role.template == name)
    )
    if found is None:
        known = ", ".join(sorted(session.scalars(select(Role.name)))) or "–"
        raise NotFound(_("There is no role {name}. There are: {known}.", name=name, known=known))
    return found


def list_roles(session: Session) -> Sequence[tuple[Role, int]]:
    """Every role with the number of its holders, by name."""
    statement = (
        select(Role, func.count(UserRole.user_id))
        .outerjoin(UserRole, UserRole.role_id == Role.id)
        .group_by(Role.id)
        .order_by(Role.name)
    )
    return [(first, second) for first, second in session.execute(statement)]


def create_role(
    session: Session,
    *,
    name: str,
    description: str = "",
    permissions: Mapping[str, str] | None = None,
    known: Collection[str] | None = None,
) -> Role:
    """A new role with its permissions and their scopes; ``known`` are the permissions there are."""
    role = Role(name=_checked_name(session, name), description=description)
    session.add(role)
    session.flush()
    record_event(session, ROLE_CREATED, about=role.name)
    for permission, scope in (permissions or {}).items():
        set_permission(session, role, permission, scope, known=known)
    raise_access_stamp(session)
    return role


def edit_role(session: Session, role: Role, *, name: str | None = None, description: str | None = None) -> None:
    """Rename or describe a role."""
    if name is not None and name.strip() != role.name:
        before, role.name = role.name, _checked_name(session, name)
        record_event(session, ROLE_CHANGED, about=role.name, before=before)
    if description is not None:
        role.description = description
    session.flush()


def delete_role(session: Session, role: Role) -> None:
    """Remove a role and take it from its holders; a module's template is copied again only under a new name."""
    if role.template == ADMINISTRATOR:
        raise RuleViolation(
            "core.administrator_role", _("The administrators’ role stays. Rename it, or take it from users.")
        )
    with changing_rights(session):
        holders = [user.email or user.name for user in members_of(session, role)]
        record_event(session, ROLE_DELETED, about=role.name, holders=holders)
        session.execute(delete(UserRole).where(UserRole.role_id == role.id))
        session.execute(delete(RolePermission).where(RolePermission.role_id == role.id))
        session.delete(role)


def set_permission(
    session: Session, role: Role, permission: str, scope: str | None, *, known: Collection[str] | None = None
) -> None:
    """Let a role hold a permission within a scope; None takes the permission away."""
    if known is not None and scope is not None and permission not in known and permission != ADMINISTER:
        raise RuleViolation(
            "core.unknown_permission", _("There is no permission {name}.", name=permission), field="permission"
        )
    if role.template == ADMINISTRATOR and permission == ADMINISTER and scope != "all":
        raise RuleViolation("core.administrator_role", _("The administrators’ role holds every permission."))
    with changing_rights(session):
        row = session.get(RolePermission, (role.id, permission))
        before = row.scope if row is not None else None
        if before != scope:
            record_event(
                session, PERMISSION_CHANGED, about=role.name, permission=permission, before=before, after=scope
            )
        if scope is None:
            if row is not None:
                session.delete(row)
        elif row is None:
            session.add(RolePermission(role_id=role.id, permission=permission, scope=_scope(scope)))
        else:
            row.scope = _scope(scope)


def permissions_of(session: Session, role: Role) -> Mapping[str, str]:
    """The permissions of a role with their scopes."""
    statement = select(RolePermission.permission, RolePermission.scope).where(RolePermission.role_id == role.id)
    return dict(session.execute(statement.order_by(RolePermission.permission)).all())


def members_of(session: Session, role: Role) -> Sequence[User]:
    """Who holds a role, by name."""
    statement = select(User).join(UserRole, UserRole.user_id == User.id).where(UserRole.role_id == role.id)
    return session.scalars(statement.order_by(User.name, User.id)).all()


def roles_of(session: Session, user: User) -> Sequence[Role]:
    """The roles of a user, by name."""
    statement = select(Role).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == user.id)
    return session.scalars(statement.order_by(Role.name)).all()


def roles_by_user(session: Session) -> Mapping[int, Sequence[Role]]:
    """The roles of every user who has any, by name."""
    found: dict[int, list[Role]] = {}
    statement = select(UserRole.user_id, Role).join(Role, Role.id == UserRole.role_id).order_by(Role.name)
    for user_id, role in session.execute(statement):
        found.setdefault(user_id, []).append(role)
    return found


def grant_role(session: Session, user: User, role: Role) -> None:
    """Give a user a role; whoever holds it already stays as they are."""
    with changing_rights(session):
        if session.get(UserRole, (user.id, role.id)) is None:
            session.add(UserRole(user_id=user.id, role_id=role.id))
            record_event(session, ROLE_GRANTED, person=user, role=role.name)


def revoke_role(session: Session, user: User, role: Role) -> None:
    """Take a role from a user."""
    with changing_rights(session):
        if (held := session.get(UserRole, (user.id, role.id))) is not None:
            session.delete(held)
            record_event(session, ROLE_REVOKED, person=user, role=role.name)


def _scope(scope: str) -> str:
    if scope not in RANK:
        raise RuleViolation(
            "core.unknown_scope", _("{scope} is no scope. Choose own, team or all.", scope=scope), field="scope"
        )
    return scope


def _checked_name(session: Session, name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100 or "\x00" in name:
        raise RuleViolation("core.required", _("A role has a name of at most 100 characters."), field="name")
    if session.scalar(select(Role.id).where(Role.name == name)) is not None:
        raise RuleViolation("core.not_unique", _("There is a role “{name}” already.", name=name), field="name")
    return name


def _free_name(session: Session, label: str) -> str:
    """The label, with a number where a role is called so already."""
    label = label[:90]
    taken = set(session.scalars(select(Role.name).where(Role.name.startswith(label, autoescape=True))))
    name, number = label, 2
    while name in taken:
        name, number = f"{label} {number}", number + 1
    return name
