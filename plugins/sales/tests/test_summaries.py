"""The dashboard's figures come from summaries, and are those of the deals whatever happened to them."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete as delete_rows
from sqlalchemy import event, func, select, update

from comptoir.access.models import User
from comptoir.access.permissions import system_actor
from comptoir.context import Context, unrestricted
from comptoir.db.summary import READY, SummaryRow
from comptoir.deployment import Deployment
from comptoir.edge import perform
from comptoir.errors import ComptoirError, WriteRefused
from comptoir.modules.demo import load_demo, remove_demo
from comptoir.records.summaries import departing, fold, forget_summaries, keep_summaries, mend_summary
from comptoir.records.write.undo import take_back
from comptoir.testing.platform import Stage
from comptoir.toolkit import All, Any_, Compare, Query, aggregate, archive, delete, move, restore, save
from comptoir_catalog.models import Product
from comptoir_sales import reports, tiles
from comptoir_sales.models import DEALS, SUMMARIES, Deal, LostReason

pytestmark = pytest.mark.modules("catalog", "sales")
PERIODS: tuple[dict[str, str], ...] = (
    {},
    {"period": "week"},
    {"period": "month"},
    {"period": "quarter"},
    {"period": "year"},
)
RIGHTS = {f"sales.deal.{action}": "own" for action in ("read", "create", "write", "delete")}
RIGHTS |= {f"{name}.read": "all" for name in ("sales.pipeline", "sales.stage", "sales.lost_reason", "catalog.product")}
SHOWN = (tiles.kpis, tiles.pipeline, tiles.win_rate, tiles.funnel, tiles.people, tiles.products)


def shown(ctx: Context) -> list[Any]:
    """Everything that the tiles of sales say, of every period; what the page shares is asked anew."""
    found = []
    for options in PERIODS:
        for key in [key for key in ctx._kept if isinstance(key, tuple) and key[0] == "sales.figures"]:
            ctx.forget(key)
        found += [tile(ctx, options) for tile in SHOWN]
    return found


class _Back(Exception):
    """Undoes the savepoint that it leaves."""


def counted(ctx: Context) -> list[Any]:
    """The same from the deals themselves."""
    with suppress(_Back), ctx.savepoint():
        forget_summaries(unrestricted(ctx, "test"))
        ctx.forget(("summaries", "sales.deal"))
        found = shown(ctx)
        raise _Back
    ctx.forget(("summaries", "sales.deal"))
    return found


@contextmanager
def reading(ctx: Context) -> Iterator[list[str]]:
    """The statements that read deals."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM sales_deal" in statement or "FROM (SELECT sales_deal" in statement:
            found.append(statement)

    connections = {ctx.session.connection(), unrestricted(ctx, "test").connection()}
    for connection in connections:
        event.listen(connection, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for connection in connections:
            event.remove(connection, "before_cursor_execute", note)


def departed(ctx: Context) -> list[Any]:
    return [departing(ctx, Deal, summary) for summary in SUMMARIES if departing(ctx, Deal, summary)]


def test_the_dashboard_of_any_period_reads_no_deal(ctx: Context) -> None:
    keep_summaries(ctx)
    save(ctx, [Deal(name="Tea bar", stage=stage, amount=Decimal(100)) for stage in ("won", "lost", "engaging")])
    with reading(ctx) as statements:
        found = shown(ctx)
    assert statements == []
    assert found == counted(ctx)


def test_weeks_are_those_of_the_calendar_whatever_the_year(ctx: Context) -> None:
    declared = ctx.registry.record_type(Deal)
    days = [dt.date(2024, 12, 20) + dt.timedelta(days=number) for number in range(24)]
    save(ctx, [Deal(name="Tea bar", stage="won", opened_on=days[0], closed_on=day) for day in days])
    monday = dt.date(2024, 12, 23)

    def counts() -> list[list[int]]:
        weeks = [(monday + dt.timedelta(weeks=n), monday + dt.timedelta(weeks=n + 1)) for n in range(3)]
        within = [All((reports.WON, Compare("closed_on", "gte", a), Compare("closed_on", "lt", b))) for a, b in weeks]
        rows = [aggregate(ctx, declared, Query(where=where), ("product",)) for where in within]
        return [[row["count"] for row in of_week] for of_week in rows]

    from_deals = counts()
    keep_summaries(ctx)
    ctx.forget(("summaries", "sales.deal"))
    with reading(ctx) as statements:
        assert counts() == from_deals == [[7], [7], [7]]
    assert statements == []


def test_without_summaries_the_deals_themselves_are_counted(ctx: Context) -> None:
    save(ctx, [Deal(name="Tea bar", stage="won", amount=Decimal(100))])
    keep_summaries(ctx)
    with reading(ctx) as statements:
        assert counted(ctx) == shown(ctx)
    assert statements


def test_whoever_sees_only_their_own_or_their_team_is_told_of_those_alone(stage: Stage) -> None:
    north, south = stage.team("North"), stage.team("South")
    ana = stage.user("Ana", team=north, grants=RIGHTS)
    bob = stage.user("Bob", team=north, grants=RIGHTS | {"sales.deal.read": "team"})
    eve = stage.user("Eve", team=south, grants=RIGHTS)
    with stage.system() as ctx:
        keep_summaries(ctx)
    for user in (ana, bob, eve):
        with stage.acting(user) as ctx:
            save(ctx, [Deal(name=user.name, stage="won", amount=Decimal(100)) for _number in range(user.id)])
    with stage.acting(bob) as ctx:  # handed to another team, and still theirs
        handed = Deal(name="Bob too", stage="won", amount=Decimal(7), team_id=south.id)
        save(ctx, [handed])
    wanted = {ana.id: ana.id * 100, bob.id: (ana.id + bob.id) * 100 + 7, eve.id: eve.id * 100}
    for user in (ana, bob, eve):
        with stage.acting(user, write=False) as ctx, reading(ctx) as statements:
            answer = tiles._closed_by(ctx, {}, reports.PERSON)
            assert answer.totals["value"] == {"EUR": Decimal(wanted[user.id])}
            assert statements == []


def test_a_summary_of_some_records_answers_only_who_asks_for_those(ctx: Context) -> None:
    keep_summaries(ctx)
    save(ctx, [Deal(name="Tea bar", stage=stage) for stage in ("won", "lost", "engaging")])
    deals = ctx.registry.record_type(Deal)
    assert [row["count"] for row in aggregate(ctx, deals, None, ("product",))] == [3]
    assert [row["count"] for row in aggregate(ctx, deals, reports.WON, ("product",))] == [1]
    either = Any_((reports.WON, reports.OPEN))
    assert [row["count"] for row in aggregate(ctx, deals, either, ("product",))] == [2]


def test_the_same_aggregate_of_another_archive_or_with_words_is_counted_from_the_deals(ctx: Context) -> None:
    keep_summaries(ctx)
    deals = [Deal(name=name, stage="won") for name in ("Tea bar", "Cold room")]
    save(ctx, deals)
    archive(ctx, deals[:1])
    declared = ctx.registry.record_type(Deal)
    counts = [
        [row["count"] for row in aggregate(ctx, declared, query, ("product",))]
        for query in (
            Query(where=reports.WON, archived="with"),
            Query(where=reports.WON, archived="only"),
            Query(where=reports.WON, text="cold"),
            Query(where=reports.WON, text="nowhere"),
        )
    ]
    assert counts == [[2], [1], [1], []]


class Life:
    """What happens to deals, at random but the same for a seed."""

    def __init__(self, ctx: Context, seed: int, owners: Sequence[User]) -> None:
        self.ctx, self.chance, self.owners = ctx, random.Random(seed), owners
        self.deals: list[Deal] = []
        self.happened: Counter[str] = Counter()
        self.products = [Product(name="Cold room"), Product(name="Espresso line")]
        self.reasons = list(ctx.session.scalars(select(LostReason.id)))
        save(ctx, self.products)

    def values(self) -> dict[str, Any]:
        chance = self.chance
        return {
            "amount": chance.choice([None, Decimal("0.01"), Decimal("1234.5678"), Decimal(99_999_999_999_999)]),
            "currency": chance.choice(["EUR", "RON"]),
            "product_id": chance.choice([None, *(product.id for product in self.products)]),
            "owner_id": chance.choice([None, *(owner.id for owner in self.owners)]),
            "lost_reason_id": chance.choice([None, *self.reasons]),
            "probability": chance.choice([None, Decimal(10), Decimal("33.3")]),
        }

    def closing(self) -> dict[str, Any]:
        opened = self.ctx.today() - dt.timedelta(days=self.chance.randrange(10, 500))
        return {"opened_on": opened, "closed_on": opened + dt.timedelta(days=self.chance.randrange(10))}

    def create(self) -> None:
        """Several as one batch, some of them closed long ago."""
        batch = []
        for _number in range(self.chance.randrange(1, 6)):
            stage = self.chance.choice(["prospecting", "engaging", "won", "lost"])
            closing = self.closing() if stage in ("won", "lost") else {}
            batch.append(Deal(name="Tea bar", stage=stage, **self.values(), **closing))
        save(self.ctx, batch)
        self.deals += batch

    def change(self) -> None:
        deal = self.chance.choice(self.deals)
        for name, value in self.values().items():
            if self.chance.random() < 0.4:
                setattr(deal, name, value)
        if deal.outcome != "open" and self.chance.random() < 0.5:
            for name, value in self.closing().items():
                setattr(deal, name, value)
        save(self.ctx, [deal])

    def change_unread(self) -> None:
        """What was never loaded is set all the same."""
        deal = self.chance.choice(self.deals)
        self.ctx.session.expire(deal, ["product_id", "amount"])
        deal.product_id, deal.amount = self.products[0].id, Decimal(5)
        save(self.ctx, [deal])

    def move(self) -> None:
        deal = self.chance.choice(self.deals)
        transition = self.chance.choice(DEALS.moves_from(self.ctx, deal))
        move(self.ctx, deal, transition)
        if self.chance.random() < 0.3:
            take_back(self.ctx, deal)

    def put_away(self) -> None:
        some = self.chance.sample(self.deals, min(3, len(self.deals)))
        self.chance.choice([archive, restore])(self.ctx, some)

    def delete(self) -> None:
        delete(self.ctx, self.deals[-1:])
        self.deals.pop()

    def fold(self) -> None:
        fold(self.ctx, size=self.chance.choice([1, 10, 1000]))

    def goes_on(self) -> None:
        steps = [self.create, self.change, self.change_unread, self.move, self.put_away, self.delete, self.fold]
        for step in [self.create, *self.chance.choices(steps, [5, 5, 2, 5, 2, 2, 2], k=25)]:
            with suppress(ComptoirError, IndexError), self.ctx.savepoint():
                step()
                self.happened[step.__name__] += 1


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_deals_the_summaries_tell_what_the_deals_tell(stage: Stage, seed: int) -> None:
    north, south = stage.team("North"), stage.team("South")
    readers = [
        stage.user("Ana", team=north, grants=RIGHTS),
        stage.user("Bob", team=north, grants=RIGHTS | {"sales.deal.read": "team"}),
        stage.user("Eve", team=south, grants=RIGHTS | {"sales.deal.read": "all"}),
    ]
    with stage.system() as ctx:
        if seed % 2:
            keep_summaries(ctx)
        life = Life(ctx, seed, readers)
        life.goes_on()
        keep_summaries(ctx)
        life.goes_on()
        assert len(life.deals) > 5
        assert len(life.happened) == 7
        assert departed(ctx) == []
        assert shown(ctx) == counted(ctx)
    for reader in readers:
        with stage.acting(reader) as ctx:
            assert shown(ctx) == counted(ctx)


def test_what_departs_is_found_and_corrected(ctx: Context) -> None:
    keep_summaries(ctx)
    save(ctx, [Deal(name="Tea bar", stage="won", amount=Decimal(100))])
    rows: Any = SummaryRow.__table__
    unrestricted(ctx, "test").execute(delete_rows(rows).where(rows.c.reach != READY, rows.c.s0 != 0))
    assert len(departed(ctx)) == 4
    assert sum(mend_summary(ctx, Deal, summary) for summary in SUMMARIES) > 0
    assert departed(ctx) == []
    assert shown(ctx) == counted(ctx)


def test_folding_leaves_one_row_a_group(ctx: Context) -> None:
    keep_summaries(ctx)
    for _number in range(5):
        save(ctx, [Deal(name="Tea bar", stage="won", amount=Decimal(100))])
    told, rows = shown(ctx), select(func.count()).select_from(SummaryRow)
    before = ctx.session.scalar(rows) or 0
    keep_summaries(ctx)
    assert before - len(SUMMARIES) == 5 * ((ctx.session.scalar(rows) or 0) - len(SUMMARIES))
    assert shown(ctx) == told


def test_no_statement_past_the_writer_sets_what_is_added_up(ctx: Context) -> None:
    with pytest.raises(WriteRefused, match="added up in a summary"), ctx.bulk("products go"):
        ctx.session.execute(update(Deal).values(product_id=None))


def test_a_sum_larger_than_a_row_holds_is_kept_in_several(ctx: Context) -> None:
    keep_summaries(ctx)
    largest = Decimal("99999999999999.9999")
    save(ctx, [Deal(name="Mint", stage="won", amount=largest) for _number in range(3)])
    keep_summaries(ctx)
    assert tiles._closed_by(ctx, {}, reports.PERSON).totals["value"] == {"EUR": 3 * largest}


def test_of_a_demonstration_that_goes_nothing_stays_added_up(deployment: Deployment) -> None:
    load_demo(deployment)
    with deployment.system_context("test") as ctx:
        keep_summaries(ctx)
        assert aggregate(ctx, ctx.registry.record_type(Deal), reports.WON, ("outcome",)) != []
    remove_demo(deployment)
    with deployment.system_context("test") as ctx:
        assert aggregate(ctx, ctx.registry.record_type(Deal), reports.WON, ("outcome",)) == []
        keep_summaries(ctx)
        assert departed(ctx) == []


def test_what_somebody_may_not_read_no_summary_tells(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with stage.system() as ctx:
        keep_summaries(ctx)
        save(ctx, [Deal(name="Tea bar", stage="won", amount=Decimal(100))])
        fields: Any = ctx.registry.record_type(Deal).fields
    for name in ("amount", "product_id"):
        monkeypatch.setitem(fields, name, replace(fields[name], read="sales.deal.see"))
    blind = stage.user("Blind", grants=RIGHTS | {"sales.deal.read": "all"})
    with stage.acting(blind, write=False) as ctx:
        declared = ctx.registry.record_type(Deal)
        for group, measures in ((("product",), ("count",)), ((), ("amount:sum",))):
            with pytest.raises(ComptoirError, match="no field"):
                aggregate(ctx, declared, reports.WON, group, measures)
        with pytest.raises(ComptoirError, match="no field"):
            tiles._closed_by(ctx, {}, reports.PERSON)


def test_writers_at_the_same_time_lose_nothing_of_each_other(stage: Stage) -> None:
    """Each adds rows of its own, while the job folds what is there; each also changes what another made."""
    deployment = stage.deployment
    with stage.system() as ctx:
        keep_summaries(ctx)
        shared = [Deal(name=f"Shared {number}", amount=Decimal(1)) for number in range(4)]
        save(ctx, shared)
        ids = [deal.id for deal in shared]
    barrier = threading.Barrier(5)

    def at_once(work: Callable[..., None]) -> None:
        barrier.wait()
        for number in range(6):
            perform(deployment, system_actor("test"), partial(work, number=number))

    def write(ctx: Context, number: int) -> None:
        save(ctx, [Deal(name="Tea bar", stage=at, amount=Decimal(number)) for at in ("won", "lost", "engaging")])
        deal = ctx.session.get_one(Deal, ids[number % len(ids)], with_for_update=True)
        deal.amount = Decimal(deal.amount or 0) + 1
        save(ctx, [deal])

    def put_together(ctx: Context, number: int) -> None:
        fold(ctx)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(at_once, work) for work in (*[write] * 4, put_together)]:
            done.result()
    with stage.system() as ctx:
        assert ctx.session.scalar(select(func.sum(Deal.amount)).where(Deal.id.in_(ids))) == 4 + 4 * 6
        assert ctx.session.scalar(select(func.count()).select_from(Deal)) == 4 + 4 * 6 * 3
        assert departed(ctx) == []
        keep_summaries(ctx)
        assert departed(ctx) == []
        assert shown(ctx) == counted(ctx)
