"""Imports in many short transactions: killed and resumed without a doubled row, undone without losing what others did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from comptoir.access.models import SecurityEvent
from comptoir.access.permissions import system_actor
from comptoir.base.models import Contact, Task
from comptoir.context import Context, unrestricted
from comptoir.deployment import Deployment
from comptoir.edge import perform, rehearse
from comptoir.errors import Conflict
from comptoir.records.history import HistoryEntry
from comptoir.records.transfer import (
    ImportReport,
    begin_import,
    import_table,
    importing,
    parse_mapping,
    read_table,
    run_import,
    undo_import,
)
from comptoir.records.transfer.importing import Turn
from comptoir.records.transfer.runs import ImportRun, find_import
from comptoir.records.write import assign, delete, save
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")

T = TypeVar("T")
HEAD = "name,parent,city,tax_number,phone,email"


class Killed(BaseException):
    """The process ends here."""


class Importing:
    """Files on their way into the database, a transaction a batch."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment = deployment
        self.path = folder / "contacts.csv"
        self.declared = deployment.registry.record_type("base.contact")

    def turn(self, work: Callable[[Context], T]) -> T:
        return perform(self.deployment, system_actor("import of contacts.csv"), work)

    def killed_after(self, turns: int) -> Turn:
        """The turns of a process that is killed before it commits the one after so many."""
        done = 0

        def turn(work: Callable[[Context], T]) -> T:
            def cut(ctx: Context) -> T:
                nonlocal done
                result = work(ctx)
                done += 1
                if done > turns:
                    raise Killed
                return result

            return self.turn(cut)

        return turn

    def begin(self, rows: str, **options: Any) -> ImportRun:
        self.path.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
        self.table = read_table(self.path)
        return self.turn(lambda ctx: begin_import(ctx, self.declared, self.table, self.path, **options))

    def go_on(self, run: ImportRun, turn: Turn | None = None) -> ImportReport:
        report = run_import(turn or self.turn, run, self.declared, self.table)
        assert report.created + report.updated + report.skipped + report.failed == report.rows
        return report

    def found(self, run: ImportRun) -> ImportRun:
        return self.turn(lambda ctx: find_import(ctx, run.id))

    def names(self) -> list[str]:
        return self.turn(lambda ctx: sorted(ctx.session.scalars(select(Contact.name))))

    def change(self, name: str, **values: Any) -> None:
        def work(ctx: Context) -> None:
            contact = contact_called(ctx, name)
            assign(ctx, contact, values)
            save(ctx, [contact])

        self.turn(work)


