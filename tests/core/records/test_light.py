"""Light rows: what an import saves as a dictionary a row is, to everybody, what it would be as mapped objects one by one."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select
from sqlalchemy.orm import object_session

from comptoir.access.models import User
from comptoir.base.models import Contact, ContactPhone
from comptoir.context import Context
from comptoir.db.base import Base
from comptoir.db.fields import fields_of
from comptoir.db.light import Light, is_light, light_row, new_line
from comptoir.db.record import record_name
from comptoir.db.summary import MAX_SUMS
from comptoir.deployment import Deployment
from comptoir.errors import NotAllowed, RuleViolation, RuleViolations, WriteRefused
from comptoir.hookspecs.marker import hookimpl
from comptoir.records.changes import changes_of
from comptoir.records.write import assign, save
from comptoir.testing.platform import Stage
from comptoir_catalog.models import Product
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")

MakeUser = Callable[..., User]


@pytest.fixture
def ctx(deployment: Deployment) -> Any:
    with deployment.system_context("test") as context:
        yield context


def light_contact(**values: Any) -> Contact:
    contact: Contact = light_row(Contact)
    for name, value in values.items():
        setattr(contact, name, value)
    return contact


def with_phone(contact: Contact, number: str) -> Contact:
    phone = new_line(contact, ContactPhone)
    phone.number = number
    contact.phones.append(phone)
    return contact


WRITTEN = (
    "base_contact", "base_contact_phone", "base_contact_address", "sales_deal", "catalog_product", "core_history",
    "core_search", "core_summary",
)  # fmt: skip


FIGURES = ("records", *(f"{letter}{place}" for place in range(MAX_SUMS) for letter in "sc"))


# -- one path for both ------------------------------------------------------------------------------------------------------


class Undone(Exception):
    """Takes everything back."""


class Listening:
    """A plugin that notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def _note(self, hook: str, changes: Any) -> None:
        self.heard += [(hook, type(c.record).__name__, c.is_new, sorted(c.fields)) for c in changes]

    @hookimpl
    def prepare_records(self, changes: Any) -> None:
        self._note("prepare", changes)

    @hookimpl
    def check_records(self, changes: Any) -> None:
        self._note("check", changes)

    @hookimpl
    def on_records_saved(self, changes: Any) -> None:
        self._note("saved", changes)


TEXTS = st.sampled_from(
    ["Mega Fruct SRL", "  Ștefan   Łukasz ", "", None, "x" * 256, "NUL\x00", "half \ud83d", "София", "7", 12]
)
CONTACTS = st.fixed_dictionaries(
    {"name": TEXTS},
    optional={
        "kind": st.sampled_from(["person", "company", "club", None]),
        "status": st.sampled_from(["vip", "new", ""]),
        "city": TEXTS,
        "country": st.sampled_from(["Romania", "nl", "Atlantis", "", None]),
        "employees": st.sampled_from([0, -1, 12, True, "many", None]),
        "annual_revenue": st.sampled_from([Decimal("12.5"), Decimal("NaN"), None]),
        "currency": st.sampled_from(["EUR", "eur", None]),
        "parent_id": st.sampled_from([None, 987_654]),
        "owner_id": st.sampled_from([None, 1, 987_654]),
        "phones": st.lists(
            st.fixed_dictionaries({"number": st.sampled_from(["+40 721 555 001", "0722 000 222", "?", ""])}), max_size=3
        ),
        "addresses": st.lists(
            st.fixed_dictionaries({"city": TEXTS, "country": st.sampled_from(["Romania", "bg", None])}), max_size=2
        ),
    },
)
DEALS = st.fixed_dictionaries(
    {"name": TEXTS},
    optional={
        "amount": st.sampled_from([Decimal(100), Decimal("0.5"), Decimal(-1)]),
        "currency": st.sampled_from(["EUR", "RON"]),
        "stage": st.sampled_from(["prospecting", "engaging", "won", "nowhere", None]),
        "closed_on": st.sampled_from([None, dt.date(2026, 2, 28)]),
        "contact_id": st.sampled_from([None, 987_654]),
    },
)
PRODUCTS = st.fixed_dictionaries({"name": TEXTS}, optional={"code": st.sampled_from(["A", "B", None, ""])})


