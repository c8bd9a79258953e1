"""The WSGI application of a process: serves one generation, builds the next beside it and swaps without losing a request."""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comptoir.errors import ComptoirError
from comptoir.modules.crashes import in_time
from comptoir.registry.models import ProcessRow

if TYPE_CHECKING:
    from flask import Flask

    from comptoir.deployment import Deployment

log = logging.getLogger("comptoir.host")

POLL_SECONDS = 0.25
BEAT_SECONDS = 10
GONE_SECONDS = 30
REST_SECONDS = 60


class Host:
    """Serves a deployment; every process of it notices a new generation within half a second.

    A request runs to its end on the application it began with. A generation that cannot be built leaves the last
    good one in service; why stands in ``deployment.build_fault``. A host that nobody asked anything for a minute
    sleeps: it asks its database nothing, and looks for a new generation before it answers the next request.
    """

    def __init__(self, deployment: Deployment, build: Callable[..., Flask], *, kind: str = "web") -> None:
        self.deployment = deployment
        self._build = build
        self._kind = kind
        self._id = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._swapping = threading.Lock()
        self._stop = threading.Event()
        self._falling_asleep = threading.Lock()
        self._is_asleep = False
        self._asked = time.monotonic()
        self._beaten = 0.0
        deployment.refresh()
        self._app = build(deployment, deployment.registry)
        self.generation = deployment.registry.generation
        self.fault: Exception | None = None
        """What the newest application could not be built for, while the last good one serves."""
        self._app.extensions["comptoir_host"] = self
        self._beat()
        _watch.add(self)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request with the application of the moment."""
        self._asked = time.monotonic()
        if self._is_asleep:
            self._wake()
        app = self._app
        with in_time(self.deployment, app.extensions["comptoir"].registry):
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

    @property
    def app(self) -> Flask:
        """The application that new requests get."""
        return self._app

    def close(self) -> None:
        """Stop watching and sign the process off."""
        self._stop.set()
        _watch.remove(self)
        self._sign_off()

    def _sign_off(self) -> None:
        try:
            with (
                self.deployment.engine.connect().execution_options(comptoir_write=True) as connection,
                connection.begin(),
            ):
                connection.execute(delete(ProcessRow).where(ProcessRow.id == self._id))
        except DBAPIError:
            log.debug("the process could not be signed off")

    def swap(self, *, anew: bool = False) -> bool:
        """Serve the newest generation from now on, with ``anew`` even if it is this one; True when it did. Single-flight."""
        with self._swapping:
            self.deployment.refresh()
            registry = self.deployment.registry
            if registry.generation == self.generation and not anew:
                return False
            try:
                built = self._build(self.deployment, registry)
            except Exception as error:
                self.fault, self.deployment.build_fault = error, str(error)
                log.exception("generation %s cannot be built; serving %s", registry.generation, self.generation)
                return False
            built.extensions["comptoir_host"] = self
            self._app, self.generation, self.fault = built, registry.generation, None
            self._beat()
            log.info("serving generation %s", self.generation)
            return True

    def wait_for_all(self, seconds: float = 2.0) -> bool:
        """Wait until every live process serves this generation; False when one did not within the time."""
        end = time.monotonic() + seconds
        while True:
            with Session(self.deployment.engine) as session:
                since = self.deployment.clock() - dt.timedelta(seconds=GONE_SECONDS)
                behind = session.scalar(
                    select(ProcessRow.id)
                    .where(ProcessRow.generation < self.generation, ProcessRow.seen_at > since)
                    .limit(1)
                )
            if behind is None or time.monotonic() > end:
                return behind is None
            self._stop.wait(0.05)

    def follow(self) -> bool:
        """Swap when the database asks for another generation, give sign of life, or sleep; whether the database answered."""
        if self._is_idle():
            self._sleep()
            return True
        answers = self._look()
        if answers and time.monotonic() - self._beaten > BEAT_SECONDS:
            self._beat()
        return answers

    def _look(self) -> bool:
        try:
            if self.deployment.current_generation() != self.generation:
                self.swap()
        except (DBAPIError, ComptoirError):
            log.warning("the database did not answer the generation watch")
            return False
        except Exception:
            log.exception("the generation watch failed")
        return True

    def _is_idle(self) -> bool:
        return time.monotonic() - self._asked > REST_SECONDS

    def _sleep(self) -> None:
        with self._falling_asleep:
            if not self._is_idle():  # somebody asked just now
                return
            self._is_asleep = True
            _watch.remove(self)
        self._sign_off()  # nobody waits for this process to follow

    def _wake(self) -> None:
        with self._falling_asleep:
            if not self._is_asleep:
                return
            self._look()
            self._is_asleep = False
            self._beaten = 0.0
            _watch.add(self)  # which gives the sign of life: a request does not wait for the right to write

    def _beat(self) -> None:
        """Say that this process lives and what it serves, and forget those that do not."""
        now = self.deployment.clock()
        try:
            with (
                self.deployment.engine.connect().execution_options(comptoir_write=True) as connection,
                connection.begin(),
            ):
                session = Session(connection)
                session.merge(ProcessRow(id=self._id, kind=self._kind, generation=self.generation, seen_at=now))
                session.flush()
                connection.execute(
                    delete(ProcessRow).where(ProcessRow.seen_at < now - dt.timedelta(seconds=GONE_SECONDS))
                )
            self._beaten = time.monotonic()
        except DBAPIError:
            log.debug("the heartbeat could not be written")


class Watch:
    """One thread that lets every host of this process follow its database; it ends with the last of them.

    A database that does not answer holds the others up once, then it is left alone for a while.
    """

    def __init__(self) -> None:
        self._hosts: dict[Host, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, host: Host) -> None:
        """Watch a host from now on."""
        with self._lock:
            self._hosts[host] = 0.0
            if self._thread is None or not self._thread.is_alive():  # a fork leaves the thread behind
                self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
                self._thread.start()

    def remove(self, host: Host) -> None:
        """Watch a host no more."""
        with self._lock:
            self._hosts.pop(host, None)

    def _run(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            with self._lock:
                if not self._hosts:
                    self._thread = None
                    return
                due = [host for host, resting in self._hosts.items() if resting <= time.monotonic()]
            for host in due:
                if not host.follow():
                    with self._lock:
                        if host in self._hosts:
                            self._hosts[host] = time.monotonic() + BEAT_SECONDS


_watch = Watch()


class Fleet:
    """Several deployments behind one server, chosen by the host name of the request."""

    def __init__(self, hosts: Mapping[str, Callable[[], Host]]) -> None:
        self._open = dict(hosts)
        self._hosts: dict[int, Host] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer by the deployment that lists the request's host; opened at its first request."""
        name = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        opener = self._open.get(name)
        if opener is None:
            body = b"No deployment answers to this host name.\n"
            start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
            return [body]
        with self._lock:
            host = self._hosts.get(id(opener))
            if host is None:
                host = self._hosts[id(opener)] = opener()
        return host(environ, start_response)
