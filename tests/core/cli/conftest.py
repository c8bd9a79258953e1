"""A deployment that was made by ``comptoir init``, and the command line to work on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comptoir.cli.run import run
from comptoir.testing.postgres import PostgresUnavailable, fresh_database, server_url

ADMIN = "admin@example.com"
PASSWORD = "a long enough secret"


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Runs commands on one configuration file."""

    config: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        status = run(["--config", str(self.config), *arguments])
        out, err = self.capsys.readouterr()
        return Ran(status, out, err)

    def done(self, *arguments: str) -> Ran:
        ran = self(*arguments)
        assert ran.status == 0, ran.err
        return ran

    def refused(self, *arguments: str, status: int = 1) -> str:
        """The one line that says why."""
        ran = self(*arguments)
        assert ran.status == status, ran
        assert "Traceback" not in ran.err
        if status == 1:
            assert ran.err.startswith("comptoir: "), ran.err
            assert ran.err.count("\n") == 1, ran.err
        return ran.err


def initialise(config: Path, url: str, more: Sequence[str] = ()) -> None:
    arguments = ["init", "--database-url", url, "--admin-email", ADMIN, "--admin-password", PASSWORD, *more]
    assert run(["--config", str(config), *arguments]) == 0


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration file of a deployment with sales, for a whole module of tests."""
    folder = tmp_path_factory.mktemp("acme")
    config = folder / "comptoir.toml"
    if request.param == "sqlite":
        initialise(config, f"sqlite:///{folder / 'comptoir.db'}", ["--modules", "sales"])
        yield config
        return
    try:
        server_url()
    except PostgresUnavailable as reason:
        pytest.skip(str(reason))
    with fresh_database() as url:
        initialise(config, url, ["--modules", "sales"])
        yield config


@pytest.fixture
def comptoir(made: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line on the deployment of the module."""
    return CommandLine(made, capsys)


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line where nothing is yet."""
    return CommandLine(tmp_path / "new" / "comptoir.toml", capsys)
