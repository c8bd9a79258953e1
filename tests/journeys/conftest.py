"""Whole deployments, driven through their commands as an integrator drives them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comptoir.testing.postgres import PostgresUnavailable, fresh_database

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def commands() -> dict[str, str]:
    """The environment in which the commands of this installation are found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMPTOIR")}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Files of real companies that lie beside the repository."""
    folder = Path(os.environ.get("COMPTOIR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def journey_database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The url of an empty PostgreSQL database; None for SQLite in the folder of the journey."""
    if request.param == "sqlite":
        yield None
        return
    try:
        with fresh_database() as url:
            yield url
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def surroundings(commands: dict[str, str], journey_database: str | None) -> dict[str, str]:
    """The environment of a journey: the commands, and the database where it is not SQLite."""
    return commands | ({"COMPTOIR_DEPLOYMENT__DATABASE_URL": journey_database} if journey_database else {})


@pytest.fixture(scope="module")
def run(surroundings: dict[str, str]) -> Run:
    """Run a command to its end; it must succeed unless ``status`` says otherwise."""

    def call(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            env=surroundings, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return call
