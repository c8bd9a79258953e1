"""What the catalogue adds beside its lists: where its keepers begin, and what a product costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.testing.platform import Stage
from comptoir.toolkit import save
from comptoir_catalog.models import PriceList, PriceListLine, Product

pytestmark = pytest.mark.modules("catalog")
KEEPER = {f"catalog.{record}.{action}": "all" for record in ("product", "price_list") for action in ("read", "write")}


@pytest.fixture
def oven(stage: Stage) -> int:
    with stage.system() as ctx:
        made = Product(name="Deck oven", price=Decimal(9150))
        save(ctx, [made])
        lines = [PriceListLine(product_id=made.id, price=Decimal(8000), minimum_quantity=Decimal(2))]
        save(ctx, [PriceList(name="Partners", prices=lines)])
        return made.id


@pytest.fixture
def keeper(client: Any, sign_in: Any, stage: Stage) -> Any:
    sign_in(stage.user("Ana", grants=KEEPER, email="ana@example.org"))
    return client


def test_choose_home_brings_whoever_keeps_products_alone_to_the_products(keeper: Any) -> None:
    assert keeper.get("/").headers["Location"] == "/catalog/products"


def test_choose_home_leaves_everybody_else_at_the_dashboard(client: Any, sign_in: Any, stage: Stage) -> None:
    sign_in(stage.user("Radu", grants={**KEEPER, "base.contact.read": "all"}, email="radu@example.org"))

    assert client.get("/").status_code == 200


def test_the_page_of_prices_shows_what_a_product_costs_in_each_list(keeper: Any, oven: int) -> None:
    page = keeper.get(f"/catalog/products/{oven}/prices").text

    assert "Deck oven" in page
    assert "Partners" in page
    assert "9,150" in page


def test_the_page_of_a_product_leads_to_its_prices(keeper: Any, oven: int) -> None:
    assert f"/catalog/products/{oven}/prices" in keeper.get(f"/catalog/products/{oven}?whole=1").text


def test_the_page_of_prices_is_closed_to_whoever_sees_no_price_lists(
    client: Any, sign_in: Any, stage: Stage, oven: int
) -> None:
    sign_in(stage.user("Radu", grants={"catalog.product.read": "all"}, email="radu@example.org"))

    assert client.get(f"/catalog/products/{oven}/prices").status_code == 403


def test_the_api_tells_the_price_of_a_quantity(keeper: Any, oven: int) -> None:
    path = f"/api/v1/catalog/products/{oven}/price"

    assert keeper.get(path).json == {"amount": "9150.00", "currency": "EUR", "price_list_id": None}
    assert keeper.get(f"{path}?price_list_id=1&quantity=2").json["amount"] == "8000.00"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("on=yesterday", "on"),
        ("price_list_id=one", "price_list_id"),
        ("quantity=NaN", "quantity"),
        ("colour=red", "colour"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_refused_at_its_name(keeper: Any, oven: int, query: str, field: str) -> None:
    refused = keeper.get(f"/api/v1/catalog/products/{oven}/price?{query}")

    assert refused.status_code == 422
    assert list(refused.json["errors"]) == [field]


def test_the_api_refuses_whoever_lacks_the_permission_of_an_address(
    client: Any, sign_in: Any, stage: Stage, oven: int
) -> None:
    sign_in(stage.user("Radu", grants={"base.contact.read": "all"}, email="radu@example.org"))

    assert client.get(f"/api/v1/catalog/products/{oven}/price").status_code == 403


def test_an_address_of_a_plugin_stands_in_the_openapi_document(keeper: Any) -> None:
    described = keeper.get("/api/v1/openapi.json").json["paths"]["/api/v1/catalog/products/{id}/price"]

    assert [parameter["name"] for parameter in described["get"]["parameters"]] == ["on", "price_list_id", "quantity"]
    assert [part["name"] for part in described["parameters"]] == ["id"]
