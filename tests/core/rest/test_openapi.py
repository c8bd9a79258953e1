"""The description of the API: exactly what there is, and what it says holds for every answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from tests.drills import LONGER

from comptoir.registry.registry import Registry, build_registry
from comptoir.rest import routes
from comptoir.rest.openapi import build_document
from comptoir.testing.platform import Stage


@pytest.fixture
def document(api: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json
    return found


def test_the_document_describes_the_record_types_of_the_enabled_modules(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    paths = document["paths"]
    assert {"get", "post"} <= set(paths["/api/v1/shop/orders"])
    assert {"get", "patch", "delete"} <= set(paths["/api/v1/shop/orders/{id}"])
    assert "/api/v1/base/contacts/aggregate" in paths
    assert "/api/v1/base/contacts/{id}/transitions" not in paths
    order = document["components"]["schemas"]["shop.order"]["properties"]
    assert order["amount"]["type"] == ["string", "null"]
    assert document["components"]["schemas"]["base.contact"]["properties"]["shop"]["properties"]["credit_limit"]
    written = document["components"]["schemas"]["shop.order.create"]
    assert written["required"] == ["number"]
    assert written["additionalProperties"] is False
    assert not {"id", "created_at", "version"} & set(written["properties"])


def test_a_module_that_is_off_is_in_no_path_and_no_schema(registry_without_shop: Registry) -> None:
    document = build_document(registry_without_shop, routes(registry_without_shop))
    assert "shop" not in str(document)


@pytest.fixture
def registry_without_shop() -> Registry:
    from comptoir.registry.discover import discover_plugins

    return build_registry(discover_plugins(), [])


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found: Any = document
                for step in value["$ref"].removeprefix("#/").split("/"):
                    found = found[step]
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(document)


def test_every_route_of_the_table_is_described_and_served(app: Flask, document: dict[str, Any]) -> None:
    table = routes(app.extensions["comptoir"].registry)
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert {(route.method, route.path) for route in table} == described
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    rules = {(r.method, r.path.replace("{id}", "<record:record_id>").replace("{action}", "<name>")) for r in table}
    assert rules <= served
    assert {path for _method, path in served if path.startswith("/api/v1/")} == {path for _m, path in rules} | {
        "/api/v1/openapi.json",
        "/api/v1/security-events",
    }
    assert all(route.permission and not route.public for route in table)


def test_a_person_reads_the_description_as_a_page(app: Flask, stage: Stage, sign_in_cookie: Callable[..., str]) -> None:
    client = app.test_client()
    assert client.get("/api/docs").status_code == 303
    client.set_cookie("comptoir", sign_in_cookie(stage.user("Ana", grants={"shop.order.read": "own"})))
    answer = client.get("/api/docs")
    assert answer.status_code == 200, answer.text[:500]
    assert "/api/v1/shop/orders/{id}/actions/{action}" in answer.text
    assert "shop.order.create" in answer.text


@pytest.fixture
def sign_in_cookie(stage: Stage) -> Callable[..., str]:
    from comptoir.access.sessions import open_session

    def open_for(user: Any) -> str:
        with stage.system() as ctx:
            return open_session(ctx.bookkeeping("test"), user, ctx.now())[0]

    return open_for


@pytest.mark.slow
@pytest.mark.drill
@pytest.mark.timeout(120 * LONGER)
@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_generated_requests_find_no_fault_and_no_answer_that_the_document_does_not_allow(
    app: Flask, api_for: Callable[..., Any]
) -> None:
    import schemathesis
    from schemathesis.checks import CHECKS, load_all_checks
    from schemathesis.core.result import Ok
    from schemathesis.generation import GenerationMode

    load_all_checks()
    # ids of records and rules of plugins are beyond a schema: what fits it may still be refused
    beyond = {"positive_data_acceptance", "ignored_auth"}
    checks = [check for check in CHECKS.get_all() if check.__name__ not in beyond]
    api = api_for(administrator=True)
    for number in range(9):
        contact = api.made("/base/contacts", name="Acme", phones=[{"number": "+31 20 123 4567"}])
        api.made("/shop/orders", number=f"A-{number}", contact_id=contact["id"], lines=[{"product": "Tea"}])
    # the generator says that it understands gzip, and reads the answer as it comes
    headers = {"Authorization": f"Bearer {api.token}", "Accept-Encoding": "identity"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers=headers)
    statuses: set[int] = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.startswith(("/api/v1/base/interactions", "/api/v1/base/appointments")):
            continue  # the same code as for tasks
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=3 * LONGER,
                derandomize=LONGER == 1,  # `make test` asks the same each time
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Any) -> None:
                if case.meta.generation.mode is GenerationMode.POSITIVE and "id" in case.path_parameters:
                    case.path_parameters["id"] = 5  # one that is there
                statuses.add(case.call_and_validate(headers=headers, checks=checks).status_code)

            ask()
    assert {200, 201, 204, 404, 422} <= statuses
