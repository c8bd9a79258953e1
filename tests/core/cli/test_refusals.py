"""Whatever goes wrong is one line that says what to do; never a traceback."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from comptoir.cli.run import TRACEBACK, run

from .conftest import CommandLine, initialise


@pytest.fixture
def own(fresh: CommandLine) -> CommandLine:
    """A SQLite deployment that the test may damage."""
    fresh.config.parent.mkdir()
    initialise(fresh.config, f"sqlite:///{fresh.config.parent / 'comptoir.db'}")
    return fresh


def database(comptoir: CommandLine) -> Path:
    return comptoir.config.parent / "comptoir.db"


def test_a_missing_configuration_says_how_to_make_one(fresh: CommandLine) -> None:
    assert f"comptoir --config {fresh.config} init" in fresh.refused("users", "list")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[deployment]\nnaem = 'x'", "deployment.naem"),
        ("[deploiment]\nname = 'x'", "deploiment"),
        ("name = 'x'", "name"),
        ("[deployment\n", "not valid TOML"),
        ("[server]\nworkers = 'many'", "server.workers"),
        ("[deployment]\ntimezone = 'Mars/Olympus'", "deployment.timezone"),
        ("[deployment]\nlanguage = 'tlh'", "deployment.language"),
        ("[deployment]\ncurrency = 'lei'", "deployment.currency"),
        ("[deployment]\ncountry = 'Romania'", "deployment.country"),
        ("[deployment]\ncountry = 'EU'", "deployment.country"),
        ("[deployment]\ndatabase_url = 'x'", "database_url"),
        ("\x00", "TOML"),
        ("[deployment]\nname = '\udce9'", "TOML"),
    ],
)
def test_a_bad_configuration_names_the_key(fresh: CommandLine, text: str, says: str) -> None:
    fresh.config.parent.mkdir()
    fresh.config.write_bytes(text.encode(errors="surrogateescape"))
    assert says in fresh.refused("users", "list")


def test_an_unknown_key_of_the_environment_is_named(own: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_DEPLOYMENT__COLOUR", "red")
    assert "deployment.colour" in own.refused("users", "list")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothere"], ["users"], ["users", "nothere"], ["users", "add"], ["users", "list", "--nothere"], ["modules", "enable"],
        ["serve", "--port", "many"], ["serve", "--port", "70000"], ["tokens", "create"], ["jobs", "run"],
        ["jobs", "replay"], ["plugin", "revision", "sales"], ["users", "roles", "--grant", "Employee"],
    ],
)  # fmt: skip
def test_wrong_usage_is_status_two(fresh: CommandLine, arguments: list[str]) -> None:
    assert "Usage: comptoir" in fresh.refused(*arguments, status=2)


@pytest.mark.parametrize("arguments", [["--help"], ["users", "--help"], ["serve", "-h"], ["--version"]])
def test_help_needs_no_deployment(tmp_path: Path, arguments: list[str]) -> None:
    # a process of its own: what help imports must not depend on what other tests imported before
    command = [sys.executable, "-m", "comptoir.cli", *arguments]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_an_empty_database_says_how_to_fill_it(own: CommandLine) -> None:
    database(own).unlink()
    assert "comptoir init" in own.refused("users", "list")
    assert "is empty" in own.refused("serve", "--port", str(free_port()))


def test_a_file_that_is_no_database_is_named(own: CommandLine) -> None:
    for suffix in ("", "-wal", "-shm"):
        database(own).with_name(database(own).name + suffix).unlink(missing_ok=True)
    database(own).write_text("Dear diary, " * 1000)
    assert "is not a database" in own.refused("users", "list")


def test_a_locked_database_asks_to_try_again(own: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comptoir.db.engine.BUSY_SECONDS", 0)
    holder = sqlite3.connect(database(own), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert "locked by another process" in own.refused("users", "add", "ion@example.com")
    finally:
        holder.close()


def test_a_full_disk_changes_nothing(own: CommandLine) -> None:
    def fill(connection: sqlite3.Connection, _record: object) -> None:
        used = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {used + 8}")

    event.listen(Engine, "connect", fill)
    try:
        assert "cannot write" in own.refused("modules", "enable", "catalog")
    finally:
        event.remove(Engine, "connect", fill)
    own.done("check")
    own.done("modules", "enable", "catalog")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_database_that_cannot_be_written_is_named(own: CommandLine) -> None:
    database(own).chmod(0o400)
    assert "cannot be written" in own.refused("users", "add", "ion@example.com")


def test_a_database_that_is_away_is_named(own: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_DEPLOYMENT__DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    for arguments in (["users", "list"], ["serve", "--port", str(free_port())], ["worker"], ["modules", "list"]):
        assert "does not answer" in own.refused(*arguments)


def test_a_port_in_use_is_named(own: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} on 127.0.0.1 cannot be used" in own.refused("serve", "--port", str(port))


def test_a_folder_without_deployments_is_named(own: CommandLine, tmp_path: Path) -> None:
    assert "no *.toml" in own.refused("serve", "--deployments", str(tmp_path))


def test_a_fault_of_our_own_is_one_line_too(own: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("comptoir.access.users.list_users", broken)
    assert "ZeroDivisionError" in own.refused("users", "list")
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError):
        run(["--config", str(own.config), "users", "list"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_reader_who_has_seen_enough_does_not_stop_the_work(fresh: CommandLine) -> None:
    script = f"{sys.executable} -m comptoir.cli --config '{fresh.config}' init --admin-password 'a long enough secret' | head -c 1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("W", "")
    fresh.done("check")
