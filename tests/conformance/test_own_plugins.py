"""The plugins of this repository keep what every plugin promises; on PostgreSQL too by `make conformance`."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_faults import LOOM

from comptoir.testing import Conformance

STRANGER = Path(__file__).parents[1] / "contracts" / "stranger"
LINTED = ("types.mypy",)
"""What `make lint` looks at."""


@pytest.mark.slow
class TestBase(Conformance):
    plugin = "base"
    engines = ("sqlite",)


@pytest.mark.slow
class TestCatalog(Conformance):
    plugin = "catalog"
    engines = ("sqlite",)
    without = LINTED


@pytest.mark.slow
class TestSales(Conformance):
    plugin = "sales"
    engines = ("sqlite",)
    without = LINTED


@pytest.mark.slow
class TestStranger(Conformance):
    """A third party's distribution, looked at where it lies."""

    plugin = str(STRANGER)
    without = LINTED


@pytest.mark.slow
class TestLoom(Conformance):
    """What every specimen is made from: without a fault it passes, so that a fault is all that a check can see."""

    plugin = str(LOOM)
    without = LINTED
