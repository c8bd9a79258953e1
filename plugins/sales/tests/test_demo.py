"""The demonstration comes and goes without trace."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from comptoir.base.models import Contact
from comptoir.deployment import Deployment
from comptoir.modules.demo import load_demo, remove_demo
from comptoir.toolkit import User
from comptoir_catalog.models import Product
from comptoir_sales.models import Deal, Lead

pytestmark = pytest.mark.modules("catalog", "sales")
MODELS = (Contact, User, Product, Lead, Deal)


def counts(deployment: Deployment) -> list[int]:
    with deployment.system_context("test", write=False) as ctx:
        return [ctx.session.scalar(select(func.count()).select_from(model)) or 0 for model in MODELS]


def test_what_seed_demo_creates_leaves_nothing_behind(deployment: Deployment) -> None:
    before = counts(deployment)
    load_demo(deployment)
    contacts, users, products, leads, deals = counts(deployment)
    assert (contacts, users, products, leads, deals) == (150, 6, 16, 24, 220)
    remove_demo(deployment)
    assert counts(deployment) == before
