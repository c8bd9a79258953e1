"""The plan of a module that is installed again offers what its uninstall exported."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from comptoir.deployment import Deployment
from comptoir.modules.uninstall import uninstall_modules
from comptoir.records.write import save
from comptoir.testing.platform import PASSWORD, Stage
from comptoir.web.app import create_app
from comptoir_catalog.models import Product

from .conftest import Browser

pytestmark = pytest.mark.modules("catalog")


@pytest.fixture
def export(deployment: Deployment, stage: Stage) -> Path:
    """The catalogue had a product and was uninstalled."""
    with stage.system() as ctx:
        save(ctx, [Product(code="P-1", name="Apple juice", price=4)])
    path = uninstall_modules(deployment, ["catalog"]).export
    assert path is not None
    return path


@pytest.fixture
def app(deployment: Deployment, export: Path) -> Flask:
    return create_app(deployment, deployment.registry)


def products(deployment: Deployment) -> list[str]:
    with deployment.system_context("look", write=False) as ctx:
        return list(ctx.session.scalars(select(Product.name)))


def test_the_plan_names_the_day_and_what_it_holds(administrator: Browser, export: Path) -> None:
    plan = administrator.get("/settings/modules/catalog/enable").text
    assert "Bring back the data that Catalogue had on 22 Nov" in plan
    assert "Products: 1" in plan
    assert f'name="restore" value="{export.name}"' in plan


def test_what_is_ticked_comes_back(administrator: Browser, deployment: Deployment, export: Path) -> None:
    administrator.get("/settings/modules/catalog/enable")
    wrong = administrator.post("/settings/modules/catalog/enable", {"password": "no", "restore": export.name})
    assert wrong.status_code == 422
    assert f'value="{export.name}" checked' in wrong.text
    answer = administrator.post("/settings/modules/catalog/enable", {"password": PASSWORD, "restore": export.name})
    assert answer.status_code == 303
    assert products(deployment) == ["Apple juice"]


def test_what_is_not_ticked_stays_away(administrator: Browser, deployment: Deployment) -> None:
    administrator.get("/settings/modules/catalog/enable")
    assert administrator.post("/settings/modules/catalog/enable", {"password": PASSWORD}).status_code == 303
    assert products(deployment) == []


@pytest.mark.parametrize("file", ["../comptoir.db", "/etc/passwd", "sales-20260101T000000.zip"])
def test_no_other_file_is_read(administrator: Browser, file: str) -> None:
    administrator.get("/settings/modules/catalog/enable")
    answer = administrator.post("/settings/modules/catalog/enable", {"password": PASSWORD, "restore": file})
    assert answer.status_code == 404


def test_a_damaged_file_is_refused_with_its_reason(
    administrator: Browser, deployment: Deployment, export: Path
) -> None:
    administrator.get("/settings/modules/catalog/enable")
    content = export.read_bytes()
    begin = content.index(b"catalog_product.jsonl") + 30
    export.write_bytes(
        content[:begin] + bytes(byte ^ 255 for byte in content[begin : begin + 8]) + content[begin + 8 :]
    )
    answer = administrator.post("/settings/modules/catalog/enable", {"password": PASSWORD, "restore": export.name})
    assert answer.status_code == 422
    assert "is damaged: catalog_product is not as it was written" in answer.text
    assert "catalog" not in deployment.registry.plugins