@pytest.fixture
def at(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importing:
    """Batches of five rows, so that a few rows are many transactions."""
    monkeypatch.setattr(importing, "FEW", 5)
    monkeypatch.setattr(importing, "MANY", 5)
    return Importing(deployment, tmp_path)


def contact_called(ctx: Context, name: str) -> Contact:
    return ctx.session.scalars(select(Contact).where(Contact.name == name)).one()


def companies(*numbers: int, parent: str = "", city: str = "Cluj") -> str:
    return "".join(f"N{n:02},{parent},{city},T{n},+4072200{n:04},n{n}@example.com\n" for n in numbers)


# -- killed and resumed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(7))
def test_a_killed_import_goes_on_behind_its_last_batch_without_a_doubled_row(at: Importing, turns: int) -> None:
    rows = companies(1, 2, parent="N11") + companies(*range(3, 13)) + companies(13, parent="N01") + "Bad,,,,,nobody\n"
    run = at.begin(rows, keep_going=True)
    with pytest.raises(Killed):  # parsing the mapping is a turn, too
        at.go_on(run, at.killed_after(turns))
    report = at.go_on(at.found(run))
    assert (report.rows, report.created, report.failed) == (14, 13, 1)
    assert at.names() == [f"N{n:02}" for n in range(1, 14)]
    assert (at.found(run).state, at.found(run).rows, at.found(run).waiting) == ("done", 14, [])


def test_what_is_kept_of_a_killed_import_is_whole(at: Importing) -> None:
    run = at.begin(companies(*range(12)))
    with pytest.raises(Killed):
        at.go_on(run, at.killed_after(2))

    def kept(ctx: Context) -> list[tuple[int, int]]:
        return [(len(c.phones), len(c.emails)) for c in ctx.session.scalars(select(Contact))]

    assert at.turn(kept) == [(1, 1)] * 5
    assert (at.found(run).line, at.found(run).rows) == (6, 5)


def test_rows_in_a_circle_are_counted_once_however_often_it_is_resumed(at: Importing) -> None:
    run = at.begin("A,B,,,,\nB,A,,,,\n" + companies(1, parent="N02") + companies(2), keep_going=True)
    for turns in (2, 1):
        with pytest.raises(Killed):
            at.go_on(at.found(run), at.killed_after(turns))
    report = at.go_on(at.found(run))
    assert (report.rows, report.created, report.failed) == (4, 2, 2)


def test_rows_that_waited_are_not_lost_when_it_is_killed_twice(at: Importing) -> None:
    run = at.begin(companies(*range(1, 9), parent="N20") + companies(*range(9, 21)))
    for turns in (3, 2):
        with pytest.raises(Killed):
            at.go_on(at.found(run), at.killed_after(turns))
        assert len(at.found(run).waiting) == 8
    assert at.go_on(at.found(run)).created == 20
    assert len(at.names()) == 20


def test_two_processes_on_one_import_keep_no_row_twice(at: Importing) -> None:
    run = at.begin(companies(*range(12)))
    other = at.found(run)
    with pytest.raises(Killed):
        at.go_on(run, at.killed_after(2))
    with pytest.raises(Conflict, match="Another process"):
        at.go_on(other)
    at.go_on(at.found(run))
    assert len(at.names()) == 12


def test_an_import_whose_file_has_changed_is_not_resumed(at: Importing) -> None:
    run = at.begin(companies(*range(12)))
    at.path.write_text(f"{HEAD}\n" + companies(*range(11)))
    with pytest.raises(Conflict, match="has changed since"):
        at.go_on(run)


def test_an_import_that_has_ended_is_not_resumed(at: Importing) -> None:
    run = at.begin(companies(1))
    at.go_on(run)
    with pytest.raises(Conflict, match="has ended"):
        at.go_on(at.found(run))


def test_a_batch_that_is_tried_again_is_counted_once(at: Importing) -> None:
    """The second try of a turn begins where the first one began."""
    run = at.begin(companies(*range(12)) + "Bad,,,,,nobody\n", keep_going=True)

    def twice(work: Callable[[Context], T]) -> T:
        with pytest.raises(Killed):
            at.killed_after(0)(work)
        return at.turn(work)

    told: list[int] = []
    report = run_import(twice, run, at.declared, at.table, listen=lambda problem, _row: told.append(problem.line))
    assert (report.rows, report.created, report.failed, told) == (13, 12, 1, [14])


def test_others_write_between_the_batches(at: Importing) -> None:
    run = at.begin(companies(*range(12)))
    seen: list[int] = []

    def between(work: Callable[[Context], T]) -> T:
        done = at.turn(work)
        at.turn(lambda ctx: save(ctx, [Contact(name="Walked in")]))
        seen.append(len(at.names()))
        return done

    at.go_on(run, between)
    assert seen == [1, 7, 13, 16, 17]


def test_a_rehearsal_tells_all_and_keeps_nothing_and_others_write_meanwhile(at: Importing) -> None:
    at.path.write_text(f"{HEAD}\n" + companies(1, parent="N02") + companies(2))
    table = read_table(at.path)

    def work(ctx: Context) -> ImportReport:
        report = import_table(ctx, at.declared, table, parse_mapping(ctx, at.declared, table.columns))
        at.turn(lambda other: save(other, [Contact(name="Walked in")]))
        return report

    assert rehearse(at.deployment, system_actor("test"), work).created == 2
    assert at.names() == ["Walked in"]


# -- undone -------------------------------------------------------------------------------------------------------------


def imported(at: Importing, rows: str, **options: Any) -> ImportRun:
    run = at.begin(rows, **options)
    at.go_on(run)
    return at.found(run)


def test_an_undo_deletes_what_was_created(at: Importing) -> None:
    imported(at, companies(1, 2))
    run = imported(at, companies(*range(10, 23), parent="N01"))
    undone = undo_import(at.turn, run)
    assert (undone.deleted, undone.restored, undone.left) == (13, 0, 0)
    assert at.names() == ["N01", "N02"]


def test_an_undo_puts_back_what_was_changed(at: Importing) -> None:
    imported(at, companies(1, 2))
    run = imported(at, "N01,N02,Aiud,T1,+40722999999,new@example.com\n", key="tax_number")
    undone = undo_import(at.turn, run)
    assert (undone.deleted, undone.restored, undone.left) == (0, 1, 0)

    def look(ctx: Context) -> tuple[Any, ...]:
        contact = contact_called(ctx, "N01")
        return (contact.city, contact.parent_id, contact.phones[0].number, [line.address for line in contact.emails])

    assert at.turn(look) == ("Cluj", None, "+40722000001", ["n1@example.com"])


def test_an_undo_counts_a_record_once_however_many_rows_changed_it(at: Importing) -> None:
    imported(at, companies(1))
    rows = companies(1, city="Aiud") + companies(1, city="Blaj") + companies(2) + companies(2, city="Dej")
    undone = undo_import(at.turn, imported(at, rows, key="tax_number"))
    assert (undone.deleted, undone.restored, undone.left) == (1, 1, 0)
    assert at.turn(lambda ctx: contact_called(ctx, "N01").city) == "Cluj"


def test_an_undo_leaves_alone_and_counts_what_was_changed_since(at: Importing) -> None:
    run = imported(at, companies(1, 2, 3, 4))
    at.change("N02", city="Dej")
    at.turn(lambda ctx: delete(ctx, [contact_called(ctx, "N03")]))
    at.turn(lambda ctx: save(ctx, [Task(title="Call", contact_id=contact_called(ctx, "N04").id)]))
    undone = undo_import(at.turn, run)
    assert (undone.deleted, undone.left) == (1, 3)
    assert at.names() == ["N02", "N04"]
    assert len(at.turn(lambda ctx: ctx.session.scalars(select(Task.id)).all())) == 1


def test_a_row_that_was_changed_between_two_rows_of_the_import_is_left_alone(at: Importing) -> None:
    run = at.begin(companies(1, 2, 3, 4, 5, 6) + companies(1, city="Aiud"), key="tax_number")
    with pytest.raises(Killed):
        at.go_on(run, at.killed_after(2))
    at.change("N01", city="Dej")
    at.go_on(at.found(run))
    undone = undo_import(at.turn, at.found(run))
    assert (undone.deleted, undone.left) == (5, 1)
    assert at.names() == ["N01"]


def test_an_undo_of_deals_takes_their_stage_back(at: Importing) -> None:
    at.declared = at.deployment.registry.record_type("sales.deal")

    def take(rows: str) -> ImportRun:
        at.path.write_text(f"reference,stage,name\n{rows}\n")
        at.table = read_table(at.path)
        maps = ("reference=reference", "stage=stage", "name=name")
        run = at.turn(lambda ctx: begin_import(ctx, at.declared, at.table, at.path, maps=maps, key="reference"))
        assert at.go_on(run).failed == 0
        return at.found(run)

    def stage(ctx: Context) -> tuple[str, Any]:
        deal = ctx.session.scalars(select(Deal)).one()
        return deal.stage, deal.closed_on

    take("R1,Prospecting,D")
    before = at.turn(stage)
    run = take("R1,Won,D")
    assert at.turn(stage)[0] == "won"
    undone = undo_import(at.turn, run)
    assert (undone.restored, undone.left) == (1, 0)
    assert at.turn(stage) == before


@pytest.mark.parametrize("turns", range(1, 4))
def test_an_undo_that_is_killed_goes_on(at: Importing, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptoir.records.transfer.undo.SOME", 3)
    imported(at, companies(1))
    run = imported(at, companies(1, city="Aiud") + companies(*range(2, 10)), key="tax_number")
    with pytest.raises(Killed):
        undo_import(at.killed_after(turns), run)
    undo_import(at.turn, at.found(run))
    assert at.names() == ["N01"]
    assert at.turn(lambda ctx: contact_called(ctx, "N01").city) == "Cluj"
    with pytest.raises(Conflict, match="undone already"):
        undo_import(at.turn, at.found(run))


def test_an_undo_ends_an_import_that_is_under_way(at: Importing) -> None:
    run = at.begin(companies(*range(12)))
    with pytest.raises(Killed):
        at.go_on(run, at.killed_after(2))
    undo_import(at.turn, at.found(run))
    with pytest.raises(Conflict):
        at.go_on(at.found(run))
    assert at.names() == []


# -- traces -------------------------------------------------------------------------------------------------------------


def test_the_history_carries_the_import_and_nothing_else_does(at: Importing) -> None:
    run = imported(at, companies(1))
    at.change("N01", city="Dej")
    carried = at.turn(
        lambda ctx: (
            unrestricted(ctx, "test")
            .scalars(
                select(HistoryEntry.import_id)
                .where(HistoryEntry.record_type == "base.contact")
                .order_by(HistoryEntry.id)
            )
            .all()
        )
    )
    assert carried == [run.id, None]


def test_the_security_log_knows_an_import_and_its_undo(at: Importing) -> None:
    run = imported(at, companies(1, 2))
    undo_import(at.turn, run)

    def events(ctx: Context) -> list[tuple[str, str, dict[str, Any]]]:
        query = select(SecurityEvent).where(SecurityEvent.kind.in_(["data_imported", "import_undone"]))
        found = unrestricted(ctx, "test").scalars(query.order_by(SecurityEvent.id))
        return [(event.kind, event.about, event.details) for event in found]

    assert at.turn(events) == [
        ("data_imported", "base.contact", {"file": "contacts.csv", "number": run.id, "created": 2, "updated": 0}),
        ("import_undone", "base.contact", {"number": run.id, "deleted": 2, "restored": 0, "left": 0}),
    ]
