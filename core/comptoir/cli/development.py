"""``comptoir serve --dev``: what an author changes is there at the next look, and what is broken says where.

Three processes, each forked from the one before, so that a change costs only the start of what it touched: the first holds
the libraries and the port, the second the core, the third the plugins and the application. While one starts anew, requests
wait at the port; none is refused. Templates, styles, themes and words need no new process.
"""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from flask import Flask

    from comptoir.deployment import Deployment
    from comptoir.registry.discover import Available
    from comptoir.registry.registry import Registry

log = logging.getLogger("comptoir.development")

LOOK_SECONDS = 0.2
"""How often a process looks at the files that it watches."""
LAST_SECONDS = 1.0
"""How long a process that is replaced finishes what it has begun to answer."""
LIBRARIES = (
    "alembic.autogenerate", "apscheduler.schedulers.background", "babel.dates", "click", "cryptography.fernet", "flask",
    "flask_login", "jinja2", "logging.config", "marshmallow", "orjson", "phonenumbers", "pluggy", "psycopg", "pwdlib",
    "sqlalchemy.orm", "werkzeug.serving",
)  # fmt: skip
"""What takes longest to import, and does not change while one develops."""
CORE = Path(__file__).resolve().parents[1]

Seen = dict[str, int]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_this_machine(host: str) -> bool:
    """Whether an address can be reached only from here."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def become_development_server(config: Path, *, host: str, port: int, jobs: bool) -> NoReturn:
    """Replace this process by the first of the three, which has imported nothing that may change."""
    sys.stdout.flush()
    words = [str(config.resolve()), host, str(port), "jobs" if jobs else ""]
    os.execv(sys.executable, [sys.executable, "-m", "comptoir.cli.development", *words])  # noqa: S606 - no shell wanted


def main(config: str, host: str, port: str, jobs: str) -> None:
    """The first process: the libraries, the port, and the core anew after each change of it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for talkative in ("alembic", "apscheduler"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    for library in LIBRARIES:
        importlib.import_module(library)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, int(port)), family=family, backlog=128) as port_of_all:
        try:
            keep([partial(_core, Path(config), port_of_all, bool(jobs))], partial(_seen, [CORE], ".py"))
        except (KeyboardInterrupt, SystemExit):
            return


def keep(works: Sequence[Callable[[], None]], watched: Callable[[], Seen]) -> None:
    """Run each work in a child of its own, and anew after every change of what is watched, until this process is to end."""
    parent, children = os.getppid(), list[int]()
    signal.signal(signal.SIGTERM, _leave)
    try:
        while os.getppid() == parent:
            seen = watched()
            children = [_fork(work) for work in works]
            while os.getppid() == parent and (now := watched()) == seen:
                time.sleep(LOOK_SECONDS)
            for path in sorted({path for path, _at in now.items() ^ seen.items()}):
                log.info("%s changed", path)
            _stop(children)
            children = []
    finally:
        _stop(children)


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all of them: the first tells the others
    signal.signal(signal.SIGTERM, _leave)
    try:
        work()
    except Exception:
        log.exception("it ended")
    except SystemExit:
        pass
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what the parent has open is the parent's to close


def _stop(children: Sequence[int]) -> None:
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)


def _seen(folders: Iterable[Path], *suffixes: str) -> Seen:
    """The files below some folders and when each was changed."""
    found: Seen = {}
    for folder in folders:
        for parent, _folders, files in os.walk(folder):
            for file in files:
                if file.endswith(suffixes):
                    try:
                        found[f"{parent}/{file}"] = os.stat(f"{parent}/{file}").st_mtime_ns
                    except FileNotFoundError:  # gone between the two looks
                        continue
    return found


# -- the second process: the core ---------------------------------------------------------------------------------------


def _core(config: Path, port: socket.socket, jobs: bool) -> None:
    importlib.invalidate_caches()
    try:
        for module in ("comptoir.web.app", "comptoir.web.host", "comptoir.base.plugin", "comptoir.jobs.worker"):
            importlib.import_module(module)
        from comptoir.registry.discover import discover_plugins
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown
        _serve(port, _failure(error, [CORE]))
        return

    def watched() -> Seen:
        packages = [_package(plugin) for plugin in discover_plugins().values() if plugin.name != "base"]
        return _seen(packages, ".py") | _seen([config.parent], config.name)

    keep([partial(_plugins, config, port), *([partial(_work, config)] if jobs else [])], watched)


def _package(plugin: Available) -> Path:
    """Where a plugin's files lie, without importing it."""
    found = importlib.util.find_spec(plugin.target.partition(".")[0])
    return Path(str(found.origin)).parent if found is not None else Path()


# -- the third: plugins, application, jobs --------------------------------------------------------------------------------


def _plugins(config: Path, port: socket.socket) -> None:
    sys.dont_write_bytecode = True  # two changes within a second would read as one
    importlib.invalidate_caches()
    from comptoir.deployment import Deployment

    deployment = Deployment.open(config)
    packages = [_package(plugin) for plugin in deployment.available().values() if plugin.name != "base"]
    try:
        application = Development(deployment, packages)
    except Exception as error:  # noqa: BLE001 - as above
        _serve(port, _failure(error, packages))
        return
    try:
        _serve(port, application)
    finally:
        application.close()


