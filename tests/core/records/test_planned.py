"""What is planned next with each record of a page: one statement, and only what the reader may see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event

from comptoir.base.models import Appointment, Contact, Task
from comptoir.context import Context
from comptoir.records.planned import next_planned
from comptoir.records.write import save
from comptoir.testing.platform import Stage
from comptoir.values import RecordRef

DAY = dt.timedelta(days=1)


def contacts(ctx: Context, number: int) -> list[Contact]:
    made = [Contact(name=f"Shop {place}") for place in range(number)]
    save(ctx, made)
    return made


def marks(ctx: Context, records: list[Contact]) -> list[str]:
    declared = ctx.registry.record_type(Contact)
    found = next_planned(ctx, declared, [record.id for record in records])
    return [found[record.id].mark if record.id in found else "none" for record in records]


def test_it_is_late_today_planned_or_nothing(ctx: Context) -> None:
    late, today, planned, none, over = made = contacts(ctx, 5)
    save(
        ctx,
        [
            Task(title="a", contact_id=late.id, due_on=ctx.today() - DAY),
            Task(title="b", contact_id=late.id, due_on=ctx.today() + DAY),
            Task(title="c", contact_id=today.id, due_on=ctx.today()),
            Appointment(title="d", contact_id=planned.id, starts_at=ctx.now() + DAY),
            Task(title="e", contact_id=none.id),
            Task(title="f", contact_id=over.id, due_on=ctx.today() - DAY, done_at=ctx.now()),
            Appointment(title="g", contact_id=over.id, starts_at=ctx.now() - 2 * DAY),
        ],
    )
    assert marks(ctx, made) == ["late", "today", "plan", "none", "none"]


def test_the_earliest_of_all_kinds_counts(ctx: Context) -> None:
    [contact] = contacts(ctx, 1)
    save(
        ctx,
        [
            Task(title="Later", contact_id=contact.id, due_on=ctx.today() + 3 * DAY),
            Appointment(title="Sooner", contact_id=contact.id, starts_at=ctx.now() + DAY),
        ],
    )
    found = next_planned(ctx, ctx.registry.record_type(Contact), [contact.id])[contact.id]
    assert (found.on, found.at, found.declared.name) == (ctx.today() + DAY, ctx.now() + DAY, "base.appointment")


@pytest.mark.modules("catalog", "sales")
def test_what_is_about_a_record_of_any_type_counts_for_it(ctx: Context) -> None:
    from comptoir_sales.models import Lead

    lead = Lead(name="Ovens")
    save(ctx, [lead])
    save(ctx, [Task(title="Call", about=RecordRef("sales.lead", lead.id), due_on=ctx.today())])
    assert next_planned(ctx, ctx.registry.record_type(Lead), [lead.id])[lead.id].mark == "today"


def test_somebody_else_s_plans_are_not_told(stage: Stage, make_user: Callable[..., Any]) -> None:
    ana = make_user("Ana", grants={"base.contact.read": "all", "base.task.read": "own"})
    with stage.system() as ctx:
        [contact] = contacts(ctx, 1)
        save(ctx, [Task(title="Theirs", contact_id=contact.id, due_on=ctx.today() - DAY)])
        save(ctx, [Task(title="Ana's", contact_id=contact.id, due_on=ctx.today() + DAY, owner_id=ana.id)])
        save(ctx, [Appointment(title="Theirs", contact_id=contact.id, starts_at=ctx.now())])
    with stage.acting(ana) as ctx:
        assert marks(ctx, [contact]) == ["plan"]


def test_a_page_of_records_costs_one_statement(ctx: Context) -> None:
    made = contacts(ctx, 80)
    save(ctx, [Task(title="a", contact_id=contact.id, due_on=ctx.today()) for contact in made])
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert marks(ctx, made) == ["today"] * 80
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len(statements) == 1
