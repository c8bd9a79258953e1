"""What watches a deployment from outside: liveness, readiness and figures for Prometheus."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, request
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from comptoir import __version__
from comptoir.db.gate import uses
from comptoir.db.migrations import pending
from comptoir.deployment import Deployment
from comptoir.errors import ComptoirError
from comptoir.jobs.models import QueuedWork
from comptoir.modules.schema import unit_of
from comptoir.registry.models import ProcessRow
from comptoir.registry.registry import Registry
from comptoir.registry.schema import core_unit

LIVE = dt.timedelta(seconds=30)


def health_pages(deployment: Deployment, registry: Registry) -> Blueprint:
    """``/healthz``, ``/readyz`` and ``/metrics``: public, without a session and without secrets."""
    pages = Blueprint("health", __name__)

    def public(path: str, view: Callable[[], Response]) -> None:
        view.is_public = True  # type: ignore[attr-defined]
        pages.add_url_rule(path, view.__name__, view)

    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    def readyz() -> Response:
        faults = readiness(deployment, registry)
        body = "".join(f"{name}: {reason or 'ok'}\n" for name, reason in faults.items())
        return Response(body, status=503 if any(faults.values()) else 200, mimetype="text/plain")

    def metrics() -> Response:
        address = ipaddress.ip_address(request.remote_addr or "0.0.0.0")  # noqa: S104 — no address at all
        if not (address.is_loopback or address.is_private):
            abort(404)
        return Response(figures(deployment, registry), mimetype="text/plain; version=0.0.4")

    for path, view in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        public(path, view)
    return pages


def readiness(deployment: Deployment, registry: Registry) -> dict[str, str]:
    """What must be in order before requests are sent here, with the fault or an empty text."""
    faults = {"database": "", "migrations": "", "generation": deployment.build_fault or ""}
    try:
        with deployment.engine.connect() as connection:
            connection.execute(select(1))
            units = [core_unit(), *(unit_of(registry, name) for name in registry.plugins)]
            waiting = [revision for unit in units for revision in pending(connection, unit)]
            if waiting:
                faults["migrations"] = f"{len(waiting)} waiting, run: comptoir upgrade"
    except (DBAPIError, ComptoirError):
        faults["database"] = "does not answer"
    return faults


def figures(deployment: Deployment, registry: Registry) -> str:
    """Gauges in the text format of Prometheus, read from the database."""
    since = deployment.clock() - LIVE
    with Session(deployment.engine) as session:
        processes: Any = session.execute(
            select(ProcessRow.kind, func.count()).where(ProcessRow.seen_at > since).group_by(ProcessRow.kind)
        ).all()
        work: Any = session.execute(select(QueuedWork.state, func.count()).group_by(QueuedWork.state)).all()
    lines = [
        "# TYPE comptoir_generation gauge",
        f"comptoir_generation {registry.generation}",
        "# TYPE comptoir_version_info gauge",
        f'comptoir_version_info{{version="{__version__}"}} 1',
        "# TYPE comptoir_modules gauge",
        f'comptoir_modules{{state="running"}} {len(registry.plugins)}',
        f'comptoir_modules{{state="quarantined"}} {len(registry.quarantined)}',
        "# TYPE comptoir_processes gauge",
        *(f'comptoir_processes{{kind="{kind}"}} {count}' for kind, count in processes),
        "# TYPE comptoir_deferred_work gauge",
        *(f'comptoir_deferred_work{{state="{state}"}} {count}' for state, count in work),
        "# TYPE comptoir_past_the_rules_total counter",
        *(
            f'comptoir_past_the_rules_total{{way="{way}",reason="{reason}"}} {count}'
            for (way, reason), count in sorted(uses.items())
        ),
    ]
    return "\n".join(lines) + "\n"
