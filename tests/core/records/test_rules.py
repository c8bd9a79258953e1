"""Rules of a record type are called with its records alone, at their place in the write path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from comptoir.base.models import Contact, Task
from comptoir.context import Context
from comptoir.contributions import Rules
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.records.write import delete, move, save
from comptoir.registry.rules import Followed
from comptoir_sales.models import Lead

Put = Callable[..., None]


@pytest.fixture
def put(ctx: Context) -> Iterator[Put]:
    """Lets a plugin with these rules take part in the test."""
    registry: Any = ctx.registry
    manager, added = registry.manager, list[str]()

    def put_in(*rules: Rules) -> None:
        added.append(manager.register(Followed(rules), name=f"test/{len(added)}"))

    yield put_in
    for name in added:
        manager.unregister(name=name)


def test_a_rule_is_called_once_with_all_records_of_its_type(ctx: Context, put: Put) -> None:
    seen: list[list[str]] = []

    def follow(ctx: Context, changes: Any) -> None:
        seen.append([change.record.name for change in changes])

    put(Rules(Contact, saved=follow))

    save(ctx, [Contact(name="Ana"), Task(title="Call"), Contact(name="Radu")])

    assert seen == [["Ana", "Radu"]]


def test_a_rule_is_not_called_where_there_is_no_record_of_its_type(ctx: Context, put: Put) -> None:
    put(Rules(Contact, check=lambda ctx, changes: [RuleViolation("test.never", "Never.")]))

    save(ctx, [Task(title="Call")])


def test_what_is_prepared_is_what_is_checked(ctx: Context, put: Put) -> None:
    def prepare(ctx: Context, changes: Any) -> None:
        for change in changes:
            change.record.name = change.record.name.upper()

    checked: list[str] = []

    def check(ctx: Context, changes: Any) -> list[RuleViolation]:
        checked.extend(change.record.name for change in changes)
        return []

    put(Rules(Contact, prepare=prepare, check=check))

    save(ctx, [Contact(name="Ana")])

    assert checked == ["ANA"]


def test_violations_of_several_rules_are_shown_at_once(ctx: Context, put: Put) -> None:
    def by_yielding(ctx: Context, changes: Any) -> Iterator[RuleViolation]:
        yield RuleViolation("test.first", "First.", field="name")

    def by_raising(ctx: Context, changes: Any) -> list[RuleViolation]:
        raise RuleViolation("test.second", "Second.", field="status")

    put(Rules(Contact, check=by_yielding), Rules(Contact, check=by_raising))

    with pytest.raises(RuleViolations) as refused:
        save(ctx, [Contact(name="Ana")])

    assert set(refused.value.by_field()) == {"name", "status"}


def test_a_deletion_is_refused_by_the_rules_and_followed_where_it_is_not(ctx: Context, put: Put) -> None:
    gone: list[int] = []
    put(
        Rules(
            Contact,
            check_deletion=lambda ctx, records: [
                RuleViolation("test.kept", "Keep it.") for r in records if r.name == "Ana"
            ],
            deleted=lambda ctx, refs: gone.extend(ref.record_id for ref in refs),
        )
    )
    ana, radu = Contact(name="Ana"), Contact(name="Radu")
    save(ctx, [ana, radu])
    radu_id = radu.id

    with pytest.raises((RuleViolation, RuleViolations)):
        delete(ctx, [ana])
    delete(ctx, [radu])

    assert gone == [radu_id]


@pytest.mark.modules("catalog", "sales")
def test_a_move_is_refused_by_the_rules_and_followed_where_it_is_not(ctx: Context, put: Put) -> None:
    moved: list[str] = []

    def check(ctx: Context, lead: Lead, transition: Any) -> Iterator[RuleViolation]:
        if lead.name == "Ana":
            yield RuleViolation("test.stays", "It stays.")

    put(Rules(Lead, check_move=check, moved=lambda ctx, lead, transition: moved.append(transition.name)))
    ana, radu = Lead(name="Ana"), Lead(name="Radu")
    save(ctx, [ana, radu])

    with pytest.raises((RuleViolation, RuleViolations)):
        move(ctx, ana, "start")
    move(ctx, radu, "start")

    assert moved == ["start"]
