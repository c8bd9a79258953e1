"""From nothing to a deployment, by the real program."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from comptoir.access.sessions import sign_in
from comptoir.access.users import find_user
from comptoir.deployment import Deployment

from .conftest import ADMIN, PASSWORD, CommandLine, Ran


def program(config: Path, *arguments: str, **environment: str) -> Ran:
    """Run the console script in a process of its own."""
    script = Path(sys.executable).with_name("comptoir")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "comptoir.cli"]
    done = subprocess.run(
        [*command, "--config", str(config), *arguments],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_from_an_empty_folder_to_a_working_deployment(tmp_path: Path, database_url: str) -> None:
    config = tmp_path / "acme" / "comptoir.toml"
    made = program(
        config, "init", "--database-url", database_url, "--admin-email", ADMIN, "--admin-password", PASSWORD,
        "--modules", "sales",
    )  # fmt: skip
    assert (made.status, made.err) == (0, "")
    assert "Enabled: catalog, sales." in made.out
    assert program(config, "check").status == 0
    assert [row["email"] for row in program(config, "users", "list", "--json").rows] == [ADMIN]
    token = program(config, "tokens", "create", "--user", ADMIN)
    assert token.out.startswith("ct_")
    assert program(config, "modules", "pause", "sales").status == 0
    states = {row["name"]: row["state"] for row in program(config, "modules", "list", "--json").rows}
    assert states["sales"] == "paused"


def test_secrets_are_readable_by_their_owner_alone(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    folder = fresh.config.parent
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir() if path.is_file()} == {
        "comptoir.toml": "0o600",
        "comptoir.key": "0o600",
    }


def test_the_configuration_is_complete_and_relative(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    written = tomllib.loads(fresh.config.read_text())
    assert written["deployment"]["name"] == "new"
    assert written["deployment"]["database_url"] == "sqlite:///data/comptoir.db"
    assert (fresh.config.parent / "data" / "comptoir.db").exists()


def test_the_country_stands_in_the_configuration_and_is_never_guessed(fresh: CommandLine, tmp_path: Path) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    assert "country" not in tomllib.loads(fresh.config.read_text())["deployment"]
    dutch = CommandLine(tmp_path / "dutch" / "comptoir.toml", fresh.capsys)
    dutch.done("init", "--admin-password", PASSWORD, "--country", "NL")
    assert tomllib.loads(dutch.config.read_text())["deployment"]["country"] == "NL"
    assert "deployment.country" in dutch.refused("init", "--admin-password", PASSWORD, "--country", "BE")


def test_a_country_that_is_none_leaves_nothing_behind(fresh: CommandLine) -> None:
    assert "deployment.country" in fresh.refused("init", "--admin-password", PASSWORD, "--country", "Holland")
    assert not fresh.config.exists()


def test_a_folder_with_quotes_in_its_name_is_no_obstacle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comptoir = CommandLine(tmp_path / 'o"d\\d țară' / "comptoir.toml", capsys)
    comptoir.done("init", "--admin-password", PASSWORD)
    comptoir.done("check")


def test_initialising_again_changes_nothing(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    key = fresh.config.with_suffix(".key").read_bytes()
    again = fresh.done("init")
    assert "Administrator:" not in again.out
    assert fresh.config.with_suffix(".key").read_bytes() == key
    assert len(fresh.done("users", "list", "--json").rows) == 1


def test_a_second_administrator_can_be_made_later(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    fresh.done("init", "--admin-email", "boss@example.com", "--admin-password", PASSWORD)
    assert len(fresh.done("users", "list", "--json").rows) == 2


def test_a_made_up_password_is_shown_once_and_works(fresh: CommandLine) -> None:
    shown = fresh.done("init", "--admin-email", ADMIN).out
    secret = next(line for line in shown.splitlines() if ADMIN in line).split()[5].rstrip(".")
    deployment = Deployment.open(fresh.config)
    with deployment.system_context("test") as ctx:
        user = find_user(ctx.bookkeeping("test"), ADMIN)
        assert sign_in(ctx.bookkeeping("test"), ADMIN, secret, ctx.now()) is user
    deployment.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--modules", "sales,nothere"], "There is no module nothere. Installed: base"),
        (["--admin-password", "short"], "at least 10 characters"),
        (["--admin-email", "nobody"], "no e-mail address"),
        (["--database-url", "mysql://localhost/x"], "use sqlite:///"),
        (["--database-url", "nonsense"], "database_url"),
        (["--database-url", "postgresql+psycopg://nobody@127.0.0.1:1/none"], "does not answer"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_no_configuration(
    fresh: CommandLine, arguments: list[str], says: str
) -> None:
    given = [] if "--admin-password" in arguments else ["--admin-password", PASSWORD]
    assert says in fresh.refused("init", *given, *arguments)
    assert not fresh.config.exists()


def test_an_existing_configuration_is_not_overruled(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    assert "names another database" in fresh.refused("init", "--database-url", "sqlite:///other.db")
    assert fresh.config.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    comptoir = CommandLine(tmp_path / "file" / "comptoir.toml", capsys)
    assert "cannot be written" in comptoir.refused("init")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in CommandLine(tmp_path / "comptoir.toml", capsys).refused("init")


def test_the_environment_chooses_the_database(
    fresh: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPTOIR_DEPLOYMENT__DATABASE_URL", database_url)
    fresh.done("init", "--admin-password", PASSWORD)
    assert database_url not in fresh.config.read_text()
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select email from core_user").scalar() == ADMIN
    engine.dispose()


# -- serving ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(fresh: CommandLine) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of a new deployment in a process group of its own, and its address."""
    fresh.done("init", "--admin-email", ADMIN, "--admin-password", PASSWORD)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "comptoir.cli", "--config", str(fresh.config), "serve", "--port", str(port)]
    with (fresh.config.parent / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, text=True, start_new_session=True)
        try:
            yield server, f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def until(true: Callable[[], bool], seconds: float = 45) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.2)
    return False


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def members(group: int) -> int:
    """How many processes of a group live."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid="], capture_output=True, text=True, check=True).stdout
    return listed.split().count(str(group))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_the_server_answers_works_and_ends_with_all_its_processes(
    served: tuple[subprocess.Popen[str], str], fresh: CommandLine
) -> None:
    server, url = served
    assert until(lambda: answers(f"{url}/login"))
    assert until(lambda: {row["part"]: row["state"] for row in fresh("check", "--json").rows}["jobs"] == "ok")
    assert "cannot be used" in fresh.refused("serve", "--port", url.rpartition(":")[2])
    server.terminate()
    assert server.wait(timeout=30) == 0
    assert until(lambda: members(server.pid) == 0)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_a_killed_server_leaves_no_worker_behind(served: tuple[subprocess.Popen[str], str]) -> None:
    server, url = served
    assert until(lambda: answers(f"{url}/login"))
    assert until(lambda: members(server.pid) >= 3)
    server.kill()
    server.wait()
    assert until(lambda: members(server.pid) == 0)
