"""Nothing writes a record but the writer: the ways past it that there were, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Delete, Insert, delete, insert, select, text, update
from sqlalchemy.orm import Session

from comptoir.access.models import SecurityEvent, User
from comptoir.access.security_log import ACTED_AS_SYSTEM
from comptoir.base.models import Contact, ContactPhone, Task
from comptoir.context import Context
from comptoir.db import gate
from comptoir.errors import NotAllowed, RuleViolation, RuleViolations, WriteRefused
from comptoir.hookspecs.marker import hookimpl
from comptoir.records.history import history_of
from comptoir.records.write import assign, move, save
from comptoir.records.write import delete as delete_records
from comptoir.testing.platform import Stage
from comptoir.values import RecordRef
from comptoir_sales.models import Deal, Lead

pytestmark = pytest.mark.modules("catalog", "sales")

MakeContact = Callable[..., Contact]
MakeUser = Callable[..., User]


@pytest.fixture
def contact(make_contact: MakeContact) -> Contact:
    return make_contact("Mega Fruct", phones=[ContactPhone(number="+40745123456")])


def actions_of(ctx: Context, record: Any) -> list[str]:
    return [entry.action for entry in history_of(ctx, record)]


# -- attributes without save -----------------------------------------------------------------------------------------


def test_an_attribute_set_without_save_is_refused_by_name(ctx: Context, contact: Contact) -> None:
    contact.sector = "Food"
    with pytest.raises(WriteRefused, match=rf"Contact {contact.id}: sector changed without save"):
        ctx.session.flush()
    ctx.session.refresh(contact)
    assert contact.sector is None
    assert contact.version == 1


def test_nothing_of_a_unit_of_work_stands_when_it_ends_with_an_unsaved_change(stage: Stage) -> None:
    with stage.system() as ctx:
        kept = Contact(name="Mega Fruct")
        save(ctx, [kept])

    def change_without_saving() -> None:
        with stage.system() as ctx:
            held = ctx.session.get_one(Contact, kept.id)
            save(ctx, [Contact(name="Second")])
            held.sector = "Food"

    with pytest.raises(WriteRefused):
        change_without_saving()
    with stage.system() as ctx:
        assert list(ctx.session.scalars(select(Contact.name))) == ["Mega Fruct"]


def test_a_query_between_assignment_and_save_writes_nothing(ctx: Context, contact: Contact) -> None:
    contact.sector = "Food"
    assert ctx.session.scalar(select(Contact.sector).where(Contact.id == contact.id)) is None
    save(ctx, [contact])
    assert actions_of(ctx, contact) == ["changed", "created"]


def test_a_record_that_is_only_added_is_refused(ctx: Context) -> None:
    ctx.session.add(Contact(name="Mega Fruct"))
    with pytest.raises(WriteRefused, match="Contact created without save"):
        ctx.session.flush()
    ctx.session.expunge_all()


def test_a_record_that_is_only_deleted_is_refused(ctx: Context, contact: Contact) -> None:
    ctx.session.delete(contact)
    with pytest.raises(WriteRefused, match=f"Contact {contact.id} deleted without delete"):
        ctx.session.flush()
    ctx.session.expunge_all()


def test_a_line_changed_without_its_record_is_refused(ctx: Context, contact: Contact) -> None:
    contact.phones[0].number = "+40745999999"
    with pytest.raises(WriteRefused, match="ContactPhone"):
        ctx.session.flush()
    ctx.session.refresh(contact.phones[0])
    del contact.phones[0]
    with pytest.raises(WriteRefused, match="ContactPhone"):
        ctx.session.flush()
    ctx.session.expunge_all()


def test_a_save_writes_lines_with_their_record(ctx: Context, contact: Contact) -> None:
    contact.phones.append(ContactPhone(number="+40745999999"))
    del contact.phones[0]
    save(ctx, [contact])
    ctx.session.expire_all()
    assert [line.number for line in contact.phones] == ["+40745999999"]
    assert contact.version == 2


def test_a_savepoint_lets_no_unsaved_change_through(ctx: Context, contact: Contact) -> None:
    contact.sector = "Food"
    with pytest.raises(WriteRefused), ctx.savepoint():
        pass
    ctx.session.refresh(contact)


# -- statements ----------------------------------------------------------------------------------------------------------


STATEMENTS: dict[str, Callable[[], Any]] = {
    "update": lambda: update(Contact).values(sector="Food"),
    "update of a line": lambda: update(ContactPhone).values(number="1"),
    "delete": lambda: delete(Contact),
    "insert": lambda: insert(Contact).values(name="x"),
    "text": lambda: text("UPDATE base_contact SET sector = 'Food'"),
    "change inside a select": lambda: select(
        update(Contact).values(sector="Food").returning(Contact.id).cte("changed").c.id
    ),
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_statement_on_records_is_refused(ctx: Context, contact: Contact, statement: Callable[[], Any]) -> None:
    with pytest.raises(WriteRefused):
        ctx.session.execute(statement())


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_the_connection_below_a_session_refuses_it_as_well(
    ctx: Context, contact: Contact, statement: Callable[[], Any]
) -> None:
    with pytest.raises(WriteRefused):
        ctx.session.connection().execute(statement())


def test_a_session_of_ones_own_passes_the_same_gate(ctx: Context) -> None:
    with Session(ctx.session.connection()) as own:
        own.add(Contact(name="x"))
        with pytest.raises(WriteRefused):
            own.flush()
        own.expunge_all()


def test_bulk_methods_of_the_session_are_refused_at_the_door(ctx: Context, contact: Contact) -> None:
    with pytest.raises(WriteRefused, match="bulk methods"):
        ctx.session.bulk_save_objects([Contact(name="x")])
    with pytest.raises(WriteRefused, match="bulk methods"):
        ctx.session.bulk_insert_mappings(Contact, [{"name": "x"}])
    save(ctx, [Contact(name="the transaction can still be used")])


def test_a_marked_statement_changes_many_records(ctx: Context, contact: Contact) -> None:
    before = gate.uses["bulk", "sector renamed"]
    with ctx.bulk("sector renamed"):
        ctx.session.execute(update(Contact).values(sector="Food"))
    ctx.session.expire_all()
    assert contact.sector == "Food"
    assert gate.uses["bulk", "sector renamed"] == before + 1


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Deal, {"stage": "won"}), (Deal, {"outcome": "won"}), (Lead, {"status": "converted"}), (Contact, {"version": 9}),
        (Contact, {"search_key": "x"}), (Contact, {"archived_at": None}),
    ],
    ids=str,
)  # fmt: skip
def test_no_statement_sets_a_stage_or_what_the_server_keeps(ctx: Context, model: Any, values: dict[str, Any]) -> None:
    with pytest.raises(WriteRefused, match="kept by the server"), ctx.bulk("reason"):
        ctx.session.execute(update(model).values(**values))


@pytest.mark.parametrize("statement", [insert(Contact).values(name="x"), delete(Contact)], ids=["insert", "delete"])
def test_a_mark_neither_creates_nor_deletes_records(ctx: Context, statement: Insert | Delete) -> None:
    with pytest.raises(WriteRefused), ctx.bulk("reason"):
        ctx.session.execute(statement)


def test_why_a_user_passed_the_rules_stands_in_the_audit(stage: Stage, make_user: MakeUser) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "all", "base.contact.create": "own"})
    with stage.acting(ana) as ctx:
        ctx.bookkeeping("names that are taken").scalar(select(Contact.id))
        ctx.bookkeeping("names that are taken").scalar(select(Contact.id))
        save(ctx, [Contact(name="Mega Fruct")])
    with stage.system() as ctx:
        audited = ctx.session.execute(
            select(SecurityEvent.user_id, SecurityEvent.about).where(SecurityEvent.kind == ACTED_AS_SYSTEM)
        ).all()
        assert list(map(tuple, audited)).count((ana.id, "names that are taken")) == 1


# -- stages ------------------------------------------------------------------------------------------------------------------


class NoWins:
    """A plugin whose rule refuses a win, and which follows every move."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    @hookimpl
    def check_transition(self, record: Any, transition: Any) -> None:
        self.seen.append((record.stage, transition.target))
        if transition.target == "won":
            raise RuleViolation("test.no_stock", "There is no stock.", field="stage")

    @hookimpl
    def on_transition(self, record: Any, transition: Any) -> None:
        self.seen.append(("moved", transition.name))


