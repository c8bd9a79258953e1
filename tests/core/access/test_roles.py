"""Roles begin as a module's templates and then belong to the administrators."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from comptoir.access.models import User
from comptoir.access.permissions import access_stamp, grants_of
from comptoir.access.roles import (
    copy_templates,
    create_role,
    delete_role,
    edit_role,
    find_role,
    grant_role,
    has_administrator,
    list_roles,
    members_of,
    permissions_of,
    roles_of,
    seed_administrator_role,
    set_permission,
)
from comptoir.db.gate import RecordSession
from comptoir.errors import NotFound, RuleViolation

Person = Callable[..., User]
KNOWN = ["sales.deal.read", "sales.deal.write"]


@dataclass(frozen=True)
class Template:
    name: str = "sales.agent"
    label: str = "Sales agent"
    permissions: Mapping[str, str] = field(
        default_factory=lambda: {"sales.deal.read": "team", "sales.deal.write": "own"}
    )
    description: str = "Sells"


def test_a_template_becomes_a_role(session: RecordSession) -> None:
    (role,) = copy_templates(session, [Template()])
    assert (role.name, role.template, role.description) == ("Sales agent", "sales.agent", "Sells")
    assert permissions_of(session, role) == {"sales.deal.read": "team", "sales.deal.write": "own"}


def test_copying_again_keeps_what_administrators_changed(session: RecordSession) -> None:
    (role,) = copy_templates(session, [Template()])
    set_permission(session, role, "sales.deal.write", None)
    edit_role(session, role, name="Agents")
    assert copy_templates(session, [Template()]) == []
    assert role.name == "Agents"
    assert permissions_of(session, role) == {"sales.deal.read": "team"}


def test_a_template_whose_name_is_taken_gets_a_number(session: RecordSession) -> None:
    create_role(session, name="Sales agent")
    (role,) = copy_templates(session, [Template()])
    assert role.name == "Sales agent 2"


def test_a_template_with_an_unknown_scope_is_refused(session: RecordSession) -> None:
    with pytest.raises(RuleViolation, match="own, team or all"):
        copy_templates(session, [Template(permissions={"sales.deal.read": "galaxy"})])


def test_the_widest_scope_of_several_roles_wins(session: RecordSession, person: Person) -> None:
    ana = person()
    grant_role(session, ana, create_role(session, name="Reader", permissions={"sales.deal.read": "own"}))
    grant_role(session, ana, create_role(session, name="Auditor", permissions={"sales.deal.read": "all"}))
    assert grants_of(session, ana.id).scope("sales.deal.read") == "all"
    assert [role.name for role in roles_of(session, ana)] == ["Auditor", "Reader"]


def test_a_role_is_found_by_its_name_or_its_templates(session: RecordSession) -> None:
    (role,) = copy_templates(session, [Template()])
    assert find_role(session, "Sales agent") is role
    assert find_role(session, "sales.agent") is role
    with pytest.raises(NotFound, match="There are: Sales agent"):
        find_role(session, "Pirate")


def test_an_unknown_permission_is_refused(session: RecordSession) -> None:
    with pytest.raises(RuleViolation, match=r"sales\.deal\.fly"):
        create_role(session, name="Pilot", permissions={"sales.deal.fly": "all"}, known=KNOWN)


def test_a_scope_is_own_team_or_all(session: RecordSession) -> None:
    role = create_role(session, name="Reader")
    with pytest.raises(RuleViolation, match="own, team or all"):
        set_permission(session, role, "sales.deal.read", "galaxy", known=KNOWN)


def test_a_permission_changes_scope_and_goes(session: RecordSession) -> None:
    role = create_role(session, name="Reader", permissions={"sales.deal.read": "own"}, known=KNOWN)
    set_permission(session, role, "sales.deal.read", "all", known=KNOWN)
    assert permissions_of(session, role) == {"sales.deal.read": "all"}
    set_permission(session, role, "sales.deal.read", None)
    assert permissions_of(session, role) == {}


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "Reader"])
def test_role_names_are_short_and_differ(session: RecordSession, name: str) -> None:
    create_role(session, name="Reader")
    with pytest.raises(RuleViolation) as refusal:
        create_role(session, name=name)
    assert refusal.value.field == "name"


def test_a_deleted_role_is_taken_from_its_holders(session: RecordSession, person: Person) -> None:
    ana = person()
    role = create_role(session, name="Reader", permissions={"sales.deal.read": "own"})
    grant_role(session, ana, role)
    assert [user.name for user in members_of(session, role)] == ["Ana Pop"]
    assert [(listed.name, holders) for listed, holders in list_roles(session)] == [("Reader", 1)]
    delete_role(session, role)
    assert grants_of(session, ana.id).scope("sales.deal.read") is None


def test_the_administrators_role_stays_whole(session: RecordSession) -> None:
    role = seed_administrator_role(session)
    assert seed_administrator_role(session) is role
    with pytest.raises(RuleViolation, match="stays"):
        delete_role(session, role)
    with pytest.raises(RuleViolation, match="holds every permission"):
        set_permission(session, role, "core.admin", None)


def test_a_role_that_makes_the_last_administrator_stays(
    session: RecordSession, person: Person, now: dt.datetime
) -> None:
    owners = create_role(session, name="Owners", permissions={"core.admin": "all"})
    person(roles=[owners])
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        delete_role(session, owners)
    with pytest.raises(RuleViolation, match="Nobody could administer"):
        set_permission(session, owners, "core.admin", None)
    assert has_administrator(session)


def test_editing_permissions_raises_the_stamp(session: RecordSession) -> None:
    role = create_role(session, name="Reader")
    before = access_stamp(session)
    set_permission(session, role, "sales.deal.read", "own", known=KNOWN)
    assert access_stamp(session) > before