def _work(config: Path) -> None:
    from comptoir.deployment import Deployment
    from comptoir.jobs.worker import run_worker

    deployment = Deployment.open(config)
    deployment.refresh()
    run_worker(deployment)


class Development:
    """The deployment's application, made anew when a template, a style or a word has changed; its errors say where."""

    def __init__(self, deployment: Deployment, packages: Sequence[Path]) -> None:
        from comptoir.web.host import Host

        self._packages = packages
        _import_enabled(deployment)
        self._host = Host(deployment, _application)
        self._making = threading.Lock()
        self._looks = self._look()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request by what the files hold now."""
        try:
            self._renew()
            answer = self._host if (fault := self._fault()) is None else _failure(fault, self._packages)
            return answer(environ, start_response)
        except Exception as error:  # noqa: BLE001 - as above
            return _failure(error, self._packages)(environ, start_response)

    def close(self) -> None:
        """Sign the process off."""
        self._host.close()

    def _fault(self) -> Exception | None:
        """Why this is not what the files hold now."""
        from comptoir.errors import PluginError

        broken = self._host.deployment.registry.quarantined.values()
        refused = (PluginError(plugin.name, plugin.reason) for plugin in broken if plugin.phase == "build")
        return self._host.fault or next(refused, None)

    def _renew(self) -> None:
        from comptoir.catalogues import compile_catalogues
        from comptoir.i18n import forget_catalogues
        from comptoir.modules.crashes import bring_back

        with self._making:
            if (now := self._look()) != self._looks:
                for package in (CORE, *self._packages):
                    compile_catalogues(package)
                forget_catalogues()
                self._host.swap(anew=True)
                self._looks = now
            for plugin in list(self._host.deployment.registry.quarantined.values()):
                if plugin.phase == "hook":  # it crashed too often; its author is at it
                    bring_back(self._host.deployment, plugin.name)
                    self._host.swap()

    def _look(self) -> Seen:
        from comptoir.web.themes import themes_folder

        shown = [
            package / part for package in (CORE, CORE / "web", *self._packages) for part in ("templates", "static")
        ]
        words = [package / "translations" for package in (CORE, *self._packages)]
        return _seen([*shown, themes_folder()], "") | _seen(words, ".po")


def _application(deployment: Deployment, registry: Registry) -> Flask:
    from comptoir.web.app import create_app

    app = create_app(deployment, registry)
    app.debug = True  # what was not foreseen is shown instead of kept for the log
    return app


def _import_enabled(deployment: Deployment) -> None:
    """Import the plugins that are on, so that an error tells where; a build keeps only its reason."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from comptoir.registry.discover import in_order
    from comptoir.registry.models import ModuleRow, State

    with Session(deployment.engine) as session:
        enabled = session.scalars(select(ModuleRow.name).where(ModuleRow.state == State.ENABLED)).all()
    available = deployment.available()
    for name in in_order(available, enabled):
        importlib.import_module(available[name].target)


def _serve(port: socket.socket, application: Application) -> None:
    """Answer at the port until this process is told to end, and finish what was begun."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing about what went well."""

    host, number = port.getsockname()[:2]
    server = make_server(host, number, application, threaded=True, request_handler=Quiet, fd=port.fileno())
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: told.set())

    def end_when_told() -> None:
        told.wait()
        server.shutdown()

    threading.Thread(target=end_when_told, daemon=True).start()
    server.serve_forever(poll_interval=0.05)
    end = time.monotonic() + LAST_SECONDS
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(max(0.0, end - time.monotonic()))


def _failure(error: BaseException, packages: Sequence[Path]) -> Application:
    """Say what is broken in the terminal, and make the application that says it to every request."""
    place = _place(error, packages)
    told = "".join(traceback.format_exception(error))
    log.error("%s: %s: %s\n%s", place, type(error).__name__, error, told)
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(place)}</title>
<h1>{escape(type(error).__name__)}</h1><p>{escape(str(error))}</p><p><b>{escape(place)}</b></p>
<p>{escape(_advice(error))}</p><pre>{escape(told)}</pre></html>""".encode()

    def answer(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
        start_response("500 Internal Server Error", headers)
        return [page]

    return answer


def _advice(error: BaseException) -> str:
    if isinstance(error, DBAPIError):
        return "If a table lacks a new field, draft its migration with: comptoir plugin revision. Then run: comptoir upgrade."
    return "Mend it, save it, and load this page again."


def _place(error: BaseException, packages: Sequence[Path]) -> str:
    """The file and line that an author looks at: of the text that cannot be read, else the innermost of their own."""
    file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
    if file and line:
        return f"{file}:{line}"
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [place for place in places if any(Path(place[0]).is_relative_to(package) for package in packages)]
    innermost = (own or places or [("", 0)])[-1]
    return f"{innermost[0]}:{innermost[1]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