@pytest.fixture
def rule(ctx: Context) -> NoWins:
    plugin = NoWins()
    ctx.registry.manager.register(plugin, name="nowins")  # type: ignore[attr-defined]
    return plugin


@pytest.fixture
def deal(ctx: Context) -> Deal:
    made = Deal(name="Espresso line")
    save(ctx, [made])
    return made


def test_a_stage_that_is_assigned_meets_the_check_of_its_transition(ctx: Context, rule: NoWins, deal: Deal) -> None:
    deal.stage = "won"
    with pytest.raises(RuleViolations, match="There is no stock"):
        save(ctx, [deal])
    assert deal.stage == "prospecting"
    assert rule.seen == [("prospecting", "won")]


def test_a_stage_that_is_assigned_is_a_move_with_its_hooks_and_history(ctx: Context, rule: NoWins, deal: Deal) -> None:
    assign(ctx, deal, {"stage": "engaging"})
    save(ctx, [deal])
    assert rule.seen == [("prospecting", "engaging"), ("moved", "engaging")]
    assert actions_of(ctx, deal) == ["moved", "created"]


def test_a_conversion_runs_the_hooks_of_its_transition(ctx: Context, deal: Deal) -> None:
    from comptoir_sales.leads import convert_lead

    seen: list[str] = []

    class Follower:
        @hookimpl
        def check_transition(self, transition: Any) -> None:
            seen.append(f"check {transition.name}")

        @hookimpl
        def on_transition(self, transition: Any) -> None:
            seen.append(f"on {transition.name}")

    lead = Lead(name="Fair", company="Mega Fruct")
    save(ctx, [lead])
    ctx.registry.manager.register(Follower(), name="follower")  # type: ignore[attr-defined]
    convert_lead(ctx, lead)
    assert seen == ["check convert", "on convert"]


