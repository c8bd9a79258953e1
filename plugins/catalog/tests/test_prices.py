"""What a product costs, by list, day and quantity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from comptoir.context import Context
from comptoir.errors import NotAllowed, NotFound, RuleViolations
from comptoir.testing.platform import Stage
from comptoir.toolkit import save
from comptoir_catalog.models import PriceList, PriceListLine, Product
from comptoir_catalog.services import price_of, valid_price_lists

pytestmark = pytest.mark.modules("catalog")
SPRING, SUMMER = dt.date(2026, 3, 1), dt.date(2026, 6, 1)


@pytest.fixture
def oven(ctx: Context) -> Product:
    made = Product(name="Deck oven", code=" OVN-3 ", price=Decimal(9150))
    save(ctx, [made])
    return made


def price_list(ctx: Context, *lines: PriceListLine, **values: Any) -> PriceList:
    made = PriceList(name="Partners", prices=list(lines), **values)
    save(ctx, [made])
    return made


def line(product: Product, price: int, **values: Any) -> PriceListLine:
    return PriceListLine(product_id=product.id, price=Decimal(price), **values)


def test_a_product_is_priced_in_the_currency_of_the_deployment(oven: Product) -> None:
    assert (oven.currency, oven.code, oven.unit) == ("EUR", "OVN-3", "piece")


def test_without_a_list_the_list_price_holds(ctx: Context, oven: Product) -> None:
    found = price_of(ctx, oven)
    assert (found.amount, found.currency, found.price_list_id) == (Decimal(9150), "EUR", None)


def test_the_largest_quantity_that_is_reached_decides(ctx: Context, oven: Product) -> None:
    partners = price_list(ctx, line(oven, 8900), line(oven, 8500, minimum_quantity=Decimal(5)))
    assert price_of(ctx, oven, price_list=partners, quantity=4).amount == Decimal(8900)
    assert price_of(ctx, oven, price_list=partners, quantity=5).amount == Decimal(8500)


def test_a_list_holds_between_its_days(ctx: Context, oven: Product) -> None:
    partners = price_list(ctx, line(oven, 8900), valid_from=SPRING, valid_until=SUMMER)
    for day, price in (
        (SPRING, 8900),
        (SUMMER, 8900),
        (SUMMER + dt.timedelta(days=1), 9150),
        (SPRING - dt.timedelta(days=1), 9150),
    ):
        assert price_of(ctx, oven, price_list=partners, on=day).amount == price
    assert list(valid_price_lists(ctx, on=SPRING)) == [partners]
    assert list(valid_price_lists(ctx)) == []


def test_prices_of_one_product_may_follow_each_other(ctx: Context, oven: Product) -> None:
    partners = price_list(
        ctx, line(oven, 8900, valid_until=SUMMER), line(oven, 8700, valid_from=SUMMER + dt.timedelta(days=1))
    )
    assert price_of(ctx, oven, price_list=partners).amount == Decimal(8700)


def test_a_product_has_no_two_prices_on_one_day(ctx: Context, oven: Product) -> None:
    with pytest.raises(RuleViolations) as refused:
        price_list(ctx, line(oven, 8900, valid_until=SUMMER), line(oven, 8700, valid_from=SUMMER))
    assert list(refused.value.by_field()) == ["prices.1.price"]


def test_a_product_without_any_price_says_so(ctx: Context) -> None:
    product = Product(name="On request")
    save(ctx, [product])
    with pytest.raises(NotFound):
        price_of(ctx, product)


def test_a_code_is_given_once(ctx: Context, oven: Product) -> None:
    with pytest.raises(RuleViolations) as refused:
        save(ctx, [Product(name="Other", code="OVN-3")])
    assert list(refused.value.by_field()) == ["code"]
    save(ctx, [Product(name="No code", code=""), Product(name="No code either", code="")])


def test_costs_are_for_those_who_may_see_them(stage: Stage, make_user: Callable[..., Any]) -> None:
    keeper = make_user("Radu", grants={"catalog.product.read": "all", "catalog.product.create": "all"})
    with stage.acting(keeper) as acting:
        assert "cost" in acting.registry.record_type(Product).hidden_fields(acting.actor.grants)
        with pytest.raises(NotAllowed):
            save(acting, [Product(name="Oven", cost=Decimal(1))])
