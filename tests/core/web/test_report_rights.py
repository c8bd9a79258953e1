"""A report is offered to those who may read what it counts, whatever right its plugin asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.web.conftest import Browser

from comptoir.deployment import Deployment
from comptoir.modules.life_cycle import enable_modules, initialise
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing import platform
from comptoir.testing.platform import Clock, Stage
from comptoir.web.app import create_app

PLUGIN = """
from comptoir.base.models import Task
from comptoir.toolkit import Dimension, Manifest, Report, hookimpl

manifest = Manifest("Curious")


@hookimpl
def contribute():
    return [Report("curious.tasks", "Work of all", "Whose tasks.", Task, "base.contact.read", (Dimension("owner"),))]
"""


@pytest.fixture
def curious(tmp_path: Path) -> Iterator[Available]:
    """A plugin that offers a report of tasks to whoever sees contacts, on the import path."""
    package = tmp_path / "plugins" / "comptoir_curious"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PLUGIN)
    sys.path.insert(0, str(package.parent))
    yield Available("curious", "comptoir_curious.plugin", "1.0")
    sys.path.remove(str(package.parent))
    for name in [n for n in sys.modules if n.startswith("comptoir_curious")]:
        del sys.modules[name]


@pytest.fixture
def deployment(curious: Available, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    available = {**discover_plugins(), "curious": curious}
    opened = Deployment(platform.test_settings(database_url, tmp_path), clock=clock, discover=lambda: available)
    initialise(opened)
    enable_modules(opened, ["curious"])
    yield opened
    opened.close()


@pytest.mark.parametrize(("right", "status"), [("base.interaction.read", 404), ("base.task.read", 200)])
def test_a_report_needs_the_right_to_read_what_it_counts(deployment: Deployment, right: str, status: int) -> None:
    Stage(deployment).user("Ion", email="ion@example.org", grants={"base.contact.read": "all", right: "all"})
    ion: Any = Browser(create_app(deployment, deployment.registry).test_client())
    ion.sign_in("ion@example.org")
    assert ion.get("/reports/curious.tasks").status_code == status
    assert ("Work of all" in ion.get("/reports/base.contact").text) is (status == 200)
