"""A stranger's plugin, in a distribution of its own, lives the whole life of a module and leaves nothing behind."""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from comptoir.access.models import Role
from comptoir.access.roles import list_roles
from comptoir.base.models import Contact
from comptoir.cli.routes import route_names
from comptoir.deployment import Deployment
from comptoir.errors import RuleViolations
from comptoir.jobs.worker import run_pending
from comptoir.modules.fingerprint import Fingerprint, fingerprint
from comptoir.modules.life_cycle import enable_modules, pause_modules, resume_modules
from comptoir.modules.plan import Plan, plan
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.history import HistoryEntry
from comptoir.records.write import save
from comptoir.registry.registry import Registry
from comptoir.testing.platform import Stage

pytestmark = pytest.mark.usefixtures("stranger")

FOLDER = Path(__file__).parent / "stranger" / "comptoir_loyalty"
TABLES = {"loyalty_contact", "loyalty_partner", "loyalty_reward", "loyalty_visit"}
HELD = dict.fromkeys(TABLES, 0) | {"loyalty_reward": 2, "loyalty_contact": 1}


def test_the_stranger_uses_only_what_everyone_may() -> None:
    allowed = {"comptoir.toolkit", "comptoir.base.models", "comptoir"}
    imported = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
    assert {name for name in imported if name.partition(".")[0] == "comptoir"} <= allowed


def test_it_is_discovered_by_its_distribution(deployment: Deployment) -> None:
    found = deployment.available()["loyalty"]
    assert (found.version, found.summary, found.author) == (
        "2.1.0", "Points and rewards for faithful customers", "Stranger & Co",
    )  # fmt: skip
    assert "loyalty" not in deployment.registry.plugins


def routes(deployment: Deployment) -> Callable[[Registry], list[str]]:
    return lambda registry: route_names(deployment, registry)


def planned(deployment: Deployment, action: str) -> Plan:
    return plan(deployment, action, ["loyalty"], routes=routes(deployment))


def tables(deployment: Deployment) -> set[str]:
    return set(inspect(deployment.engine).get_table_names())


def roles(deployment: Deployment) -> set[str]:
    with deployment.system_context("look", write=False) as ctx:
        return {role.name for role, _holders in list_roles(ctx.bookkeeping("test"))}


def surface(deployment: Deployment) -> dict[str, set[str]]:
    registry = deployment.registry
    return {
        "routes": set(route_names(deployment, registry)),
        "jobs": set(registry.jobs),
        "permissions": set(registry.permissions),
        "tables": tables(deployment),
        "roles": roles(deployment),
    }


def difference(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, set[str]]:
    assert all(before[key] <= after[key] for key in before)
    return {key: after[key] - before[key] for key in before}


def test_what_enabling_plans_is_what_happens(deployment: Deployment) -> None:
    before = surface(deployment)
    made = planned(deployment, "enable")
    assert surface(deployment) == before

    enable_modules(deployment, ["loyalty"])

    gained = difference(before, surface(deployment))
    assert gained["tables"] == set(made.tables) | {"alembic_version_loyalty"} == TABLES | {"alembic_version_loyalty"}
    assert gained["routes"] == set(made.routes)
    assert gained["jobs"] == set(made.jobs) == {"loyalty.expire_points"}
    assert gained["permissions"] == set(made.permissions)
    assert "loyalty.reward.double" in made.permissions
    assert gained["roles"] == set(made.roles) == {"Keeper of rewards"}
    assert set(made.screens.values()) == {1, 0}
    assert made.revisions == ("loyalty_0001",)
    with deployment.engine.connect() as connection:
        assert connection.scalar(text("select version_num from alembic_version_loyalty")) == made.revisions[-1]


def test_what_pausing_and_uninstalling_plan_is_what_happens(deployment: Deployment) -> None:
    bare = surface(deployment)
    enable_modules(deployment, ["loyalty"])
    fill(deployment)
    full = surface(deployment)

    made = planned(deployment, "pause")
    pause_modules(deployment, ["loyalty"])
    lost = difference(surface(deployment), full)
    assert lost["routes"] == set(made.routes)
    assert (lost["jobs"], lost["permissions"]) == (set(made.jobs), set(made.permissions))
    assert lost["tables"] == lost["roles"] == set()
    assert made.kept_tables == HELD

    made = planned(deployment, "uninstall")
    assert made.tables == HELD
    outcome = uninstall_modules(deployment, ["loyalty"])
    assert surface(deployment) == bare
    assert made.roles == ("Keeper of rewards",)
    assert [str(outcome.export)] == list(made.files)


