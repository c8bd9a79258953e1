"""What an uninstall exported comes back with the module: the same records, history, rights and search, or nothing at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from comptoir.access.models import Role, User
from comptoir.access.roles import edit_role, find_role, grant_role, members_of, permissions_of, set_permission
from comptoir.access.security_log import MODULE_CHANGED, EventFilter, list_events
from comptoir.access.users import set_email
from comptoir.base.models import Contact, Task
from comptoir.db.search import SearchEntry
from comptoir.deployment import Deployment
from comptoir.errors import RuleViolation
from comptoir.modules.fingerprint import fingerprint
from comptoir.modules.life_cycle import enable_modules, pause_modules
from comptoir.modules.plan import current_states
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.history import HistoryEntry
from comptoir.records.search import search
from comptoir.records.write import delete, save
from comptoir.values import RecordRef
from comptoir_catalog.models import PriceList, PriceListLine, Product
from comptoir_sales.models import Deal, Lead, LostReason, Pipeline

pytestmark = pytest.mark.modules("catalog", "sales")


def rows_of(deployment: Deployment, module: str) -> dict[str, str]:
    """The digests of a module's tables."""
    rows = fingerprint(deployment, excluding="nothing").rows
    return {table: digest for table, digest in rows.items() if table.startswith(f"{module}_")}


def history(deployment: Deployment, module: str) -> list[tuple[Any, ...]]:
    entry = HistoryEntry
    with deployment.system_context("look", write=False) as ctx:
        found = ctx.bookkeeping("test").execute(
            select(
                entry.record_type, entry.record_id, entry.action, entry.at, entry.user_id, entry.actor, entry.changes
            )
            .where(entry.record_type.startswith(f"{module}."))
            .order_by(entry.id)
        )
        return [tuple(row) for row in found]


def entries(deployment: Deployment, module: str) -> list[tuple[Any, ...]]:
    entry = SearchEntry
    with deployment.system_context("look", write=False) as ctx:
        found = ctx.bookkeeping("test").execute(
            select(entry.record_type, entry.record_id, entry.key, entry.owner_id, entry.archived)
            .where(entry.record_type.startswith(f"{module}."))
            .order_by(entry.record_type, entry.record_id)
        )
        return [tuple(row) for row in found]


@pytest.fixture
def filled(deployment: Deployment) -> Deployment:
    """People have worked: a customer with two deals, a lead that became one of them, a product and its prices."""
    with deployment.system_context("work") as ctx:
        acme, other = Contact(name="Acme"), Contact(name="Other")
        product = Product(code="P-1", name="Apple juice", price=Decimal("4.50"))
        save(ctx, [acme, other, product])
        save(ctx, [PriceList(name="Summer", prices=[PriceListLine(product_id=product.id, price=Decimal("3.99"))])])
        deal = Deal(name="Juice for Acme", amount=Decimal("1200.10"), contact_id=acme.id, product_id=product.id)
        save(ctx, [deal, Deal(name="Juice for Other", contact_id=other.id)])
        save(ctx, [Lead(name="A call of Acme", contact_id=acme.id, deal_id=deal.id)])
        deal.amount = Decimal(1300)
        save(ctx, [deal])
    return deployment


def uninstalled(deployment: Deployment, module: str) -> Path:
    export = uninstall_modules(deployment, [module]).export
    assert export is not None
    return export


def test_everything_comes_back_as_it_was(filled: Deployment) -> None:
    everything, before, found = (
        fingerprint(filled, excluding="sales"),
        history(filled, "sales"),
        entries(filled, "sales"),
    )
    rows = rows_of(filled, "sales")
    outcome = enable_modules(filled, ["sales"], restore=[uninstalled(filled, "sales")])
    assert rows_of(filled, "sales") == rows
    assert history(filled, "sales") == before
    assert entries(filled, "sales") == found
    assert fingerprint(filled, excluding="sales") == everything
    (restored,) = outcome.restored
    assert restored.rows["sales_deal"] == 2
    assert not restored.emptied
    assert not restored.refused
    with filled.system_context("test", write=False) as ctx:
        assert [hit.declared.name for hit in search(ctx, "juice for acme")] == ["sales.deal"]


def test_the_security_log_names_the_file(filled: Deployment) -> None:
    file = uninstalled(filled, "sales")
    enable_modules(filled, ["sales"], restore=[file])
    with filled.system_context("look", write=False) as ctx:
        events = list_events(ctx.bookkeeping("test"), EventFilter(kind=MODULE_CHANGED), size=10)
    assert {"state": "restored", "export": file.name} in [event.details for event in events]


