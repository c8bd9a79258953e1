"""The one write path: what every screen, API call, import and job can rely on when it saves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from comptoir.access.models import User
from comptoir.base.models import Contact, ContactAddress, ContactEmail, ContactPhone, Interaction, Task
from comptoir.context import Context
from comptoir.deployment import Deployment
from comptoir.errors import ComptoirError, Conflict, NotAllowed, NotFound, RuleViolation, RuleViolations
from comptoir.records.history import HistoryEntry, history_of
from comptoir.records.write import archive, delete, move, restore, save
from comptoir.testing.platform import Clock, Stage
from comptoir_catalog.models import PriceList, PriceListLine, Product
from comptoir_sales.models import Deal, LostReason

pytestmark = pytest.mark.modules("catalog", "sales")

R = TypeVar("R")

CONTACTS = {"base.contact.read": "all", "base.contact.create": "all", "base.contact.write": "all"}


def saved(ctx: Context, record: R) -> R:
    save(ctx, [record])  # type: ignore[list-item]
    return record


def refused(ctx: Context, record: Any) -> dict[str, list[str]]:
    """The messages under their fields."""
    with pytest.raises(RuleViolations) as caught:
        save(ctx, [record])
    return caught.value.by_field()


def actions(ctx: Context, record: Any) -> list[str]:
    return [entry.action for entry in history_of(ctx, record)]


# -- what a save leaves behind ------------------------------------------------------------------------------------------


def test_a_new_record_is_stamped_owned_and_remembered(
    stage: Stage, make_user: Callable[..., User], clock: Clock
) -> None:
    ana = make_user("Ana", grants=CONTACTS, team=stage.team("North"))
    with stage.acting(ana) as ctx:
        contact = saved(ctx, Contact(name="Mega Fruct SRL"))
        assert (contact.created_at, contact.updated_at) == (clock(), clock())
        assert (contact.owner_id, contact.team_id, contact.created_by) == (ana.id, ana.team_id, ana.id)
        assert contact.version == 1
        [entry] = history_of(ctx, contact)
        assert (entry.action, entry.actor, entry.changes["name"]) == ("created", "Ana", [None, "Mega Fruct SRL"])


def test_a_change_names_what_it_was_and_what_it_is(ctx: Context, clock: Clock) -> None:
    contact = saved(ctx, Contact(name="Mega Fruct SRL", employees=12))
    then = clock()
    clock.advance(days=1)
    contact.employees = 15
    [change] = save(ctx, [contact])
    assert (change.fields["employees"].before, change.fields["employees"].after) == (12, 15)
    assert (contact.created_at, contact.updated_at, contact.version) == (then, clock(), 2)
    assert history_of(ctx, contact)[0].changes == {"employees": [12, 15]}


def test_a_save_that_changes_nothing_leaves_no_trace(ctx: Context, clock: Clock) -> None:
    contact = saved(ctx, Contact(name="Mega Fruct SRL", city="Cluj"))
    clock.advance(days=1)
    contact.city = "Cluj"
    assert save(ctx, [contact]) == []
    assert (contact.version, contact.updated_at, actions(ctx, contact)) == (1, contact.created_at, ["created"])


def test_a_batch_is_one_save(ctx: Context) -> None:
    changes = save(ctx, [Contact(name=f"Company {number}") for number in range(50)])
    assert len(changes) == 50
    assert ctx.session.scalar(select(func.count()).select_from(Contact)) == 50
    created = select(func.count()).where(HistoryEntry.record_type == "base.contact", HistoryEntry.action == "created")
    assert ctx.session.scalar(created) == 50


def test_amounts_moments_and_days_come_back_as_they_were_given(deployment: Deployment) -> None:
    moment = dt.datetime(2026, 3, 29, 3, 30, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    with deployment.system_context("test") as ctx:
        contact = saved(ctx, Contact(name="Exact", annual_revenue=Decimal("99999999999999.9999")))
        task = saved(ctx, Task(title="Call", due_at=moment))
    with deployment.system_context("test") as ctx:
        assert ctx.session.get_one(Contact, contact.id).annual_revenue == Decimal("99999999999999.9999")
        read = ctx.session.get_one(Task, task.id)
        assert (read.due_at, read.due_on) == (moment, dt.date(2026, 3, 29))


# -- rules, each at its field ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 12}, "name"),
        ({"name": "Mega\x00Fruct"}, "name"),
        ({"name": "half \ud83d of it"}, "name"),
        ({"kind": "club"}, "kind"),
        ({"kind": "k" * 400}, "kind"),
        ({"employees": "many"}, "employees"),
        ({"employees": -1}, "employees"),
        ({"employees": True}, "employees"),
        ({"employees": 2**70}, "employees"),
        ({"year_established": 12}, "year_established"),
        ({"annual_revenue": Decimal("NaN")}, "annual_revenue"),
        ({"annual_revenue": Decimal("1e14")}, "annual_revenue"),
        ({"annual_revenue": Decimal("0.00001")}, "annual_revenue"),
        ({"annual_revenue": 1.5}, "annual_revenue"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"currency": "euro"}, "currency"),
        ({"parent_id": 999_999}, "parent_id"),
        ({"parent_id": 2**70}, "parent_id"),
        ({"parent_id": -1}, "parent_id"),
        ({"parent_id": "seven"}, "parent_id"),
        ({"parent_id": [7]}, "parent_id"),
        ({"owner_id": 999_999}, "owner_id"),
        ({"owner_id": "Ana"}, "owner_id"),
        ({"team_id": 2**70}, "team_id"),
        ({"notes": "x" * 10_000_000}, "notes"),
        ({"name": "x" * 10_000_000}, "name"),
        ({"phones": [ContactPhone(number="+40 722 000 111"), ContactPhone(number="")]}, "phones.1.number"),
        ({"phones": [ContactPhone(number="1\x002")]}, "phones.0.number"),
        ({"emails": [ContactEmail(address="nobody")]}, "emails.0.address"),
        ({"addresses": [ContactAddress(city="C" * 300)]}, "addresses.0.city"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_at_its_field(ctx: Context, values: dict[str, Any], field: str) -> None:
    found = refused(ctx, Contact(**{"name": "Mega Fruct SRL", **values}))
    assert field in found
    assert all(len(message) < 400 for messages in found.values() for message in messages)
    assert ctx.session.scalar(select(func.count()).select_from(Contact)) == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"title": "Call", "due_on": "tomorrow"}, "due_on"),
        ({"title": "Call", "due_on": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "due_on"),
        ({"title": "Call", "due_at": dt.datetime(2026, 1, 1)}, "due_at"),
        ({"title": "Call", "due_at": dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3)))}, "due_at"),
        ({"title": "Call", "due_at": "noon"}, "due_at"),
        ({"title": "Call", "priority": None}, "priority"),
    ],
)
def test_days_and_moments_are_refused_at_their_field(ctx: Context, values: dict[str, Any], field: str) -> None:
    assert field in refused(ctx, Task(**values))


def test_everything_that_is_wrong_is_said_at_once(ctx: Context) -> None:
    found = refused(ctx, Contact(name="", kind="club", employees=-1, phones=[ContactPhone(number="")]))
    assert {"name", "kind", "employees", "phones.0.number"} <= found.keys()


def test_a_refused_batch_leaves_nothing(ctx: Context) -> None:
    with pytest.raises(RuleViolations):
        save(ctx, [Contact(name="Good"), Contact(name="")])
    assert ctx.session.scalar(select(func.count()).select_from(Contact)) == 0


def test_a_refused_change_is_not_written_by_a_later_save_or_commit(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        contact = saved(ctx, Contact(name="Mega Fruct SRL", phones=[ContactPhone(number="0722 000 111")]))
        other = saved(ctx, Contact(name="Other"))
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        held.phones[0].label = "mobile"
        held.phones.append(ContactPhone(number=""))
        held.city, held.employees = "Cluj", -5
        refused(ctx, held)
        beside = ctx.session.get_one(Contact, other.id)
        beside.city = "Iași"
        save(ctx, [beside])
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        assert (held.city, held.employees, held.version) == (None, None, 1)
        assert [(line.number, line.label) for line in held.phones] == [("+40722000111", "work")]
        assert ctx.session.get_one(Contact, other.id).city == "Iași"


TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=st.characters(categories=("Cs", "Cc", "Cf", "Co", "Mn")), min_size=1, max_size=20),
    st.sampled_from(
        ["🦄" * 100, "\u200fעברית\u200e", "e\u0301", "ﬀ", "İ", "'; drop table base_contact; --", "\\x00", "%s"]
    ),
    st.sampled_from(["x" * 100_000, "ț" * 100_001, "\U0001f984" * 99_999]),
)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_back_as_it_was_or_refused_at_its_field(deployment: Deployment, data: st.DataObject) -> None:
    typed = data.draw(TEXTS)
    with deployment.system_context("test") as ctx:
        contact = Contact(name="A", notes=typed, city=typed)
        is_unfit = "\x00" in typed or any(0xD800 <= ord(c) <= 0xDFFF for c in typed) or len(typed) > 255
        if is_unfit:
            assert set(refused(ctx, contact)) <= {"notes", "city"}
            return
        save(ctx, [contact])
    with deployment.system_context("test", write=False) as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        assert (held.notes, held.city) == (typed, typed)


# -- unique fields --------------------------------------------------------------------------------------------------------


def test_a_unique_value_is_taken_once_in_the_database_and_in_the_batch(ctx: Context) -> None:
    first = saved(ctx, Product(name="Cold room", code="CR-1"))
    assert "code" in refused(ctx, Product(name="Other", code="CR-1"))
    with pytest.raises(RuleViolations) as caught:
        save(ctx, [Product(name="A", code="CR-2"), Product(name="B", code="CR-2")])
    assert "CR-2" in caught.value.by_field()["code"][0]
    first.name = "Cold room, large"
    save(ctx, [first])  # its own value is not taken from itself
    save(ctx, [Product(name="No code"), Product(name="No code either")])


@pytest.mark.parametrize(
    "code", ["A\x00B", "\ud800", "x" * 10_000_000, 12, ["A"]], ids=["nul", "half", "long", "int", "list"]
)
def test_an_impossible_unique_value_is_refused_at_its_field(ctx: Context, code: Any) -> None:
    assert "code" in refused(ctx, Product(name="Cold room", code=code))


# -- versions ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine_name", ["postgresql"])
def test_of_two_who_edit_at_once_the_second_learns_of_it(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        contact_id = saved(ctx, Contact(name="Mega Fruct SRL")).id

    def edit_slowly() -> None:
        with deployment.system_context("slow") as slow:
            mine = slow.session.get_one(Contact, contact_id)
            with deployment.system_context("fast") as fast:
                theirs = fast.session.get_one(Contact, contact_id)
                theirs.city = "Cluj"
                save(fast, [theirs])
            mine.city = "Iași"
            save(slow, [mine])

    with pytest.raises(Conflict) as caught:
        edit_slowly()
    assert "Compare" in str(caught.value)
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Contact, contact_id)
        assert (held.city, held.version) == ("Cluj", 2)
        assert actions(ctx, held) == ["changed", "created"]


def test_what_was_read_earlier_and_changed_since_is_not_overwritten(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        contact_id = saved(ctx, Contact(name="Mega Fruct SRL")).id
    with deployment.system_context("reading", write=False) as reading:
        stale = reading.session.get_one(Contact, contact_id)
    with deployment.system_context("faster") as ctx:
        held = ctx.session.get_one(Contact, contact_id)
        held.city = "Cluj"
        save(ctx, [held])

    def edit_what_was_read() -> None:
        with deployment.system_context("slower") as ctx:
            ctx.session.add(stale)
            stale.city = "Iași"
            save(ctx, [stale])

    with pytest.raises(Conflict):
        edit_what_was_read()


@pytest.mark.parametrize("engine_name", ["postgresql"])
def test_a_unique_value_taken_in_the_same_moment_is_a_conflict(deployment: Deployment) -> None:
    def meanwhile(*_arguments: Any) -> None:
        with deployment.system_context("fast") as fast:
            save(fast, [Product(name="Theirs", code="CR-1")])

    def create_slowly() -> None:
        with deployment.system_context("slow") as slow:
            slow.session.scalar(select(func.count()).select_from(Product))
            event.listen(slow.session, "before_flush", meanwhile, once=True)
            save(slow, [Product(name="Mine", code="CR-1")])

    with pytest.raises(Conflict):
        create_slowly()


# -- lines ------------------------------------------------------------------------------------------------------------------


def test_lines_keep_their_order_and_go_when_they_are_taken_out(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        contact = saved(ctx, Contact(name="A", phones=[ContactPhone(number=f"+4072200011{n}") for n in (1, 2, 3)]))
        contact.phones.insert(0, contact.phones.pop(2))
        save(ctx, [contact])
        del contact.phones[1]
        [change] = save(ctx, [contact])
        assert [line["number"] for line in change.fields["phones"].before] == [
            "+40722000113", "+40722000111", "+40722000112",
        ]  # fmt: skip
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        assert [line.number for line in held.phones] == ["+40722000113", "+40722000112"]
        assert ctx.session.scalar(select(func.count()).select_from(ContactPhone)) == 2


def test_a_change_of_a_line_alone_is_a_change_of_its_record(ctx: Context) -> None:
    contact = saved(ctx, Contact(name="A", phones=[ContactPhone(number="+40722000111")]))
    contact.phones[0].label = "mobile"
    save(ctx, [contact])
    assert contact.version == 2
    assert actions(ctx, contact) == ["changed", "created"]


@pytest.mark.parametrize("product_id", [999_999, 2**70, "seven", None])
def test_a_line_that_points_at_nothing_is_refused_at_its_field(ctx: Context, product_id: Any) -> None:
    lines = [PriceListLine(product_id=product_id, price=Decimal(1))]
    assert "prices.0.product_id" in refused(ctx, PriceList(name="2027", prices=lines))


# -- search -----------------------------------------------------------------------------------------------------------------


def test_the_search_key_holds_the_search_fields_and_lines_folded(ctx: Context) -> None:
    contact = saved(
        ctx,
        Contact(name="Țuică & Mărar", notes="not searched", phones=[ContactPhone(number="0722 000 111")],
                emails=[ContactEmail(address="Office@Mărar.ro")]),
    )  # fmt: skip
    for part in ("tuica & marar", "+40722000111", "office@marar.ro"):
        assert part in contact.search_key
    assert "not searched" not in contact.search_key
    contact.emails = []
    save(ctx, [contact])
    assert "office" not in contact.search_key


# -- rights -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "own", "colleague", "stranger"),
    [("own", True, False, False), ("team", True, True, False), ("all", True, True, True)],
)
def test_a_scope_covers_whom_it_names(
    stage: Stage, make_user: Callable[..., User], scope: str, own: bool, colleague: bool, stranger: bool
) -> None:
    north = stage.team("North")
    below = stage.team("North, city", parent=north)
    south = stage.team("South")
    ana = make_user("Ana", grants={**CONTACTS, "base.contact.write": scope}, team=north)
    ion = make_user("Ion", team=below)
    eva = make_user("Eva", team=south)
    with stage.system() as ctx:
        of = {user.name: saved(ctx, Contact(name=f"of {user.name}", owner_id=user.id)).id for user in (ana, ion, eva)}
    for name, may in (("Ana", own), ("Ion", colleague), ("Eva", stranger)):
        with stage.acting(ana) as ctx:
            contact = ctx.session.get_one(Contact, of[name])
            contact.city = "Cluj"
            if may:
                save(ctx, [contact])
            else:
                with pytest.raises(NotAllowed):
                    save(ctx, [contact])
    with stage.system() as ctx:
        ctx.session.expire_all()
        changed = {name: ctx.session.get_one(Contact, record_id).city == "Cluj" for name, record_id in of.items()}
    assert changed == {"Ana": own, "Ion": colleague, "Eva": stranger}


def test_without_the_permission_nothing_is_created(stage: Stage, make_user: Callable[..., User]) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "all"})
    with stage.acting(ana) as ctx, pytest.raises(NotAllowed) as caught:
        save(ctx, [Contact(name="Mine")])
    assert "administrator" in str(caught.value)


def test_a_reference_to_what_one_may_not_see_reads_like_one_to_nothing(
    stage: Stage, make_user: Callable[..., User]
) -> None:
    ana = make_user("Ana", grants={**CONTACTS, "base.contact.read": "own"})
    with stage.system() as ctx:
        hidden = saved(ctx, Contact(name="Hidden")).id
    with stage.acting(ana) as ctx:
        unseen = refused(ctx, Contact(name="Child", parent_id=hidden))["parent_id"][0]
        absent = refused(ctx, Contact(name="Child", parent_id=999_999))["parent_id"][0]
    assert unseen.replace(str(hidden), "N") == absent.replace("999999", "N")


def test_a_locked_field_is_neither_written_nor_seen_by_whoever_lacks_the_right(
    stage: Stage, make_user: Callable[..., User]
) -> None:
    keeper = {f"catalog.product.{action}": "all" for action in ("read", "create", "write")}
    ana = make_user("Ana", grants=keeper)
    eva = make_user("Eva", grants={**keeper, "catalog.product.see_cost": "all"})
    with stage.acting(eva) as ctx:
        product_id = saved(ctx, Product(name="Cold room", cost=Decimal(900))).id
    with stage.acting(ana) as ctx:
        product = ctx.session.get_one(Product, product_id)
        product.cost = Decimal(1)
        with pytest.raises(NotAllowed):
            save(ctx, [product])
    with stage.acting(ana) as ctx:
        product = ctx.session.get_one(Product, product_id)
        product.name = "Cold room, large"
        save(ctx, [product])
        assert all("cost" not in entry.changes for entry in history_of(ctx, product))
    with stage.acting(eva) as ctx:
        product = ctx.session.get_one(Product, product_id)
        assert (product.name, product.cost) == ("Cold room, large", Decimal(900))
        assert "cost" in history_of(ctx, product)[-1].changes


# -- delete, archive, restore ---------------------------------------------------------------------------------------------


def test_a_deleted_record_leaves_its_name_in_the_history(ctx: Context) -> None:
    contact = saved(ctx, Contact(name="Mega Fruct SRL", phones=[ContactPhone(number="+40722000111")]))
    number = contact.id
    delete(ctx, [contact])
    assert ctx.session.get(Contact, number) is None
    assert ctx.session.scalar(select(func.count()).select_from(ContactPhone)) == 0
    last = ctx.bookkeeping("test").scalars(select(HistoryEntry).order_by(HistoryEntry.id.desc())).first()
    assert last is not None
    assert (last.action, last.changes) == ("deleted", {"title": ["Mega Fruct SRL", None]})


def test_what_others_point_at_is_not_deleted(ctx: Context) -> None:
    contact = saved(ctx, Contact(name="Mega Fruct SRL"))
    saved(ctx, Deal(name="Espresso line", contact_id=contact.id))
    with pytest.raises(RuleViolation) as caught:
        delete(ctx, [contact])
    assert "Archive it instead" in str(caught.value)
    assert ctx.session.get(Contact, contact.id) is contact
    saved(ctx, Contact(name="The unit of work goes on"))


def test_deletion_needs_its_own_right(stage: Stage, make_user: Callable[..., User]) -> None:
    ana = make_user("Ana", grants=CONTACTS)
    with stage.acting(ana) as ctx:
        contact = saved(ctx, Contact(name="Mine"))
        with pytest.raises(NotAllowed):
            delete(ctx, [contact])


def test_an_archived_record_comes_back_as_it_was(ctx: Context, clock: Clock) -> None:
    contact = saved(ctx, Contact(name="Mega Fruct SRL"))
    archive(ctx, [contact])
    assert contact.archived_at == clock()
    archive(ctx, [contact])
    restore(ctx, [contact])
    assert contact.archived_at is None
    assert actions(ctx, contact) == ["restored", "archived", "created"]


# -- stages -----------------------------------------------------------------------------------------------------------------


def test_a_move_is_remembered_as_one_and_follows_the_transitions(ctx: Context) -> None:
    deal = saved(ctx, Deal(name="Espresso line"))
    move(ctx, deal, "engaging")
    assert (deal.stage, actions(ctx, deal)) == ("engaging", ["moved", "created"])
    move(ctx, deal, "won")
    with pytest.raises(NotFound):
        move(ctx, deal, "teleport")
    contact = saved(ctx, Contact(name="A"))
    with pytest.raises(NotFound):
        move(ctx, contact, "won")


def test_a_transition_that_asks_is_refused_without_its_answer_and_changes_nothing(
    stage: Stage, make_user: Callable[..., User]
) -> None:
    grants = {f"sales.{record}.{action}": "all" for record in ("deal", "lost_reason", "pipeline", "stage")
              for action in ("read", "create", "write")}  # fmt: skip
    ana = make_user("Ana", grants=grants)
    with stage.acting(ana) as ctx:
        deal = saved(ctx, Deal(name="Espresso line"))
        with pytest.raises(RuleViolations) as caught:
            move(ctx, deal, "lost", {"lost_reason_id": None})
        assert "lost_reason_id" in caught.value.by_field()
    with stage.acting(ana) as ctx:
        held = ctx.session.get_one(Deal, deal.id)
        assert (held.stage, held.notes) == ("prospecting", None)
        reason = ctx.session.scalars(select(LostReason)).first()
        assert reason is not None
        move(ctx, held, "lost", {"lost_reason_id": reason.id})
        assert held.outcome == "lost"


def test_a_refused_move_is_not_written_by_a_later_commit(deployment: Deployment) -> None:
    with deployment.system_context("test") as ctx:
        deal = saved(ctx, Deal(name="Espresso line", opened_on=dt.date(2026, 11, 1)))
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Deal, deal.id)
        with pytest.raises(ComptoirError):
            move(ctx, held, "won", {"closed_on": dt.date(2026, 10, 1)})
        assert ctx.session.scalar(select(func.count()).where(Deal.stage == "won")) == 0
    with deployment.system_context("test") as ctx:
        held = ctx.session.get_one(Deal, deal.id)
        assert (held.stage, held.closed_on, held.version) == ("prospecting", None, 1)


def test_history_is_written_by_lines_of_the_system_and_read_in_the_scope_of_the_record(
    stage: Stage, make_user: Callable[..., User]
) -> None:
    ana = make_user("Ana", grants={**CONTACTS, "base.interaction.create": "all", "base.interaction.read": "all"})
    with stage.acting(ana) as ctx:
        contact = saved(ctx, Contact(name="A"))
        note = saved(ctx, Interaction(contact_id=contact.id, body="They called back."))
        assert note.happened_at == ctx.now()
        assert note.subject == "They called back."
        assert {entry.user_id for entry in history_of(ctx, note)} == {ana.id}
