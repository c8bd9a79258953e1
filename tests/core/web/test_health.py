"""What watches a deployment from outside gets an answer without signing in."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.modules("catalog")
def test_a_deployment_in_order_is_alive_and_ready(client: Any) -> None:
    assert client.get("/healthz").text == "ok\n"
    ready = client.get("/readyz")

    assert ready.status_code == 200
    assert "migrations: ok" in ready.text


def test_a_deployment_with_a_waiting_migration_is_not_ready(client: Any, deployment: Any) -> None:
    with deployment.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version_base")

    ready = client.get("/readyz")

    assert ready.status_code == 503
    assert "run: comptoir upgrade" in ready.text


@pytest.mark.modules("catalog")
def test_the_figures_are_for_near_addresses_only(client: Any) -> None:
    near = client.get("/metrics")
    far = client.get("/metrics", environ_overrides={"REMOTE_ADDR": "8.8.8.8"})

    assert 'comptoir_modules{state="running"} 2' in near.text
    assert far.status_code == 404
