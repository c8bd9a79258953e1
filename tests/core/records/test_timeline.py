"""What happened with a record, to the first thing: parts that lose and repeat nothing, in as many statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from comptoir.base.models import Appointment, Contact, Interaction, Task
from comptoir.context import Context
from comptoir.errors import RuleViolation
from comptoir.records.timeline import Part, Place, timeline_of
from comptoir.records.write import save
from comptoir.testing.platform import Clock, Stage


def busy(ctx: Context, clock: Clock, number: int) -> Contact:
    """A contact with that many things in its history, most at one of three moments."""
    contact = Contact(name="Mega Fruct SRL", kind="company")
    save(ctx, [contact])
    for turn in range(3):
        clock.advance(minutes=1)
        moment = ctx.now()
        many = range(number // 12)
        save(
            ctx, [Interaction(contact_id=contact.id, kind="note", body=f"{turn}-{n}", happened_at=moment) for n in many]
        )
        save(ctx, [Task(title=f"{turn}-{n}", contact_id=contact.id) for n in many])
        save(ctx, [Appointment(title=f"{turn}-{n}", contact_id=contact.id, starts_at=moment) for n in many])
        for n in many:
            contact.city = f"{turn}-{n}"
            save(ctx, [contact])
    return contact


def parts(ctx: Context, contact: Contact, size: int) -> list[Part]:
    found = [timeline_of(ctx, contact, size=size)]
    while found[-1].next is not None:
        found.append(timeline_of(ctx, contact, size=size, after=Place.parse(str(found[-1].next), "after")))
    return found


@pytest.mark.parametrize("size", [7, 30, 100])
def test_every_part_continues_where_the_last_one_ended(stage: Stage, clock: Clock, size: int) -> None:
    with stage.system() as ctx:
        contact = busy(ctx, clock, 200)
        places = [happening.place for part in parts(ctx, contact, size) for happening in part.happenings]
        whole = [happening.place for happening in timeline_of(ctx, contact, size=500).happenings]

    assert len(places) == 3 * 4 * (200 // 12) + 1
    assert len(set(places)) == len(places)
    assert places == whole == sorted(whole, reverse=True)


def test_every_part_costs_as_many_statements(stage: Stage, clock: Clock) -> None:
    with stage.system() as ctx:
        contact = busy(ctx, clock, 200)
        costs = []
        after = None
        for _turn in range(6):
            statements: list[str] = []

            def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any, kept: list[str] = statements) -> None:
                kept.append(statement)

            event.listen(Engine, "before_cursor_execute", note)
            try:
                after = timeline_of(ctx, contact, after=after).next
            finally:
                event.remove(Engine, "before_cursor_execute", note)
            costs.append(len(statements))
    assert set(costs) == {2}  # the changes, and the records of all types that are about a contact


def test_somebody_else_s_records_are_not_in_it(stage: Stage, make_user: Callable[..., Any]) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "all", "base.task.read": "own"})
    with stage.system() as ctx:
        contact = Contact(name="Mega Fruct SRL")
        save(ctx, [contact])
        save(
            ctx,
            [
                Task(title="Somebody's", contact_id=contact.id),
                Task(title="Ana's", contact_id=contact.id, owner_id=ana.id),
            ],
        )
        save(ctx, [Interaction(contact_id=contact.id, body="A note")])
    with stage.acting(ana) as ctx:
        found = timeline_of(ctx, ctx.session.get_one(Contact, contact.id)).happenings

    assert [happening.row["title"] for happening in found if happening.row is not None] == ["Ana's"]


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-22T09:00:00+00:00~", "2026-11-22T09:00:00+00:00~x~0", "2026-11-22T09:00:00+00:00~x~9" * 9,
             f"2026-11-22T09:00:00+00:00~x~{10**30}", "0001-01-01T00:00:00+14:00~x~1"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        Place.parse(text, "page[after]")
    assert refused.value.field == "page[after]"


def test_a_place_is_read_back_as_it_was_given_out() -> None:
    place = Place(dt.datetime(2026, 11, 22, 9, 0, 0, 7, tzinfo=dt.UTC), "base.interaction", 9)
    assert Place.parse(str(place), "after") == place
