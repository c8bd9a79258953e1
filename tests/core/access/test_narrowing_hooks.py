"""Plugins take rights away from everyone: from whole statements, and from single deeds with a reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ColumnElement, FromClause, func, select

from comptoir.access.models import User
from comptoir.deployment import Deployment
from comptoir.records.summaries import keep_summaries
from comptoir.testing.platform import Stage
from comptoir.toolkit import Compare, Context, NotAllowed, Record, aggregate, delete, hookimpl, reader_id, save
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")
RIGHTS = {"sales.deal.read": "all", "sales.deal.write": "all", "sales.deal.delete": "all"}


class Discretion:
    """A plugin for which large deals are their owners' business, and sales stay on record."""

    @hookimpl
    def narrow_query(self, model: type[Record], table: FromClause) -> ColumnElement[bool] | None:
        if model is not Deal:
            return None
        return (table.c.amount < 1_000_000) | (table.c.owner_id == reader_id())

    @hookimpl
    def forbid_action(self, ctx: Context, action: str, record: Record | None) -> str | None:
        if action == "sales.deal.delete" and isinstance(record, Deal) and record.outcome == "won":
            return "A sale stays on record."
        return None


@pytest.fixture
def ana(deployment: Deployment, stage: Stage, make_user: Callable[..., User]) -> User:
    """The owner of a large deal, a small one and one that was won."""
    deployment.registry.manager.register(Discretion(), name="discretion")
    person = make_user("Ana", grants=RIGHTS)
    with stage.system() as ctx:
        amounts: dict[str, Any] = {"large": 2_000_000, "small": 5, "won": 7}
        deals = [Deal(name=n, amount=Decimal(a), owner_id=person.id) for n, a in amounts.items()]
        deals[2].stage = "won"
        save(ctx, deals)
    return person


def test_a_narrowed_row_is_absent_from_lists_and_sums(ana: User, stage: Stage, make_user: Callable[..., User]) -> None:
    radu = make_user("Radu", grants=RIGHTS)
    for reader, names, total in ((ana, ["large", "small", "won"], 2_000_012), (radu, ["small", "won"], 12)):
        with stage.acting(reader, write=False) as ctx:
            assert ctx.session.scalars(select(Deal.name).order_by(Deal.id)).all() == names
            assert ctx.session.scalar(select(func.sum(Deal.amount))) == total


def test_a_narrowed_row_is_in_no_summary_either(ana: User, stage: Stage, make_user: Callable[..., User]) -> None:
    radu = make_user("Radu", grants=RIGHTS)
    with stage.system() as ctx:
        keep_summaries(ctx)
    for reader, number in ((ana, 2), (radu, 1)):
        with stage.acting(reader, write=False) as ctx:
            deals, still_open = ctx.registry.record_type(Deal), Compare("outcome", "eq", "open")
            assert [row["count"] for row in aggregate(ctx, deals, still_open, ("outcome",))] == [number]


def test_a_forbidden_deed_is_refused_with_the_reason(ana: User, stage: Stage) -> None:
    with stage.acting(ana) as ctx:
        small, won = ctx.session.scalars(select(Deal).where(Deal.name.in_(["small", "won"])).order_by(Deal.id))
        with pytest.raises(NotAllowed, match="stays on record"):
            delete(ctx, [won])
        delete(ctx, [small])
        assert ctx.session.scalars(select(Deal.name).order_by(Deal.id)).all() == ["large", "won"]
