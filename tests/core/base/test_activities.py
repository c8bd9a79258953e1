"""What was said with a contact, and what is to be done."""

from __future__ import annotations

import datetime as dt

import pytest

from comptoir.base.models import Appointment, Contact, Task
from comptoir.base.services import (
    complete_task,
    due_today,
    last_interaction,
    log_interaction,
    meetings_count,
    next_activity,
    reopen_task,
)
from comptoir.context import Context
from comptoir.errors import RuleViolations
from comptoir.records.write import save
from comptoir.testing.platform import Clock, Stage


@pytest.fixture
def contact(ctx: Context) -> Contact:
    made = Contact(name="Mega Fruct SRL")
    save(ctx, [made])
    return made


def test_a_note_is_called_by_its_first_line(ctx: Context, contact: Contact) -> None:
    note = log_interaction(ctx, contact, kind="note", body="Wants a second shop\nin spring.")
    assert (note.subject, note.happened_at) == ("Wants a second shop", ctx.now())


def test_meetings_are_counted_once_they_happened(ctx: Context, contact: Contact) -> None:
    log_interaction(ctx, contact, kind="meeting", happened_at=ctx.now() - dt.timedelta(days=2))
    log_interaction(ctx, contact, kind="meeting", happened_at=ctx.now() + dt.timedelta(days=2))
    latest = log_interaction(ctx, contact, kind="call")
    assert meetings_count(ctx, contact) == 1
    assert last_interaction(ctx, contact) is latest


def test_a_note_is_seen_by_whoever_sees_the_contact(stage: Stage) -> None:
    with stage.system() as ctx:
        theirs, mine = Contact(name="Theirs"), Contact(name="Mine")
        save(ctx, [theirs, mine])
        grants = {"base.contact.read": "own", "base.interaction.read": "all"}
        agent = stage.user("Radu", grants=grants)
        mine.owner_id = agent.id
        save(ctx, [mine])
        hidden, seen = (log_interaction(ctx, c, kind="note", body="Hello").id for c in (theirs, mine))
    with stage.acting(agent, write=False) as acting:
        from comptoir.base.models import Interaction

        assert acting.session.get(Interaction, hidden) is None
        assert acting.session.get(Interaction, seen) is not None


def test_a_task_due_at_a_moment_is_due_on_its_day_where_one_is(ctx: Context) -> None:
    task = Task(title="Call", due_at=dt.datetime(2026, 11, 22, 23, 30, tzinfo=dt.UTC))
    save(ctx, [task])
    assert task.due_on == dt.date(2026, 11, 23)


def test_a_task_is_due_until_it_is_done(ctx: Context) -> None:
    late, today, later = (
        Task(title=title, due_on=ctx.today() + dt.timedelta(days=days))
        for title, days in (("Late", -1), ("Today", 0), ("Later", 1))
    )
    save(ctx, [late, today, later])
    assert list(due_today(ctx)) == [late, today]
    complete_task(ctx, late)
    assert list(due_today(ctx)) == [today]
    reopen_task(ctx, late)
    assert list(due_today(ctx)) == [late, today]


def test_the_next_activity_is_the_earliest_that_is_planned(ctx: Context, contact: Contact, clock: Clock) -> None:
    visit = Appointment(title="Visit", starts_at=ctx.now() + dt.timedelta(days=2), contact_id=contact.id)
    task = Task(title="Call", due_on=ctx.today() + dt.timedelta(days=5), contact_id=contact.id)
    save(ctx, [visit])
    save(ctx, [task])
    assert next_activity(ctx, contact) is visit
    clock.advance(days=3)
    assert next_activity(ctx, contact) is task


def test_an_appointment_takes_an_hour_unless_it_says_otherwise(ctx: Context) -> None:
    visit = Appointment(title="Visit", starts_at=ctx.now())
    save(ctx, [visit])
    assert visit.ends_at - visit.starts_at == dt.timedelta(hours=1)


def test_an_appointment_ends_after_it_starts(ctx: Context) -> None:
    visit = Appointment(title="Visit", starts_at=ctx.now(), ends_at=ctx.now())
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [visit])
    assert list(refused.value.by_field()) == ["ends_at"]