def test_the_right_of_a_transition_is_asked_however_the_stage_is_set(stage: Stage, make_user: MakeUser) -> None:
    with stage.system() as ctx:
        made = Deal(name="Espresso line")
        save(ctx, [made])
        move(ctx, made, "won")
    grants = {
        f"sales.{record}.{action}": "all" for record in ("deal", "pipeline", "stage") for action in ("read", "write")
    }
    with stage.acting(make_user("Ana", grants=grants)) as ctx:
        held = ctx.session.get_one(Deal, made.id)
        held.stage = "prospecting"
        with pytest.raises(NotAllowed, match="Reopen"):
            save(ctx, [held])


def test_what_a_hook_changes_after_the_save_without_saving_is_refused(ctx: Context, deal: Deal) -> None:
    class Forgetful:
        @hookimpl
        def on_transition(self, record: Any) -> None:
            record.notes = "moved"

    ctx.registry.manager.register(Forgetful(), name="forgetful")  # type: ignore[attr-defined]
    move(ctx, deal, "engaging")
    with pytest.raises(WriteRefused, match="notes changed without save"):
        ctx.session.flush()
    ctx.session.expunge_all()


def test_what_a_check_sets_is_refused(ctx: Context, deal: Deal) -> None:
    class Meddling:
        @hookimpl
        def check_records(self, changes: Any) -> None:
            for change in changes:
                change.record.notes = "checked"

    ctx.registry.manager.register(Meddling(), name="meddling")  # type: ignore[attr-defined]
    deal.name = "Another name"
    with pytest.raises(WriteRefused, match="notes changed without save"):
        save(ctx, [deal])
    ctx.session.expunge_all()


