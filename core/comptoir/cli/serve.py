"""``comptoir serve`` and ``comptoir worker``: the processes of a deployment."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path

import click

from comptoir.access.passwords import CHEAP
from comptoir.cli.terminal import Terminal, note, pass_terminal, say
from comptoir.errors import ConfigurationError
from comptoir.i18n import _
from comptoir.settings import load_settings

PARENT_SECONDS = 1.0
"""How often a worker looks whether the server beside it still lives."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, metavar="N")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Web processes; default: server.workers.")
@click.option("--no-jobs", is_flag=True, help="Do not run the job worker beside the web.")
@click.option(
    "--deployments",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Serve every *.toml of a folder, chosen by the hosts each file lists.",
)
@click.option("--dev", is_flag=True, help="For authors: what they change shows at once. Only on this machine.")
@pass_terminal
def serve(
    terminal: Terminal, host: str, port: int, workers: int | None, no_jobs: bool, deployments: Path | None, dev: bool
) -> None:
    """Serve the web interface and the API, and run the jobs."""
    from comptoir.cli.development import become_development_server, is_this_machine
    from comptoir.web.server import refuse_used_port
    from comptoir.web.server import serve as run_server

    if dev and not is_this_machine(host):
        raise ConfigurationError(
            _("--dev shows code to whoever asks, so it serves this machine alone, not {host}. Leave out one of the two.",
              host=host)
        )  # fmt: skip
    if dev and (deployments is not None or workers is not None):
        raise click.UsageError(
            str(_("--dev serves one deployment in one process; leave out --deployments and --workers."))
        )
    paths = sorted(deployments.glob("*.toml")) if deployments is not None else [terminal.config]
    if not paths:
        raise ConfigurationError(_("There is no *.toml in {folder}.", folder=deployments))
    settings = load_settings(paths[0])
    refuse_used_port(host, port)
    for path in paths:
        _require_ready(path)
    _log_to_stderr()
    if os.environ.get(CHEAP) == "1":
        note(_("{variable} is set: passwords are barely protected. Unset it outside of tests.", variable=CHEAP))
    shown = f"[{host}]" if ":" in host else host
    say(_("Comptoir serves on http://{host}:{port} (stop with Ctrl+C)", host=shown, port=port))
    if dev:
        note(_("This is for development: whoever opens a page can read code. Never let others reach it."))
        become_development_server(terminal.config, host=host, port=port, jobs=not no_jobs)
    run_server(
        [path.resolve() for path in paths],
        settings,
        host=host,
        port=port,
        workers=workers or settings.workers,
        jobs=not no_jobs,
        fleet=deployments is not None,
    )


@click.command()
@click.option("--beside", type=int, hidden=True, help="The process to end with.")
@pass_terminal
def worker(terminal: Terminal, beside: int | None) -> None:
    """Run the clock and the job queue alone; any number of workers may run, each job runs once."""
    from comptoir.jobs.worker import run_worker

    deployment = terminal.deployment
    deployment.refresh()
    _log_to_stderr()
    say(_("Working on the jobs of {name} (stop with Ctrl+C)", name=deployment.name))
    if beside is not None:
        threading.Thread(target=_end_with, args=(beside,), name="beside", daemon=True).start()
    run_worker(deployment)


def _end_with(parent: int) -> None:
    """Stop as if told to when the server beside this process is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _require_ready(path: Path) -> None:
    """Say before the start what would fail at the first request."""
    from sqlalchemy import select

    from comptoir.db.migrations import pending
    from comptoir.deployment import Deployment
    from comptoir.registry.models import ModuleRow
    from comptoir.registry.schema import core_unit

    deployment = Deployment.open(path)
    try:
        if not deployment.is_initialised():
            raise ConfigurationError(
                _("The database of {path} is empty. Create its tables with: comptoir --config {path} init", path=path)
            )
        with deployment.engine.connect() as connection:
            behind = pending(connection, core_unit())
            connection.scalars(select(ModuleRow.name)).all()
        if behind:
            raise ConfigurationError(
                _("The database of {path} is older than the program. Run: comptoir --config {path} upgrade", path=path)
            )
    finally:
        deployment.close()


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
