"""The dashboard's figures come from summaries, and are those of the deals whatever happened to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from comptoir.context import Context, unrestricted
from comptoir.records.summaries import departing, forget_summaries, keep_summaries
from comptoir.toolkit import save
from comptoir_sales import tiles
from comptoir_sales.models import SUMMARIES, Deal

pytestmark = pytest.mark.modules("catalog", "sales")
PERIODS = ({}, {"period": "week"}, {"period": "month"}, {"period": "quarter"}, {"period": "year"})
SHOWN = (tiles.kpis, tiles.pipeline, tiles.win_rate, tiles.funnel, tiles.people, tiles.products)


def shown(ctx: Context) -> list[Any]:
    """Everything that the tiles of sales say, of every period."""
    found = []
    for options in PERIODS:
        for tile in SHOWN:
            found.append(tile(ctx, options))
            ctx._kept.clear()
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


def test_the_dashboard_of_all_time_reads_no_deal(ctx: Context) -> None:
    keep_summaries(ctx)
    save(ctx, [Deal(name="Tea bar", stage=stage, amount=Decimal(100)) for stage in ("won", "lost", "engaging")])
    with reading(ctx) as statements:
        for tile in SHOWN:
            tile(ctx, {})
    assert statements == []


def test_without_summaries_the_deals_themselves_are_counted(ctx: Context) -> None:
    save(ctx, [Deal(name="Tea bar", stage="won", amount=Decimal(100))])
    keep_summaries(ctx)
    told = shown(ctx)
    forget_summaries(unrestricted(ctx, "test"))
    ctx._kept.clear()
    with reading(ctx) as statements:
        assert shown(ctx) == told
    assert statements