# -- assignment ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["version", "created_at", "archived_at", "outcome", "search_key", "nonsense", "phones.0.x"]
)
def test_nobody_assigns_what_the_server_keeps(ctx: Context, deal: Deal, name: str) -> None:
    with pytest.raises(RuleViolations) as refused:
        assign(ctx, deal, {name: "1"})
    assert name in refused.value.by_field()


def test_lines_are_assigned_by_their_id_else_by_their_place(ctx: Context, contact: Contact) -> None:
    first = contact.phones[0]
    assign(ctx, contact, {"phones": [{"number": "+40745000001"}, {"number": "+40745000002"}]})
    save(ctx, [contact])
    assert contact.phones[0] is first
    second = contact.phones[1]
    assign(ctx, contact, {"phones": [{"id": second.id, "number": "+40745000003"}]})
    save(ctx, [contact])
    assert contact.phones == [second]
    assign(ctx, contact, {"phones.0.label": "home"})
    save(ctx, [contact])
    assert contact.phones[0].label == "home"


# -- deletion ------------------------------------------------------------------------------------------------------------------


def test_what_points_at_a_deleted_record_is_saved_with_history_and_version(ctx: Context, contact: Contact) -> None:
    branch = Contact(name="Branch", parent_id=contact.id)
    save(ctx, [branch])
    delete_records(ctx, [contact])
    assert branch.parent_id is None
    assert branch.version == 2
    assert actions_of(ctx, branch) == ["detached", "created"]


def test_what_belongs_to_a_deleted_record_goes_with_checks_history_and_hooks(ctx: Context, contact: Contact) -> None:
    gone: list[str] = []

    class Follower:
        @hookimpl
        def on_records_deleted(self, refs: Any) -> None:
            gone.extend(ref.record_type for ref in refs)

    from comptoir.base.services import log_interaction

    talk = log_interaction(ctx, contact, kind="call", subject="Prices")
    ctx.registry.manager.register(Follower(), name="follower")  # type: ignore[attr-defined]
    delete_records(ctx, [contact])
    assert gone == ["base.interaction", "base.contact"]
    ctx.session.expunge_all()
    assert ctx.session.get(type(talk), talk.id) is None


def test_a_rule_that_holds_what_would_go_along_refuses_the_whole_deletion(ctx: Context, contact: Contact) -> None:
    from comptoir.base.models import Interaction
    from comptoir.base.services import log_interaction

    class Keeper:
        @hookimpl
        def check_deletion(self, records: Any) -> None:
            if any(isinstance(record, Interaction) for record in records):
                raise RuleViolation("test.kept", "Interactions are kept for ten years.")

    log_interaction(ctx, contact, kind="call", subject="Prices")
    ctx.registry.manager.register(Keeper(), name="keeper")  # type: ignore[attr-defined]
    with pytest.raises(RuleViolation, match="ten years"):
        delete_records(ctx, [contact])
    assert ctx.session.get(Contact, contact.id) is contact


def test_no_link_of_what_a_task_is_about_dangles(ctx: Context, deal: Deal) -> None:
    task = Task(title="Call back", about=RecordRef("sales.deal", deal.id))
    save(ctx, [task])
    delete_records(ctx, [deal])
    assert task.about is None
    assert actions_of(ctx, task) == ["detached", "created"]


def test_the_copies_of_who_deletes_show_what_became_of_them(
    stage: Stage, make_user: MakeUser, contact: Contact
) -> None:
    grants = {f"base.contact.{action}": "all" for action in ("read", "write", "create", "delete")}
    ana = make_user("Ana", grants=grants)
    with stage.acting(ana) as ctx:
        held = ctx.session.get_one(Contact, contact.id)
        branch = Contact(name="Branch", parent_id=held.id)
        save(ctx, [branch])
        delete_records(ctx, [held])
        assert branch.parent_id is None
        assert branch.version == 2