def test_two_modules_come_back_together(filled: Deployment) -> None:
    rows = rows_of(filled, "sales") | rows_of(filled, "catalog")
    files = [uninstalled(filled, "sales"), uninstalled(filled, "catalog")]
    enable_modules(filled, ["catalog", "sales"], restore=files)
    assert rows_of(filled, "sales") | rows_of(filled, "catalog") == rows


def test_new_records_get_ids_behind_the_old_ones(filled: Deployment) -> None:
    enable_modules(filled, ["sales"], restore=[uninstalled(filled, "sales")])
    with filled.system_context("test") as ctx:
        last = max(ctx.session.scalars(select(Deal.id)))
        deal, reason = Deal(name="One more"), LostReason(name="Too far")
        save(ctx, [deal, reason])
        assert deal.id > last


def test_what_points_at_records_that_are_gone_is_emptied_or_stays_away(filled: Deployment) -> None:
    sales, catalog = uninstalled(filled, "sales"), uninstalled(filled, "catalog")
    with filled.system_context("work") as ctx:
        delete(ctx, ctx.session.scalars(select(Contact).where(Contact.name == "Acme")).all())
    with zipfile.ZipFile(catalog) as archive:
        assert b"Apple juice" in archive.read("catalog_product.jsonl")
    outcome = enable_modules(filled, ["sales"], restore=[sales])
    (restored,) = outcome.restored
    assert restored.emptied == {
        "sales_deal.contact_id": 1,
        "sales_lead.contact_id": 1,
        "sales_deal.product_id": 1,
    }
    told = "\n".join(restored.lines())
    assert "sales_deal.contact_id: 1 reference was emptied" in told
    with filled.system_context("test", write=False) as ctx:
        deal = ctx.session.scalars(select(Deal).where(Deal.name == "Juice for Acme")).one()
        assert deal.contact_id is None
        assert ctx.session.scalars(select(Lead.deal_id)).one() == deal.id


@pytest.mark.usefixtures("stranger")
def test_a_row_that_cannot_be_without_its_record_stays_away(deployment: Deployment) -> None:
    from comptoir_loyalty.models import LoyaltyContact

    enable_modules(deployment, ["loyalty"])
    with deployment.system_context("work") as ctx:
        ana, ion = Contact(name="Ana"), Contact(name="Ion")
        for points, contact in enumerate((ana, ion), start=7):
            contact.ext(LoyaltyContact).points = points
        save(ctx, [ana, ion])
    file = uninstalled(deployment, "loyalty")
    with deployment.system_context("work") as ctx:
        delete(ctx, [ctx.session.get_one(Contact, ion.id)])
    (restored,) = enable_modules(deployment, ["loyalty"], restore=[file]).restored
    assert restored.refused == {"loyalty_contact": 1}
    assert "loyalty_contact: 1 row stays away" in "\n".join(restored.lines())
    with deployment.system_context("work", write=False) as ctx:
        assert ctx.session.get_one(Contact, ana.id).ext(LoyaltyContact).points == 7