def fill(deployment: Deployment) -> int:
    """A contact with two rewards; returns its id."""
    from comptoir_loyalty.models import Reward

    with deployment.system_context("fill") as ctx:
        contact = Contact(name="Mega Fruct SRL")
        save(ctx, [contact])
        save(ctx, [Reward(reason="First order", contact_id=contact.id, points=800)])
        save(ctx, [Reward(reason="Second order", contact_id=contact.id, points=300)])
        return contact.id


def test_enabled_it_is_everywhere(deployment: Deployment, administrator: Any) -> None:
    enable_modules(deployment, ["loyalty"])
    contact_id = fill(deployment)

    page = administrator.get(f"/base/contacts/{contact_id}?whole=1").text
    assert "Loyalty points" in page
    assert '<p class="loyalty-balance">1100 points · gold</p>' in page
    assert f"/base/contacts/{contact_id}?tab=loyalty.rewards" in page.replace("&amp;", "&") or "loyalty.rewards" in page
    assert "Second order" in administrator.get("/loyalty/rewards").text
    home = administrator.get("/").text
    assert "Most faithful customers" in home
    assert 'href="/loyalty/rewards"' in home
    assert "loyalty.expire_points" in administrator.get("/admin/jobs").text + " ".join(deployment.registry.jobs)

    contact = administrator.json(f"/base/contacts/{contact_id}")
    assert contact["loyalty"]["points"] == 1100
    assert administrator.json("/base/contacts?filter[loyalty.tier]=gold")["meta"]["total"] == 1
    assert administrator.json("/loyalty/rewards?filter[points][gte]=500")["meta"]["total"] == 1
    assert administrator.json("/loyalty/rewards/aggregate?measures=points:sum")["data"] == [{"points:sum": 1100}]
    assert "/api/v1/loyalty/rewards" in administrator.json("/openapi.json")["paths"]


def test_its_rules_hold_for_everyone(deployment: Deployment) -> None:
    import datetime as dt

    enable_modules(deployment, ["loyalty"])
    contact_id = fill(deployment)
    from comptoir_loyalty.models import Reward

    with deployment.system_context("test") as ctx:
        early = Reward(reason="Soon", contact_id=contact_id, points=1, given_on=ctx.today() + dt.timedelta(1))
        with pytest.raises(RuleViolations) as refused:
            save(ctx, [early])
    assert "given_on" in refused.value.by_field()


def loyalty_rows(deployment: Deployment) -> list[Any]:
    with deployment.engine.connect() as connection:
        return [connection.execute(text(f"select * from {table} order by 1")).all() for table in sorted(TABLES)] + [
            connection.execute(select(HistoryEntry.id).where(HistoryEntry.record_type == "loyalty.reward")).all()
        ]


def test_paused_it_is_absent_and_resumed_it_is_as_it_was(deployment: Deployment, administrator: Any) -> None:
    enable_modules(deployment, ["loyalty"])
    contact_id = fill(deployment)
    run_pending(deployment)
    before, shown = loyalty_rows(deployment), administrator.get(f"/base/contacts/{contact_id}?whole=1").text

    pause_modules(deployment, ["loyalty"])

    assert administrator.get("/loyalty/rewards").status_code == 404
    assert administrator.get("/api/v1/loyalty/rewards").status_code == 404
    assert "oyalty" not in administrator.get("/").text
    page = administrator.get(f"/base/contacts/{contact_id}?whole=1")
    assert page.status_code == 200
    assert "oyalty" not in page.text
    assert "loyalty" not in administrator.json(f"/base/contacts/{contact_id}")
    assert administrator.get("/api/v1/base/contacts?filter[loyalty.tier]=gold").status_code == 422
    assert not any("loyalty" in path for path in administrator.json("/openapi.json")["paths"])
    assert "loyalty.expire_points" not in deployment.registry.jobs
    assert loyalty_rows(deployment) == before

    resume_modules(deployment, ["loyalty"])

    assert loyalty_rows(deployment) == before
    assert "1100 points" in administrator.get(f"/base/contacts/{contact_id}?whole=1").text
    assert "1100 points" in shown


