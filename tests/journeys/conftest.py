"""Whole deployments, driven through their commands as an integrator drives them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

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


class Server:
    """``comptoir serve`` as a process of its own, and a client for it."""

    def __init__(self, folder: Path, surroundings: dict[str, str], *options: str) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.log = folder / "server.log"
        self._output = self.log.open("wb")
        self.process = subprocess.Popen(
            ["comptoir", "--config", str(folder / "comptoir.toml"), "serve", "--port", str(self.port), *options],
            env=surroundings, stdout=self._output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._await()

    def _await(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.ask("GET", "/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        """One request on a connection of its own, so that any of the workers may answer; its body is in ``text``."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.text = answer.read().decode()  # type: ignore[attr-defined]
            return answer
        finally:
            connection.close()

    def until(self, path: str, headers: dict[str, str], holds: Callable[[HTTPResponse, str], bool]) -> str:
        """Load a page until it is as it should be; its text."""
        end, pause = time.monotonic() + 60, threading.Event()
        text: str = ""
        while time.monotonic() < end:
            answer = self.ask("GET", path, headers=headers)
            text = answer.text  # type: ignore[attr-defined]
            if holds(answer, text):
                return text
            pause.wait(0.05)
        raise AssertionError(f"{text}\n{self.log.read_text()}")

    def sign_in(self, email: str, password: str) -> dict[str, str]:
        """The headers of a browser that is signed in."""
        page = self.ask("GET", "/login")
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)  # type: ignore[attr-defined]
        assert found is not None
        fields = urlencode({"csrf_token": found[1], "email": email, "password": password})
        headers = {"Cookie": self._cookies(page), "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.ask("POST", "/login", fields, headers)
        assert answer.status == 303, answer.text  # type: ignore[attr-defined]
        return {"Cookie": self._cookies(answer)}

    @staticmethod
    def _cookies(answer: HTTPResponse) -> str:
        given = [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie") or ()]
        return "; ".join(given)

    def stop(self) -> int:
        """Ask it to stop, and wait until it has; its exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(timeout=40)
        finally:
            self.process.kill()
            self._output.close()
        return status


@pytest.fixture
def serve(surroundings: dict[str, str]) -> Iterator[Callable[..., Server]]:
    """Start a server on a deployment's folder; it is stopped at the end of the test."""
    started: list[Server] = []

    def start(folder: Path, *options: str) -> Server:
        started.append(Server(folder, surroundings, *options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()
