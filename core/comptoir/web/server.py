"""The web server: gunicorn with threads, and the job worker beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from comptoir.deployment import Deployment
from comptoir.errors import ConfigurationError
from comptoir.i18n import _
from comptoir.registry.deadlines import stuck
from comptoir.settings import Settings, load_settings
from comptoir.web.host import Fleet, Host

THREADS = 8
"""How many requests a process works on at once."""
WAITING = 24
"""Further threads, for requests that only wait: for a plugin, for a lock, for a slow client."""
LOST = 12
"""How many threads may be stuck in plugins before another process takes over."""
MOMENT = 1.0


def refuse_used_port(host: str, port: int) -> None:
    """Raise `ConfigurationError` when somebody else listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                _(
                    "Port {port} on {host} cannot be used: {reason}. Choose another with --port.",
                    port=port,
                    host=host,
                    reason=error.strerror,
                )
            ) from None


def open_host(path: Path) -> Host:
    """The host of the deployment that a configuration file describes, in this process."""
    from comptoir.web.app import create_app

    return Host(Deployment.open(path), create_app)


def open_fleet(paths: Sequence[Path]) -> Fleet:
    """Deployments by the host names that their files list; each is opened at its first request."""
    by_name: dict[str, Callable[[], Host]] = {}
    for path in paths:
        settings = load_settings(path)
        if not settings.hosts:
            raise ConfigurationError(_("{path} lists no server.hosts; several deployments need them.", path=path))

        def opener(path: Path = path) -> Host:
            return open_host(path)

        for name in settings.hosts:
            if name.lower() in by_name:
                raise ConfigurationError(_("The host {name} is listed by two deployments.", name=name))
            by_name[name.lower()] = opener
    return Fleet(by_name)


class Room:
    """Lets `THREADS` requests at once into a process; one that has been in for longer than a moment takes up no room."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self._since: dict[object, float] = {}
        self._changed = threading.Condition()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer as soon as there is room."""
        place = object()
        with self._changed:
            while (pause := self._pause(time.monotonic())) > 0:
                self._changed.wait(pause)
            self._since[place] = time.monotonic()
        try:
            return self.application(environ, start_response)
        finally:
            with self._changed:
                del self._since[place]
                self._changed.notify()
            if stuck() >= LOST:
                os.kill(os.getpid(), signal.SIGTERM)

    def _pause(self, now: float) -> float:
        """How long until there is room at the latest."""
        recent = [since for since in self._since.values() if now - since < MOMENT]
        return min(recent) + MOMENT - now if len(recent) >= THREADS else 0


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured in code; ``open_application`` runs in each worker process after the fork."""

    def __init__(self, open_application: Callable[[], Any], options: Mapping[str, Any]) -> None:
        self._open_application = open_application
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Hand the options to gunicorn."""
        for key, value in self._options.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """The WSGI application of a worker process."""
        return Room(self._open_application())


def serve(
    paths: Sequence[Path], settings: Settings, *, host: str, port: int, workers: int, jobs: bool, fleet: bool = False
) -> None:
    """Serve until a signal says stop; the job worker of each deployment runs beside the web unless ``jobs`` is off."""
    refuse_used_port(host, port)
    import comptoir.web.app  # noqa: F401 -- loaded once, before the workers are forked, and shared by them

    companions: list[subprocess.Popen[bytes]] = []

    def start_jobs(_arbiter: Any) -> None:
        for path in paths if jobs else ():
            command = [sys.executable, "-m", "comptoir.cli", "--config", str(path), "worker"]
            command += ["--beside", str(os.getpid())]
            companions.append(subprocess.Popen(command))

    def stop_jobs(_arbiter: Any) -> None:
        for companion in companions:
            companion.terminate()
        for companion in companions:
            with contextlib.suppress(subprocess.TimeoutExpired):
                companion.wait(timeout=10)

    def close_host(_arbiter: Any, worker: Any) -> None:
        room = getattr(worker, "wsgi", None)
        if isinstance(room, Room) and isinstance(room.application, Host):
            room.application.close()
        if stuck():  # nobody waits for threads that do not come back
            os._exit(0)

    Server(
        (lambda: open_fleet(paths)) if fleet else (lambda: open_host(paths[0])),
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS + WAITING,
            "graceful_timeout": 15,
            "timeout": 60,
            "keepalive": 15,
            "loglevel": "warning",
            "forwarded_allow_ips": "127.0.0.1" if settings.proxies else "",
            "when_ready": start_jobs,
            "on_exit": stop_jobs,
            "worker_exit": close_host,
            "control_socket_disable": True,
        },
    ).run()
