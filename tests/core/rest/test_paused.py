"""What a paused module added to the records of others can still be taken away."""

from __future__ import annotations

import io
from typing import Any

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import pause_modules
from comptoir.records.query import Query
from comptoir.records.transfer import export_records
from comptoir.web.pages.admin.module_data import types_of


def test_the_fields_that_it_adds_to_contacts_are_exported_with_them(api: Any, deployment: Deployment) -> None:
    api.made("/base/contacts", name="Mega Fruct SRL", shop={"credit_limit": "500"})
    pause_modules(deployment, ["shop"])
    assert "shop.order" not in deployment.registry.record_types
    registry = deployment.registry_with_paused()
    assert {declared.name for declared in types_of(registry, "shop")} == {"shop.order", "base.contact"}
    target = io.BytesIO()
    with deployment.system_context("test", write=False, registry=registry) as ctx:
        export_records(ctx, registry.record_type("base.contact"), Query(), target)
    assert "shop.credit_limit" in target.getvalue().decode()
    assert "500" in target.getvalue().decode()