def test_contacts_change_and_go_while_it_is_paused(deployment: Deployment, administrator: Any) -> None:
    enable_modules(deployment, ["loyalty"])
    kept, gone = fill(deployment), fill(deployment)
    pause_modules(deployment, ["loyalty"])
    with deployment.system_context("meanwhile") as ctx:
        contact = ctx.session.get_one(Contact, kept)
        contact.name = "Renamed"
        save(ctx, [contact])
        from comptoir.records.write import delete

        delete(ctx, [ctx.session.get_one(Contact, gone)])
    resume_modules(deployment, ["loyalty"])
    assert administrator.json("/loyalty/rewards")["meta"]["total"] == 2
    assert "1100 points" in administrator.get(f"/base/contacts/{kept}?whole=1").text


def outside(deployment: Deployment) -> Fingerprint:
    return fingerprint(deployment, excluding="loyalty")


def test_uninstalled_it_leaves_no_trace_and_its_data_in_a_file(
    deployment: Deployment, stage: Stage, make_user: Callable[..., Any]
) -> None:
    make_user("Ana", administrator=True)
    with stage.system() as ctx:
        save(ctx, [Contact(name="Here before")])
    before = outside(deployment)
    enable_modules(deployment, ["loyalty"])
    assert outside(deployment).differences(before) == []

    from comptoir_loyalty.models import LoyaltyContact, Reward

    with deployment.system_context("fill") as ctx:
        contact = ctx.session.scalars(select(Contact)).one()
        contact_id, version = contact.id, contact.version
        save(ctx, [Reward(reason="First order", contact_id=contact_id, points=800)])
    with deployment.system_context("grant") as ctx:
        role = ctx.bookkeeping("test").scalars(select(Role).where(Role.template == "loyalty.keeper")).one()
        assert role.name == "Keeper of rewards"
    run_pending(deployment)

    outcome = uninstall_modules(deployment, ["loyalty"])

    assert outcome.untouched
    changed = outside(deployment).differences(before)
    # the points that the module gave made a version of the contact and a line in its history: those are the contact's own
    assert set(changed) <= {"rows of base_contact", "rows of core_history"}
    assert version == 1
    assert not any(name.startswith(("loyalty_", "alembic_version_loyalty")) for name in tables(deployment))
    assert outcome.export is not None
    with zipfile.ZipFile(outcome.export) as archive:
        described = json.loads(archive.read("module.json"))
        assert described["tables"]["loyalty_reward"]["rows"] == 1
        [reward] = [json.loads(line) for line in archive.read("loyalty_reward.jsonl").splitlines()]
        assert (reward["reason"], reward["points"]) == ("First order", 800)
        [held] = [json.loads(line) for line in archive.read(f"{LoyaltyContact.__tablename__}.jsonl").splitlines()]
        assert held["points"] == 800


def test_uninstalled_without_having_been_used_every_digest_is_equal(deployment: Deployment) -> None:
    fill_base(deployment)
    before = outside(deployment)
    enable_modules(deployment, ["loyalty"])
    uninstall_modules(deployment, ["loyalty"])
    assert outside(deployment) == before


def fill_base(deployment: Deployment) -> None:
    with deployment.system_context("fill") as ctx:
        save(ctx, [Contact(name=f"Company {number}") for number in range(20)])


def test_it_can_come_back_after_it_was_uninstalled(deployment: Deployment, administrator: Any) -> None:
    enable_modules(deployment, ["loyalty"])
    fill(deployment)
    uninstall_modules(deployment, ["loyalty"])
    enable_modules(deployment, ["loyalty"])
    assert administrator.json("/loyalty/rewards")["meta"]["total"] == 0
    contact_id = fill(deployment)
    assert "1100 points" in administrator.get(f"/base/contacts/{contact_id}?whole=1").text