def rewritten(export: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> Path:
    """A copy of an export with other contents."""
    with zipfile.ZipFile(export) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(parts.pop("module.json"))
    change(described, parts)
    target = export.with_name("other.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in {**parts, "module.json": json.dumps(described).encode()}.items():
            archive.writestr(name, content)
    return target


def of_another_revision(described: dict[str, Any], _parts: dict[str, bytes]) -> None:
    described["revision"] = "sales_0001_of_old"


def half_lost(_described: dict[str, Any], parts: dict[str, bytes]) -> None:
    parts["sales_deal.jsonl"] = parts["sales_deal.jsonl"].splitlines(keepends=True)[0]


def without_contents(described: dict[str, Any], _parts: dict[str, bytes]) -> None:
    described.pop("tables")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (of_another_revision, "sales_0001_of_old"),
        (half_lost, "sales_deal is not as it was written"),
        (without_contents, "damaged"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_changes(
    filled: Deployment, change: Callable[[dict[str, Any], dict[str, bytes]], None], reason: str
) -> None:
    file = rewritten(uninstalled(filled, "sales"), change)
    before = fingerprint(filled, excluding="nothing")
    with pytest.raises(RuleViolation, match=reason):
        enable_modules(filled, ["sales"], restore=[file])
    assert fingerprint(filled, excluding="nothing") == before
    assert "sales" not in current_states(filled)


def test_rows_that_the_tables_refuse_leave_nothing_behind(filled: Deployment) -> None:
    import hashlib

    def without_names(described: dict[str, Any], parts: dict[str, bytes]) -> None:
        lost = parts["sales_lead.jsonl"] = parts["sales_lead.jsonl"].replace(b'"A call of Acme"', b"null")
        described["tables"]["sales_lead"]["sha256"] = hashlib.sha256(lost).hexdigest()

    file = rewritten(uninstalled(filled, "sales"), without_names)
    before = fingerprint(filled, excluding="nothing")
    with pytest.raises(RuleViolation, match="does not fit"):
        enable_modules(filled, ["sales"], restore=[file])
    assert fingerprint(filled, excluding="nothing") == before
    assert not [name for name in inspect(filled.engine).get_table_names() if name.startswith("sales_")]
    enable_modules(filled, ["sales"])  # the module itself is not at fault


def test_a_file_of_another_module_is_refused(filled: Deployment) -> None:
    sales, catalog = uninstalled(filled, "sales"), uninstalled(filled, "catalog")
    with pytest.raises(RuleViolation, match="holds the data of sales"):
        enable_modules(filled, ["catalog"], restore=[sales])
    enable_modules(filled, ["catalog"])
    with pytest.raises(RuleViolation, match="catalog has its data"):
        enable_modules(filled, ["catalog"], restore=[catalog])
    pause_modules(filled, ["catalog"])
    with pytest.raises(RuleViolation, match="catalog has its data"):
        enable_modules(filled, ["catalog"], restore=[catalog])


def test_a_file_that_is_none_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    uninstall_modules(deployment, ["sales"])
    text = tmp_path / "notes.zip"
    text.write_text("not a zip")
    for path in (text, tmp_path, tmp_path / "nothing.zip"):
        with pytest.raises(RuleViolation, match=path.name):
            enable_modules(deployment, ["sales"], restore=[path])


def test_roles_come_back_as_administrators_left_them(filled: Deployment, make_user: Callable[..., User]) -> None:
    ana = make_user("Ana", email="ana@example.org", grants={"sales.deal.read": "team"})
    ion = make_user("Ion", email="ion@example.org")
    with filled.system_context("test") as ctx:
        session = ctx.bookkeeping("test")
        role = session.scalars(select(Role).where(Role.template.startswith("sales.")).order_by(Role.id)).first()
        assert role is not None
        edit_role(session, role, name="Our sellers")
        set_permission(session, role, "base.contact.read", "own")
        grant_role(session, ana, role)
        grant_role(session, ion, role)
        held = dict(permissions_of(session, role))
        templates = set(session.scalars(select(Role.template)))
        others = {r.name: dict(permissions_of(session, r)) for r in session.scalars(select(Role))}
    file = uninstalled(filled, "sales")
    with filled.system_context("test") as ctx:  # the account is somebody else's now
        session = ctx.bookkeeping("test")
        set_email(session, session.get_one(User, ion.id), "vlad@example.org", ctx.now())
    outcome = enable_modules(filled, ["sales"], restore=[file])
    assert "Our sellers" in outcome.restored[0].roles
    with filled.system_context("test", write=False) as ctx:
        session = ctx.bookkeeping("test")
        back = find_role(session, "Our sellers")
        assert dict(permissions_of(session, back)) == held
        assert [user.name for user in members_of(session, back)] == ["Ana"]
        assert set(session.scalars(select(Role.template))) == templates
        assert {r.name: dict(permissions_of(session, r)) for r in session.scalars(select(Role))} == others


def test_tasks_speak_of_its_records_again(filled: Deployment) -> None:
    with filled.system_context("work") as ctx:
        deal = ctx.session.scalars(select(Deal).where(Deal.name == "Juice for Acme")).one()
        about = RecordRef("sales.deal", deal.id)
        kept, changed = Task(title="Call them", about=about), Task(title="Write to them", about=about)
        save(ctx, [kept, changed])
    file = uninstalled(filled, "sales")
    with filled.system_context("work") as ctx:
        acme = ctx.session.scalars(select(Contact).where(Contact.name == "Acme")).one()
        changed = ctx.session.get_one(Task, changed.id)
        changed.about = RecordRef("base.contact", acme.id)
        save(ctx, [changed])
    enable_modules(filled, ["sales"], restore=[file])
    with filled.system_context("work", write=False) as ctx:
        assert ctx.session.get_one(Task, kept.id).about == about
        assert ctx.session.get_one(Task, changed.id).about == RecordRef("base.contact", acme.id)


def test_without_the_file_it_begins_anew(filled: Deployment) -> None:
    uninstalled(filled, "sales")
    assert not enable_modules(filled, ["sales"]).restored
    with filled.system_context("test", write=False) as ctx:
        assert not ctx.session.scalars(select(Deal)).all()
        assert ctx.session.scalars(select(Pipeline)).all()
