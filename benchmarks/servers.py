"""Server processes: started on a free port, asked over keep-alive connections, their time and memory read from /proc."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60


class Failed(Exception):
    """A server gave another answer than the measure expects."""


class Client:
    """One connection that is kept alive."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = dict(headers or {})

    def __call__(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of the answer; raises `Failed` for anything but success."""
        status, content = self.ask(path, method, body, headers)
        if not 200 <= status < 300:
            raise Failed(f"{method} {path}: {status} {content[:300]!r}")
        return content

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body; a connection that the server gave up between two requests is opened again."""
        for last in (False, True):
            try:
                self._connection.request(method, path, body, {**self._headers, **(headers or {})})
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._connection.close()
                if last:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def workers(self) -> list[int]:
        """The ids of its worker processes, the children of gunicorn."""
        own = self.process.pid
        listed = Path(f"/proc/{own}/task/{own}/children")
        return [int(name) for name in listed.read_text().split()] if listed.exists() else []

    def processor_seconds(self) -> float:
        """The processor time that its workers have used, to the nanosecond where the kernel says so."""
        return sum(_processor_seconds(worker) for worker in self.workers)

    def all_processor_seconds(self) -> float:
        """As `processor_seconds`, with that of the process that started the workers."""
        return self.processor_seconds() + _processor_seconds(self.process.pid)

    def memory(self) -> float:
        """Resident mebibytes of its largest worker."""
        return max((mebibytes("VmRSS", worker) for worker in self.workers), default=0.0)

    def own_memory(self) -> float:
        """Mebibytes that its workers have filled themselves: unlike pages of files, the kernel cannot take them away."""
        return sum(mebibytes("RssAnon", worker) + mebibytes("VmSwap", worker) for worker in self.workers)


def _processor_seconds(process_id: int) -> float:
    spent = 0
    for task in Path(f"/proc/{process_id}/task").glob("*/schedstat"):
        try:
            spent += int(task.read_text().split()[0])
        except (OSError, IndexError):
            continue
    return spent / 1e9


def mebibytes(name: str, process_id: int | str = "self") -> float:
    """One of the memory figures of a process by the kernel's name for it.

    ``VmHWM`` is the highest of this program; ``ru_maxrss`` begins at that of the process that started it.
    """
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    command: list[str], port: int, log: Path, *, environment: Mapping[str, str] | None = None, path: str = ""
) -> Iterator[Server]:
    """A server process, ready when it listens (or answers ``path``); ended with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        wait_until_listening(process, port, log)
        server = Server(process, port)
        if path:
            Client(port)(path)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the port takes connections; raise with the end of the log when the process gave up."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"the server ended: {log.read_text(errors='replace')[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise Failed(f"the server does not listen after {START_SECONDS} seconds")


def comptoir(config: Path, port: int, workers: int = 1) -> list[str]:
    """The command that serves a deployment."""
    return [
        *(sys.executable, "-m", "comptoir.cli", "--config", str(config)),
        *("serve", "--port", str(port), "--workers", str(workers), "--no-jobs"),
    ]


def floor(port: int, workers: int = 1) -> list[str]:
    """The command that serves the bare application, with the same kind of workers."""
    return [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(workers)),
        *("--worker-class", "gthread", "--threads", "8", "--keep-alive", "15", "--log-level", "warning"),
        "benchmarks.floor.server:create_app()",
    ]
