"""Every test of the repository: the fixtures come from `comptoir.testing`, as they do for a third party's plugin."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.drills import VARIABLE, table_of

SELDOM = (100_000, 20, 100)
"""How often the collector looks: a test builds a generation and throws it away, which a search of all objects costs dearly."""

STRANGER = Path(__file__).parent / "contracts" / "stranger"
LONG = (Path(__file__).parent / "test_examples.py", Path(__file__).parent / "journeys")
"""What takes long goes first, so that no process is left with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files before short ones."""
    items.sort(key=lambda item: not {item.path, item.path.parent}.intersection(LONG))


def pytest_collection_finish() -> None:
    """What stands when the tests begin stays to their end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of `make drill`."""
    if VARIABLE in os.environ:
        terminalreporter.section("drills")
        for line in table_of(terminalreporter.stats):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def _stranger_installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("stranger")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", str(target), str(STRANGER)],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return target


@pytest.fixture
def stranger(_stranger_installed: Path) -> Iterator[Path]:
    """A third party's distribution is installed: the module `loyalty` can be enabled. The folder it lies in."""
    sys.path.insert(0, str(_stranger_installed))
    importlib.invalidate_caches()
    try:
        yield _stranger_installed
    finally:
        sys.path.remove(str(_stranger_installed))
        importlib.invalidate_caches()
