"""A paused module says so where its pages were, and what it keeps stays within an administrator's reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from comptoir.access.tokens import create_token
from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import pause_modules
from comptoir.records.write import save
from comptoir.testing.platform import Stage
from comptoir.web.app import create_app
from comptoir_catalog.models import Product
from comptoir_sales.models import Deal

from .conftest import Browser

pytestmark = pytest.mark.modules("catalog", "sales")


@pytest.fixture
def app(deployment: Deployment, stage: Stage) -> Flask:
    with stage.system() as ctx:
        save(ctx, [Product(code="P-1", name="Apple juice", price=4)])
        save(ctx, [Deal(name="Offer for juice")])
    pause_modules(deployment, ["sales"])
    pause_modules(deployment, ["catalog"])
    return create_app(deployment, deployment.registry)


def test_its_pages_say_that_it_is_switched_off(administrator: Browser) -> None:
    answer = administrator.get("/catalog/products")
    assert answer.status_code == 404
    assert "Catalogue is switched off at the moment" in answer.text
    assert "its records are kept" in answer.text
    assert "switched off" not in administrator.get("/nonsense/products").text


def test_its_api_says_so_too(app: Flask, stage: Stage, make_user: Callable[..., Any]) -> None:
    user = make_user("Ana")
    with stage.system() as ctx:
        token, _row = create_token(ctx.bookkeeping("test"), user, "ERP", [], ctx.now())
    answer = app.test_client().get("/api/v1/catalog/products", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404
    assert "urn:comptoir:problem:core.module_paused" in answer.text


def test_an_administrator_reads_and_exports_what_it_keeps(administrator: Browser) -> None:
    assert "/settings/modules/catalog/data" in administrator.get("/settings/modules").text
    assert "Products" in administrator.get("/settings/modules/catalog/data").text
    assert "Apple juice" in administrator.get("/settings/modules/catalog/data/catalog.product").text
    for format_ in ("csv", "json", "xlsx"):
        answer = administrator.client.get(f"/settings/modules/catalog/data/catalog.product/export?format={format_}")
        assert answer.status_code == 200
        assert format_ == "xlsx" or b"Apple juice" in answer.data
    assert administrator.get("/settings/modules/catalog/data/catalog.product/export?format=pdf").status_code == 422
    assert "Offer for juice" in administrator.get("/settings/modules/sales/data/sales.deal/export").text
    assert "Data exported" in administrator.get("/settings/security").text


def test_what_is_not_there_is_not_found(administrator: Browser) -> None:
    for path in ("nonsense/data", "catalog/data/base.contact", "catalog/data/nonsense"):
        assert administrator.get(f"/settings/modules/{path}").status_code == 404, path


def test_others_do_not_reach_it(browser: Browser, make_user: Callable[..., Any]) -> None:
    make_user("Ion", email="ion@example.org", grants={"catalog.product.read": "all"})
    browser.sign_in("ion@example.org")
    for path in ("", "/catalog.product", "/catalog.product/export"):
        assert browser.get(f"/settings/modules/catalog/data{path}").status_code == 403


def test_a_plan_speaks_of_people_and_records(administrator: Browser, make_user: Callable[..., Any]) -> None:
    make_user("Ion", email="ion@example.org", grants={"catalog.product.read": "all"})
    plan = administrator.get("/settings/modules/catalog/resume").text
    told = plan.partition('class="kpis')[2].partition("<details")[0]
    assert "people work with it" in told
    assert "Products" in told
    assert "addresses" not in told.lower()
