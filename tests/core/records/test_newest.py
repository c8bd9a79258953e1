"""The newest records of several types as one list: in their order, under the rules of each, in one statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from comptoir.access.models import User
from comptoir.base.models import Contact, Interaction
from comptoir.context import Context
from comptoir.records.query import Compare, Strand, newest
from comptoir.records.write import archive, save
from comptoir.testing.platform import Stage
from comptoir_sales.models import Deal, Lead

pytestmark = pytest.mark.modules("catalog", "sales")

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def talk(contact: Contact, subject: str, minutes: int) -> Interaction:
    """A call so many minutes after noon of a day long past."""
    return Interaction(
        kind="call", subject=subject, contact_id=contact.id, minutes=5, happened_at=NOON + dt.timedelta(minutes=minutes)
    )


def strands(ctx: Context, contact_id: int) -> list[Strand]:
    """Deals, calls and leads of a contact; only calls have minutes."""
    where = Compare("contact_id", "eq", contact_id)
    return [
        Strand(ctx.registry.record_type(Deal), where, "created_at", ("name",)),
        Strand(ctx.registry.record_type(Interaction), where, "happened_at", ("subject", "minutes")),
        Strand(ctx.registry.record_type(Lead), where, "created_at", ("name",)),
    ]


def read(ctx: Context, contact_id: int, size: int = 30) -> list[str]:
    """The titles of a contact's newest."""
    return [row[declared.title] for declared, _at, row in newest(ctx, strands(ctx, contact_id), size)]


def test_records_of_all_types_stand_in_one_order(ctx: Context) -> None:
    contact, other = Contact(name="Mega Fruct"), Contact(name="Else")
    save(ctx, [contact, other])
    save(ctx, [talk(contact, "second", 2), talk(contact, "third", 3), talk(contact, "first", 1), talk(other, "no", 1)])
    save(ctx, [Deal(name="Plums", contact_id=contact.id), Deal(name="Else", contact_id=other.id)])
    assert read(ctx, contact.id) == ["Plums", "third", "second", "first"]
    assert read(ctx, contact.id, 2) == ["Plums", "third"]


def test_each_row_has_its_type_and_the_fields_of_that(ctx: Context) -> None:
    contact = Contact(name="Mega Fruct")
    save(ctx, [contact])
    save(ctx, [talk(contact, "Call", 0), Deal(name="Plums", contact_id=contact.id)])
    found = newest(ctx, strands(ctx, contact.id), 30)
    assert [declared.model for declared, _at, _row in found] == [Deal, Interaction]
    _declared, at, row = found[1]
    assert (at, row) == (NOON, {"id": row["id"], "subject": "Call", "minutes": 5})


def test_however_many_types_one_statement_asks_for_them(ctx: Context) -> None:
    contact = Contact(name="Mega Fruct")
    save(ctx, [contact])
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        read(ctx, contact.id)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(asked) == 1


def test_the_bin_is_left_out(ctx: Context) -> None:
    contact = Contact(name="Mega Fruct")
    save(ctx, [contact])
    deal = Deal(name="Plums", contact_id=contact.id)
    save(ctx, [deal, Deal(name="Pears", contact_id=contact.id)])
    archive(ctx, [deal])
    assert read(ctx, contact.id) == ["Pears"]


def test_nobody_reads_there_what_they_may_not_see(stage: Stage, make_user: Callable[..., User]) -> None:
    grants = {
        "base.contact.read": "all",
        "base.interaction.read": "all",
        "sales.deal.read": "own",
        "sales.lead.read": "own",
    }
    ana = make_user("Ana", grants=grants)
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct")
        save(ctx, [contact])
        save(
            ctx,
            [Deal(name="Hers", contact_id=contact.id, owner_id=ana.id), Deal(name="Foreign", contact_id=contact.id)],
        )
        save(ctx, [talk(contact, "Call", 0)])
        contact_id = contact.id
    with stage.acting(ana) as ctx:
        assert read(ctx, contact_id) == ["Hers", "Call"]
