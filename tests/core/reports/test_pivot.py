"""Rows, columns and measures over deals: true figures, few statements, nothing that the reader may not see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event

from comptoir.context import Context
from comptoir.errors import NotAllowed, RuleViolation
from comptoir.records.query import Compare, load, parse, run, to_pairs
from comptoir.reports import (
    Answer,
    Average,
    Count,
    Dimension,
    Measure,
    Median,
    Period,
    PeriodChange,
    Pivot,
    Ratio,
    Running,
    Share,
    Sum,
    Weighted,
    named_period,
    run_pivot,
)
from comptoir.testing.platform import Clock, Stage
from comptoir.toolkit import move, save
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")

WON = Compare("outcome", "eq", "won")
CLOSED = Compare("outcome", "in", ("won", "lost"))
COUNT = Count("count", "Deals")
VALUE = Sum("value", "Value", column=Deal.amount)
MONTH = Dimension(Deal.closed_on, "month")
STAGE = Dimension(Deal.stage)
OWNER = Dimension("owner")


def closed(stage: str, days: int, amount: int = 100, **values: Any) -> Deal:
    opened = dt.date(2026, 1, 1)
    return Deal(
        name=f"{stage} {days}", stage=stage, amount=Decimal(amount), opened_on=opened,
        closed_on=opened + dt.timedelta(days=days), **values,
    )  # fmt: skip


def ask(ctx: Context, *measures: Measure, **asked: Any) -> Answer:
    return run_pivot(ctx, Pivot(ctx.registry.record_type(Deal), measures, **asked))


def table(answer: Answer, name: str) -> list[tuple[str, Any]]:
    return [(line.label, line.figures[name]) for line in answer.lines]


@contextmanager
def counted() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_rows_and_columns_meet_in_cells_with_totals_on_both_sides(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("won", 40, 200), closed("lost", 5, 50)])
    found = ask(ctx, COUNT, VALUE, rows=STAGE, columns=MONTH)
    assert [heading.label for heading in found.headings] == ["Jan 2026", "Feb 2026"]
    assert [(line.label, [cell["count"] for cell in line.cells]) for line in found.lines] == [
        ("Won", [1, 1]),
        ("Lost", [1, 0]),
    ]
    assert [figures["value"] for figures in found.column_totals] == [{"EUR": Decimal(150)}, {"EUR": Decimal(200)}]
    assert (found.totals["count"], found.totals["value"]) == (3, {"EUR": Decimal(350)})


def test_every_measure_counts_what_its_condition_leaves(ctx: Context) -> None:
    save(ctx, [closed("won", 10), closed("won", 20), closed("won", 60), closed("lost", 4), Deal(name="open")])
    won, all_closed = Count("won", "Won", where=WON), Count("closed", "Closed", where=CLOSED)
    found = ask(
        ctx, won, Ratio("rate", "Rate", of=won, to=all_closed),
        Average("mean", "Average", column=Deal.cycle_days, where=WON),
        Median("median", "Median", column=Deal.cycle_days, where=CLOSED), Sum("value", "Value", column=Deal.amount, where=WON),
    )  # fmt: skip
    assert found.totals == {
        "won": 3, "rate": Decimal(75), "mean": Decimal(30), "median": Decimal(15), "value": {"EUR": Decimal(300)},
    }  # fmt: skip


def test_amounts_are_weighed_by_their_chance(ctx: Context) -> None:
    save(ctx, [Deal(name="a", amount=Decimal(1000)), Deal(name="b", amount=Decimal(500), stage="offer_sent")])
    found = ask(ctx, Weighted("weighted", "Weighted", column=Deal.amount, by=Deal.probability), rows=STAGE)
    assert table(found, "weighted") == [("Prospecting", {"EUR": Decimal(100)}), ("Offer sent", {"EUR": Decimal(300)})]


def test_different_currencies_are_never_added_up(ctx: Context) -> None:
    save(ctx, [closed("won", 1), closed("won", 2), closed("won", 3, 7, currency="RON")])
    found = ask(
        ctx, VALUE, Average("mean", "Average", column=Deal.amount), Median("middle", "Median", column=Deal.amount)
    )
    assert found.currency == "EUR"
    assert found.totals["value"] == {"EUR": Decimal(200), "RON": Decimal(7)}
    assert found.totals["mean"] == found.totals["middle"] == {"EUR": Decimal(100), "RON": Decimal(7)}


def test_shares_and_running_totals_follow_the_rows(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("won", 40, 300)])
    found = ask(ctx, Share("share", "Share", of=VALUE), Running("running", "So far", of=VALUE), rows=MONTH)
    assert table(found, "share") == [("Jan 2026", {"EUR": Decimal(25)}), ("Feb 2026", {"EUR": Decimal(75)})]
    assert table(found, "running") == [("Jan 2026", {"EUR": Decimal(100)}), ("Feb 2026", {"EUR": Decimal(400)})]


def test_a_period_is_compared_with_the_one_before(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("won", 40), closed("won", 41), closed("won", 42)])
    february = Period("closed_on", dt.date(2026, 2, 1), dt.date(2026, 3, 1))
    found = ask(ctx, COUNT, PeriodChange("more", "Change", of=COUNT), rows=STAGE, period=february)
    assert table(found, "more") == [("Won", Decimal(200))]
    assert found.totals["more"] == Decimal(200)
    assert february.before() == Period("closed_on", dt.date(2026, 1, 1), dt.date(2026, 2, 1))


def test_months_are_compared_with_the_months_before_in_their_order(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("won", 40), closed("won", 41)])
    february = Period("closed_on", dt.date(2026, 2, 1), dt.date(2026, 3, 1))
    found = ask(ctx, COUNT, PeriodChange("more", "Change", of=COUNT), rows=MONTH, period=february)
    assert table(found, "more") == [("Feb 2026", Decimal(100))]


def test_the_first_rows_stand_alone_and_the_others_are_added_up(ctx: Context, stage: Stage) -> None:
    people = [stage.user(name) for name in ("Ada", "Ben", "Cem", "Dan")]
    save(ctx, [closed("won", 10 * n, 100 * n, owner_id=p.id) for n, p in enumerate(people, start=1)])
    found = ask(ctx, VALUE, Median("middle", "Median", column=Deal.amount), rows=OWNER, top=2)
    assert table(found, "value") == [
        ("Dan", {"EUR": Decimal(400)}), ("Cem", {"EUR": Decimal(300)}), ("2 others", {"EUR": Decimal(300)}),
    ]  # fmt: skip
    assert found.lines[-1].figures["middle"] == {"EUR": Decimal(150)}


def test_who_has_too_little_is_listed_and_not_ranked(ctx: Context, stage: Stage) -> None:
    busy, new = stage.user("Leyla"), stage.user("Radu")
    save(ctx, [closed("won", day, owner_id=busy.id) for day in range(1, 4)])
    save(ctx, [closed("won", 3, 9000, owner_id=new.id)])
    found = ask(ctx, VALUE, rows=OWNER, least=(COUNT, 3))
    assert [(line.label, line.rank) for line in found.lines] == [("Leyla", 1), ("Radu", None)]
    assert len(found.notes) == 1


def test_a_row_leads_to_exactly_its_records(ctx: Context) -> None:
    save(ctx, [closed("won", 3), closed("lost", 4), closed("won", 40)])
    found = ask(ctx, COUNT, rows=MONTH, where=Compare("amount", "gte", Decimal(1)))
    deals = ctx.registry.record_type(Deal)
    narrowed = parse(ctx, deals, to_pairs(found.lines[0].drill))
    assert [row["name"] for row in run(ctx, deals, narrowed).rows] == ["won 3", "lost 4"]


@pytest.mark.parametrize(
    ("part", "label"),
    [("day", "Jan 4, 2026"), ("week", "Week 1, 2026"), ("month", "Jan 2026"), ("quarter", "Q1 2026"), ("year", "2026")],
)
def test_dates_are_cut_into_spans_with_names(ctx: Context, part: str, label: str) -> None:
    save(ctx, [closed("won", 3)])
    found = ask(ctx, COUNT, rows=Dimension(Deal.closed_on, part))
    assert table(found, "count") == [(label, 1)]
    deals = ctx.registry.record_type(Deal)
    assert len(run(ctx, deals, parse(ctx, deals, to_pairs(found.lines[0].drill))).rows) == 1


def test_the_number_of_statements_does_not_depend_on_the_number_of_groups(ctx: Context) -> None:
    def statements(groups: int) -> int:
        save(ctx, [closed("won", 1, n, reference=f"g{groups:03}-{n}") for n in range(groups)])
        where = Compare("reference", "starts", f"g{groups:03}-")
        with counted() as sent:
            found = ask(
                ctx, COUNT, VALUE, Median("middle", "Median", column=Deal.amount),
                Weighted("weighted", "Weighted", column=Deal.amount, by=Deal.probability),
                rows=Dimension(Deal.reference), columns=MONTH, where=where,
            )  # fmt: skip
        assert len(found.lines) == groups
        return len([statement for statement in sent if not statement.startswith("SET LOCAL")])

    assert statements(3) == statements(300) == 3


def test_a_period_has_a_name(ctx: Context) -> None:
    assert named_period(ctx, "closed_on", "last_month") == Period(
        "closed_on", dt.date(2026, 10, 1), dt.date(2026, 11, 1)
    )


def test_nobody_counts_what_they_may_not_see(stage: Stage) -> None:
    agent = stage.user("Leyla", grants={"sales.deal.read": "own"})
    with stage.system() as ctx:
        save(ctx, [closed("won", 3, owner_id=agent.id), closed("won", 4)])
    with stage.acting(agent, write=False) as mine:
        assert ask(mine, COUNT, rows=STAGE).totals["count"] == 1
        assert ask(mine, COUNT, rows=Dimension("at_stage"), source="stays").totals["count"] == 1


def test_who_may_not_read_the_type_gets_no_report(stage: Stage) -> None:
    with stage.acting(stage.user("Radu"), write=False) as other, pytest.raises(NotAllowed):
        ask(other, COUNT)


def test_a_text_is_not_summed(ctx: Context) -> None:
    with pytest.raises(RuleViolation, match="no number"):
        ask(ctx, Sum("x", "X", column=Deal.name))


def test_the_history_tells_how_long_deals_stood_where(ctx: Context, clock: Clock) -> None:
    deal, other = Deal(name="a"), Deal(name="b")
    save(ctx, [deal, other])
    clock.advance(days=4)
    move(ctx, deal, "engaging")
    clock.advance(days=2)
    move(ctx, deal, "won")
    days = Average("days", "Days", column="days")
    with counted() as sent:
        found = ask(ctx, COUNT, days, rows=Dimension("at_stage"), source="stays")
    assert table(found, "count") == [("Prospecting", 2), ("Engaging", 1), ("Won", 1)]
    assert table(found, "days")[:2] == [("Prospecting", Decimal(5)), ("Engaging", Decimal(2))]
    assert len([text for text in sent if "core_history" in text]) == 1


def test_the_history_tells_who_moved_what_when(stage: Stage) -> None:
    lead = stage.user("Leyla", grants={"sales.deal.read": "all", "sales.deal.write": "all"})
    with stage.system() as ctx:
        deal = Deal(name="a")
        save(ctx, [deal])
    with stage.acting(lead) as acting:
        move(acting, load(acting, Deal, deal.id), "engaging")
        found = ask(acting, COUNT, rows=Dimension("moved_by"), columns=Dimension("left_at", "month"), source="stays")
    assert ("Leyla", 1) in table(found, "count")
    assert "Nov 2026" in [heading.label for heading in found.headings]


def test_only_days_are_measured_of_the_history(ctx: Context) -> None:
    with pytest.raises(RuleViolation, match="only its days"):
        ask(ctx, VALUE, rows=Dimension("at_stage"), source="stays")
