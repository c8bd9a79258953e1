"""What goes wrong around a deployment is said in one clear line, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.drill, pytest.mark.timeout(300)]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
EMAIL, PASSWORD = "admin@example.com", "comptoir-demo"


@pytest.fixture
def journey_database() -> None:
    """SQLite: these are failures of files, processes and ports."""


@pytest.fixture
def surroundings(commands: dict[str, str]) -> dict[str, str]:
    return commands


@pytest.fixture
def comptoir(tmp_path: Path, commands: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command on the deployment of this test; never a traceback, one line on stderr where it is refused."""

    def call(*arguments: object, status: int = 0, limit: str = "") -> subprocess.CompletedProcess[str]:
        command = ["comptoir", "--config", str(tmp_path / "comptoir.toml"), *map(str, arguments)]
        if limit:
            command = ["bash", "-c", f'{limit}; exec "$@"', "bash", *command]
        done = subprocess.run(command, env=commands, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, commands: dict[str, str]) -> Path:
    """A deployment that is copied for each test; its configuration names no folder outside its own."""
    folder = tmp_path_factory.mktemp("made")
    command = ["comptoir", "--config", str(folder / "comptoir.toml"), "init"]
    subprocess.run([*command, "--admin-email", EMAIL, "--admin-password", PASSWORD], env=commands, check=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path, made: Path) -> Path:
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def database(folder: Path) -> Path:
    [found] = folder.rglob("*.db")
    return found


def contacts(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        count: int = connection.execute("select count(*) from base_contact").fetchone()[0]
        return count


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_port_in_use_is_named(folder: Path, comptoir: Run) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = one_line(comptoir("serve", "--port", port, status=1))
    assert str(port) in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("line", "says"),
    [('colour = "red"', "colour"), ("workers = 'many'", "workers"), ("[server", "comptoir.toml")],
)
def test_a_bad_line_of_the_configuration_is_named(folder: Path, comptoir: Run, line: str, says: str) -> None:
    config = folder / "comptoir.toml"
    config.write_text(config.read_text() + f"\n[server]\n{line}\n")
    assert says in one_line(comptoir("modules", "list", status=1))


def test_a_locked_database_changes_nothing_and_says_so(folder: Path, database: Path, comptoir: Run) -> None:
    (folder / "people.csv").write_text("name\nA\nB\n")
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("begin immediate")
        said = one_line(comptoir("import", "base.contact", folder / "people.csv", status=1))
        holder.execute("rollback")
    assert "locked" in said or "busy" in said
    assert contacts(database) == 0
    comptoir("import", "base.contact", folder / "people.csv")
    assert contacts(database) == 2


def test_a_full_disk_changes_nothing_and_says_so(folder: Path, database: Path, comptoir: Run) -> None:
    (folder / "few.csv").write_text("name\nA\n")
    comptoir("import", "base.contact", folder / "few.csv")
    rows = "".join(f"Company {number},{'x' * 900}\n" for number in range(4000))
    (folder / "many.csv").write_text(f"name,notes\n{rows}")
    blocks = 512  # of 1,024 bytes, for every file that the command writes
    done = comptoir("import", "base.contact", folder / "many.csv", status=1, limit=f"ulimit -f {blocks}")
    assert "full" in done.stderr or "too large" in done.stderr.lower() or "I/O" in done.stderr
    assert contacts(database) == 1
    comptoir("import", "base.contact", folder / "many.csv")
    assert contacts(database) == 4001


def test_an_import_that_is_killed_goes_on_without_a_doubled_row(
    folder: Path, database: Path, comptoir: Run, commands: dict[str, str]
) -> None:
    rows = "".join(f"Company {number}\n" for number in range(3000))
    (folder / "many.csv").write_text(f"name\n{rows}")
    config, table = str(folder / "comptoir.toml"), str(folder / "many.csv")
    command = ["comptoir", "--config", config, "import", "base.contact", table]
    with subprocess.Popen(command, env=commands, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end and not contacts(database):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    [run] = json.loads(comptoir("imports", "list", "--json").stdout)
    assert contacts(database) == run["created"]
    if run["state"] == "running":
        comptoir("imports", "resume", run["id"])
    assert contacts(database) == 3000
    comptoir("imports", "undo", run["id"], "--yes")
    assert contacts(database) == 0


def children_of(pid: int) -> list[int]:
    return [int(part) for part in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_web_worker(pid: int) -> bool:
    return b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_killed_web_worker_is_replaced_while_the_others_answer(folder: Path, serve: Callable[..., Any]) -> None:
    server = serve(folder, "--workers", "2")
    workers = [pid for pid in children_of(server.process.pid) if is_web_worker(pid)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    answered = [server.ask("GET", "/login").status for _n in range(20)]
    assert set(answered) == {200}
    alive: list[int] = []
    end = time.monotonic() + 30
    while time.monotonic() < end:
        alive = [pid for pid in children_of(server.process.pid) if is_web_worker(pid)]
        if len(alive) == 2 and workers[0] not in alive:
            break
        time.sleep(0.1)
    assert len(alive) == 2
    assert {server.ask("GET", "/readyz").status for _n in range(10)} == {200}
    assert "Traceback" not in server.log.read_text()


def test_a_second_server_on_the_same_deployment_serves_beside_the_first(
    folder: Path, serve: Callable[..., Any]
) -> None:
    first, second = serve(folder, "--workers", "1"), serve(folder, "--workers", "1")
    cookies = first.sign_in(EMAIL, PASSWORD)
    for server in (first, second):
        assert server.ask("GET", "/base/contacts", None, cookies).status == 200
