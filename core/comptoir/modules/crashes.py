"""What becomes of a plugin whose code fails at people's requests: named at once, and at the third time set aside."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from comptoir.db.outages import refusal_of
from comptoir.deployment import Deployment
from comptoir.edge import trying_again
from comptoir.errors import ComptoirError, PluginFailed
from comptoir.i18n import _
from comptoir.jobs.outbox import insert_unless_there
from comptoir.modules.schema import raise_generation
from comptoir.registry.blame import plugin_to_blame
from comptoir.registry.deadlines import culprit, limited
from comptoir.registry.models import QuarantineRow
from comptoir.registry.plugin import readable
from comptoir.registry.registry import Registry

log = logging.getLogger("comptoir")

ALLOWED = 2
"""How many crashes within `WINDOW` a plugin may cause and still run: the next one sets it aside."""
WINDOW = dt.timedelta(minutes=1)


def plugin_failure(deployment: Deployment, registry: Registry, error: Exception) -> PluginFailed | None:
    """The answer to an error that a plugin's code did not foresee, after it was counted; None where no plugin is to blame."""
    if isinstance(error, ComptoirError | HTTPException) or refusal_of(error) is not None:
        return None
    late = culprit()
    name = plugin_to_blame(registry.plugins, error) or late
    if name is None:
        return None
    number = secrets.token_hex(4).upper()
    log.error("error %s: the module %s failed", number, name, exc_info=error)
    if late is None:  # what took too long is counted where the limit was set, as a plugin may swallow `Overdue`
        count_crash(deployment, name, readable(error))
    title = registry.plugins[name].manifest.title
    return PluginFailed(
        _("The module {name} failed at this. All else works; the reason stands on the modules page.", name=title),
        number=number,
    )


@contextmanager
def in_time(deployment: Deployment, registry: Registry) -> Iterator[None]:
    """Let no call into a plugin take longer than the settings say: one that does is ended, and counts as a crash."""
    work = None
    seconds, count = deployment.settings.plugin_seconds, partial(count_crash, deployment)
    try:
        with limited(registry.plugins, seconds, deployment=deployment, on_stuck=count) as work:
            yield
    finally:
        if work is not None and work.plugin is not None and not work.is_stuck:
            count(work.plugin, str(work.reason))


def count_crash(deployment: Deployment, name: str, reason: str) -> None:
    """Note a crash; the third within a minute takes the plugin out of the next generation, which begins at once."""
    try:
        trying_again(partial(_count, deployment, name, reason))
    except DBAPIError:
        log.warning("the fault of %s could not be noted", name)


def _count(deployment: Deployment, name: str, reason: str) -> None:
    now = deployment.clock()
    with deployment.engine.connect().execution_options(comptoir_write=True) as connection, connection.begin():
        session = Session(connection)
        first = {"module": name, "phase": "hook", "reason": reason, "at": now, "crashes": [], "set_aside": False}
        insert_unless_there(
            connection, QuarantineRow.__table__, [first], "module"
        )  # others may count the first as well
        row = session.get_one(QuarantineRow, name, with_for_update=True)
        recent = [at for at in row.crashes if dt.datetime.fromisoformat(at) > now - WINDOW]
        row.crashes = [*recent, now.isoformat()][-ALLOWED - 1 :]
        row.phase, row.reason, row.at = "hook", reason, now
        if not row.set_aside and len(row.crashes) > ALLOWED:
            row.set_aside = True
            raise_generation(session)
        session.flush()


def bring_back(deployment: Deployment, name: str) -> None:
    """Let a plugin that was set aside run again, in the next generation."""
    with deployment.engine.connect().execution_options(comptoir_write=True) as connection, connection.begin():
        session = Session(connection)
        session.execute(delete(QuarantineRow).where(QuarantineRow.module == name))
        raise_generation(session)
    deployment.refresh()
