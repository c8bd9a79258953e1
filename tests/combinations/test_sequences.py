"""Modules go on and off in any order; whatever happens to one, everything outside it stays as it was."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import inspect, select
from tests.drills import LONGER

from comptoir.access.models import Role, RolePermission
from comptoir.base.models import Contact
from comptoir.deployment import Deployment
from comptoir.errors import ComptoirError, RuleViolation
from comptoir.modules.fingerprint import Fingerprint, fingerprint
from comptoir.modules.life_cycle import enable_modules, pause_modules, resume_modules
from comptoir.modules.plan import Outcome, states
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.write import save

pytestmark = [
    pytest.mark.usefixtures("stranger"),
    pytest.mark.slow,
    pytest.mark.drill,
    pytest.mark.timeout(600 * LONGER),
]

NEEDS: dict[str, set[str]] = {"catalog": set(), "sales": {"catalog"}, "loyalty": set()}
NEEDED_BY = {name: {other for other, needs in NEEDS.items() if name in needs} for name in NEEDS}
ACTIONS: dict[str, Callable[[Deployment, list[str]], Outcome]] = {
    "enable": enable_modules,
    "pause": pause_modules,
    "resume": resume_modules,
    "uninstall": uninstall_modules,
}


ORDERS = (("catalog", "sales", "loyalty"), ("loyalty", "sales", "catalog"))


@dataclass
class Model:
    """What the deployment should be: a module is on, paused, or not there."""

    on: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)

    @property
    def known(self) -> set[str]:
        return self.on | self.paused

    def blockers(self, action: str, name: str) -> set[str] | None:
        """The modules that a refusal names; None where the action is allowed."""
        if action == "enable":
            return None
        if action == "pause":
            return (NEEDED_BY[name] & self.on or None) if name in self.on else {name}
        if action == "resume":
            return (NEEDS[name] - self.on or None) if name in self.paused else {name}
        return (NEEDED_BY[name] & self.known or None) if name in self.known else {name}

    def apply(self, action: str, name: str) -> set[str]:
        """Do it; returns the modules that changed."""
        touched = {name}
        if action == "enable":
            touched = ({name} | NEEDS[name]) - self.on
            self.on |= touched
            self.paused -= touched
        elif action == "resume":
            self.paused.discard(name)
            self.on.add(name)
        else:
            self.on.discard(name)
            self.paused.discard(name)
            if action == "pause":
                self.paused.add(name)
        return touched


def outside(deployment: Deployment, touched: set[str]) -> dict[str, Any]:
    """Schema, rows, files, jobs and permissions of everything but these modules."""
    taken: Fingerprint = fingerprint(deployment, excluding=min(touched, default="nothing"))
    mine = tuple(f"{name}_" for name in touched) + tuple(f"alembic_version_{name}" for name in touched)
    shared = {"core_role", "core_role_permission", "core_history", "core_search"} if len(touched) > 1 else set()
    dotted = tuple(f"{name}." for name in touched)
    return {
        "schema": {name: digest for name, digest in taken.schema.items() if not name.startswith(mine)},
        "rows": {n: digest for n, digest in taken.rows.items() if not n.startswith(mine) and n not in shared},
        "files": taken.files,
        "jobs": [job for job in taken.jobs if not job.startswith(dotted)],
        "permissions": [name for name in taken.permissions if not name.startswith(dotted)],
    }


def held_rows(deployment: Deployment, name: str) -> dict[str, str]:
    rows = fingerprint(deployment, excluding="nothing").rows
    return {table: digest for table, digest in rows.items() if table.startswith(f"{name}_")}


def use(deployment: Deployment, model: Model, count: Iterator[int]) -> None:
    """People work with what is on."""
    number = next(count)
    with deployment.system_context("work") as ctx:
        contact = Contact(name=f"Company {number}")
        save(ctx, [contact])
        if "catalog" in model.on:
            from comptoir_catalog.models import Product

            save(ctx, [Product(name=f"Product {number}", price=Decimal(number))])
        if "sales" in model.on:
            from comptoir_sales.models import Deal

            save(ctx, [Deal(name=f"Deal {number}", amount=Decimal(number))])
        if "loyalty" in model.on:
            from comptoir_loyalty.models import LoyaltyContact

            contact.ext(LoyaltyContact).points = number
            save(ctx, [contact])


def check_agreement(deployment: Deployment, model: Model) -> None:
    with deployment.system_context("look", write=False) as ctx:
        session = ctx.bookkeeping("test")
        held = {name: str(state.value) for name, state in states(session).items() if name != "base"}
        permissions = set(session.scalars(select(RolePermission.permission)))
        templates = [template for template in session.scalars(select(Role.template)) if template]
    assert held == dict.fromkeys(model.on, "enabled") | dict.fromkeys(model.paused, "paused")
    assert set(deployment.registry.plugins) == {"base", *model.on}
    alive = {"base", "core", *model.known}
    assert {name.partition(".")[0] for name in permissions} <= alive
    assert {name.partition(".")[0] for name in templates} <= alive
    assert {name.partition(".")[0] for name in deployment.registry.permissions} == {"base", "core", *model.on}
    tables = inspect(deployment.engine).get_table_names()
    for name in NEEDS:
        assert any(table.startswith(f"{name}_") for table in tables) == (name in model.known)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_keeps_everything_outside_as_it_was(deployment: Deployment, seed: int) -> None:
    chance, model, count = random.Random(seed), Model(), itertools.count(1)
    refusals = 0
    for _step in range(6 * LONGER):
        action, name = chance.choice(list(ACTIONS)), chance.choice(list(NEEDS))
        use(deployment, model, count)
        blockers = model.blockers(action, name)
        if blockers is not None:
            before = outside(deployment, set())
            with pytest.raises(ComptoirError) as refused:
                ACTIONS[action](deployment, [name])
            assert all(blocker in str(refused.value) for blocker in blockers)
            assert outside(deployment, set()) == before
            refusals += 1
        else:
            touched = ({name} | NEEDS[name]) - model.on if action == "enable" else {name}
            before, own = outside(deployment, touched), held_rows(deployment, name)
            ACTIONS[action](deployment, [name])
            model.apply(action, name)
            assert outside(deployment, touched) == before
            if action in ("pause", "resume"):
                assert held_rows(deployment, name) == own
        check_agreement(deployment, model)
    for name in ("sales", "catalog", "loyalty"):
        if name in model.known:
            uninstall_modules(deployment, [name])
            model.apply("uninstall", name)
    check_agreement(deployment, model)


def picture(deployment: Deployment) -> dict[str, Any]:
    taken = fingerprint(deployment, excluding="nothing")
    with deployment.system_context("look", write=False) as ctx:
        rights = ctx.bookkeeping("test").execute(
            select(Role.name, RolePermission.permission, RolePermission.scope).join(
                RolePermission, RolePermission.role_id == Role.id
            )
        )
        roles = sorted(tuple(row) for row in rights)
    registry = deployment.registry
    fields = {name: list(declared.fields) for name, declared in sorted(registry.record_types.items())}
    return {
        "schema": taken.schema,
        "jobs": taken.jobs,
        "permissions": taken.permissions,
        "roles": roles,
        "fields": fields,
    }


def test_the_order_of_enabling_does_not_matter(deployment: Deployment) -> None:
    bare = outside(deployment, set())
    pictures = []
    for order in ORDERS:
        for name in order:
            enable_modules(deployment, [name])
        pictures.append(picture(deployment))
        for name in ("loyalty", "sales", "catalog"):
            uninstall_modules(deployment, [name])
    assert outside(deployment, set()) == bare
    assert all(taken == pictures[0] for taken in pictures)


def test_a_refusal_says_what_to_do_first(deployment: Deployment) -> None:
    enable_modules(deployment, ["sales"])
    for action in (pause_modules, uninstall_modules):
        with pytest.raises(RuleViolation) as refused:
            action(deployment, ["catalog"])
        assert "sales" in str(refused.value)
        assert "first" in str(refused.value)
    pause_modules(deployment, ["sales"])
    pause_modules(deployment, ["catalog"])
    with pytest.raises(RuleViolation) as refused:
        resume_modules(deployment, ["sales"])
    assert "Resume them first" in str(refused.value)
    with pytest.raises(RuleViolation):
        uninstall_modules(deployment, ["base"])
    with pytest.raises(ComptoirError) as unknown:
        enable_modules(deployment, ["telescope"])
    assert "catalog" in str(unknown.value)