@given(
    rows=st.one_of(
        st.tuples(st.just(Contact), st.lists(CONTACTS, min_size=1, max_size=4)),
        st.tuples(st.just(Deal), st.lists(DEALS, min_size=1, max_size=4)),
        st.tuples(st.just(Product), st.lists(PRODUCTS, min_size=1, max_size=4)),
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_light_rows_leave_what_mapped_ones_leave(deployment: Deployment, rows: tuple[type[Any], list[Any]]) -> None:
    model, values = rows
    light = outcome(deployment, lambda ctx: saved(ctx, [light_row(model) for _row in values], values, len(values)))
    for size in (len(values), 1):
        mapped = outcome(deployment, lambda ctx: saved(ctx, [model() for _row in values], values, size))  # noqa: B023
        if size > 1 or not light["refused"]:  # one by one, the second of two with the same code may be the only one
            assert light == mapped


def outcome(deployment: Deployment, work: Callable[[Context], list[Any]]) -> dict[str, Any]:
    """All that some work tells and writes, ids and the order of hooks apart; afterwards it is undone."""
    listening = Listening()
    found: dict[str, Any] = {}
    manager: Any = deployment.registry.manager
    manager.register(listening, name="listening")
    try:
        with deployment.system_context("test") as ctx:
            before = tables(ctx)
            found["refused"] = Counter(map(str, work(ctx)))
            found["heard"] = Counter(map(str, listening.heard))
            found["written"] = {name: content - before[name] for name, content in tables(ctx).items()}
            found["told"] = [(hook, len(refs), [r.changed for r in refs]) for hook, refs in ctx._pending.items()]
            raise Undone
    except Undone:
        return found
    finally:
        manager.unregister(listening)


def saved(ctx: Context, records: list[Any], rows: list[dict[str, Any]], size: int) -> list[Any]:
    """Save records with these values in batches; what was refused."""
    refused = []
    for record, values in zip(records, rows, strict=True):
        assign(ctx, record, values)
    for start in range(0, len(records), size):
        try:
            with ctx.savepoint():
                save(ctx, records[start : start + size])
        except RuleViolations as error:
            refused += [(v.code, v.field, str(v.message)) for v in error.violations]
    return refused


def tables(ctx: Context) -> dict[str, Counter[str]]:
    """What stands in the tables that a save writes, ids left out; summaries as their sums."""
    found: dict[str, Counter[str]] = {}
    for name in WRITTEN:
        table = Base.metadata.tables[name]
        ids = {"id", "record_id", "contact_id"} if name != "core_summary" else {"id"}
        columns = [column for column in table.c if column.name not in ids]
        found[name] = Counter()
        for row in ctx.bookkeeping("test").connection().execute(select(*columns)).mappings():
            content = dict(row)
            figures = {figure: content.pop(figure) for figure in FIGURES if figure in content} or {"rows": 1}
            for figure, value in figures.items():
                found[name][f"{figure} of {content}"] += value
    return found


# -- what hooks may do ------------------------------------------------------------------------------------------------------


def hooked(ctx: Context, **functions: Any) -> None:
    plugin = type("Hooked", (), {name: hookimpl(function) for name, function in functions.items()})()
    ctx.registry.manager.register(plugin, name="hooked")  # type: ignore[attr-defined]


def test_a_light_row_is_read_and_asked_about_like_its_model(ctx: Context) -> None:
    contact = light_contact(name="Mega Fruct")
    assert isinstance(contact, Contact)
    assert ctx.registry.record_type(type(contact)).model is Contact
    assert fields_of(type(contact)).keys() == fields_of(Contact).keys()
    assert record_name(type(contact)) == "base.contact"
    assert (contact.kind, contact.city, contact.phones) == ("company", None, [])
    save(ctx, [contact])
    model = type(contact)
    assert ctx.session.scalars(select(model.id).where(model.name == "Mega Fruct")).all() == [contact.id]


def test_a_batch_stays_light_where_nobody_asks_for_more(ctx: Context) -> None:
    contact = with_phone(light_contact(name="Mega Fruct"), "+40 721 555 001")
    save(ctx, [contact])
    assert isinstance(contact, Light)
    assert not is_light(contact)
    assert (contact.version, contact.search_key.split()[:2]) == (1, ["mega", "fruct"])


def test_a_hook_that_asks_for_the_state_of_a_row_has_a_mapped_object(ctx: Context) -> None:
    seen: list[Any] = []

    def on_records_saved(self: Any, ctx: Any, changes: Any) -> None:
        for contact, _change in changes_of(changes, Contact):
            seen.append((inspect(contact).persistent, object_session(contact) is ctx.session))
            seen.append([inspect(phone).persistent for phone in contact.phones])
            seen.append(ctx.session.get(Contact, contact.id) is contact)
            seen.append(contact in ctx.session.dirty)

    hooked(ctx, on_records_saved=on_records_saved)
    contact = with_phone(light_contact(name="Mega Fruct"), "+40 721 555 001")
    save(ctx, [contact])
    assert seen == [(True, True), [True], True, False]
    assert not isinstance(contact, Light)


def test_a_hook_may_save_the_row_again(ctx: Context) -> None:
    def on_records_saved(self: Any, ctx: Any, changes: Any) -> None:
        for contact, change in changes_of(changes, Contact):
            if change.is_new:
                contact.phones.append(ContactPhone(number="+40 722 000 222"))
                contact.city = "Iași"
                save(ctx, [contact])

    hooked(ctx, on_records_saved=on_records_saved)
    save(ctx, [with_phone(light_contact(name="Mega Fruct"), "+40 721 555 001")])
    ctx.session.expunge_all()
    held = ctx.session.scalars(select(Contact)).one()
    assert (held.city, held.version) == ("Iași", 2)
    assert [phone.number for phone in held.phones] == ["+40721555001", "+40722000222"]


def test_a_mapped_line_that_a_hook_adds_is_written(ctx: Context) -> None:
    def prepare_records(self: Any, changes: Any) -> None:
        for contact, _change in changes_of(changes, Contact):
            contact.phones.append(ContactPhone(number="+40722000222"))

    hooked(ctx, prepare_records=prepare_records)
    save(ctx, [light_contact(name="Mega Fruct")])
    ctx.session.expunge_all()
    (held,) = ctx.session.scalars(select(Contact))
    assert [phone.number for phone in held.phones] == ["+40722000222"]


def test_what_a_hook_sets_after_the_save_without_saving_is_refused(ctx: Context) -> None:
    def on_records_saved(self: Any, changes: Any) -> None:
        for contact, _change in changes_of(changes, Contact):
            contact.city = "Iași"

    hooked(ctx, on_records_saved=on_records_saved)
    save(ctx, [light_contact(name="Mega Fruct")])
    with pytest.raises(WriteRefused, match="city changed without save"):
        ctx.session.flush()
    ctx.session.expunge_all()


def test_a_line_that_a_check_adds_is_refused(ctx: Context) -> None:
    def check_records(self: Any, changes: Any) -> None:
        for contact, _change in changes_of(changes, Contact):
            with_phone(contact, "+40722000222")

    hooked(ctx, check_records=check_records)
    with pytest.raises(WriteRefused, match="ContactPhone created without save"), ctx.savepoint():
        save(ctx, [light_contact(name="Mega Fruct")])
    assert ctx.session.scalars(select(Contact)).all() == []


def test_what_a_hook_refuses_after_the_writing_is_gone_and_may_be_saved_again(ctx: Context) -> None:
    refusing = [True]

    def on_records_saved(self: Any, changes: Any) -> None:
        for contact, _change in changes_of(changes, Contact):
            if inspect(contact).persistent and refusing.pop():
                raise RuleViolation("test.no", "Not today.")

    hooked(ctx, on_records_saved=on_records_saved)
    contact = with_phone(light_contact(name="Mega Fruct"), "+40 721 555 001")
    with pytest.raises(RuleViolation, match="Not today"), ctx.savepoint():
        save(ctx, [contact])
    assert ctx.session.scalars(select(Contact)).all() == []
    again = light_contact(name="Mega Fruct")
    refusing.append(False)
    save(ctx, [again])
    assert ctx.session.scalars(select(Contact)).one() is again


# -- who may ----------------------------------------------------------------------------------------------------------------

OWN = {"base.contact.read": "own", "base.contact.create": "own", "base.contact.write": "own"}


def test_nobody_creates_light_rows_for_somebody_else(stage: Stage, make_user: MakeUser) -> None:
    ana, ben = make_user("Ana", grants=OWN), make_user("Ben", grants=OWN)
    with stage.acting(ana) as ctx:
        save(ctx, [with_phone(light_contact(name="Hers"), "+40721555001")])
        for contact in (light_contact(name="His", owner_id=ben.id), Contact(name="His", owner_id=ben.id)):
            with pytest.raises(NotAllowed, match="for somebody else"), ctx.savepoint():
                save(ctx, [light_contact(name="Hers too"), contact])
        assert [c.name for c in ctx.session.scalars(select(Contact))] == ["Hers"]


def test_whoever_may_create_nothing_creates_no_light_row(stage: Stage, make_user: MakeUser) -> None:
    with stage.acting(make_user("Ana", grants={"base.contact.read": "all"})) as ctx, pytest.raises(NotAllowed):
        save(ctx, [light_contact(name="Hers")])
