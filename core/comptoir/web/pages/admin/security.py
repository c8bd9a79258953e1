"""The security log as an administrator searches and exports it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from textwrap import shorten
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from comptoir.access.models import SecurityEvent
from comptoir.access.permissions import ADMINISTER
from comptoir.access.security_log import (
    DATA_EXPORTED,
    KINDS,
    EventFilter,
    count_events,
    described,
    list_events,
    record_event,
)
from comptoir.context import unrestricted
from comptoir.errors import RuleViolation
from comptoir.i18n import _, ngettext
from comptoir.kinds import Cell
from comptoir.records.transfer.formulas import neutralised
from comptoir.web.browsers import browser_name
from comptoir.web.frame import page, settings_side
from comptoir.web.ids import id_of
from comptoir.web.models.admin import SecurityPage
from comptoir.web.models.input import FieldInput, Option
from comptoir.web.models.shell import Action, Empty, Pager
from comptoir.web.models.table import Column, Row, Table
from comptoir.web.session import Visit, requires, visited

pages = Blueprint("security", __name__)
BASE = "/settings/security"
SIZE = 50
LINE = 120
EXPORT_SIZE = 1_000
COLUMNS = ("id", "at", "kind", "actor", "about", "address", "details")


@pages.get(BASE)
@requires(ADMINISTER)
@visited
def security(visit: Visit) -> Response:
    """The events, the newest first, by person, kind and period."""
    ctx, formats, given = visit.context, visit.formats, request.args
    trouble: RuleViolation | None = None
    wanted = EventFilter()
    try:
        wanted = EventFilter.of(given, ctx.timezone)
    except RuleViolation as refused:
        trouble = refused
    before = id_of(given.get("before", ""))
    found = list_events(unrestricted(ctx, "security log"), wanted, size=SIZE + 1, before_id=before)
    rows = tuple(
        Row(str(event.id), "", "", (
            Cell(formats.moment(event.at), "moment"),
            Cell(str(KINDS.get(event.kind, event.kind)), "title"),
            Cell(event.actor), Cell(event.about), Cell(event.address), Cell(_told(event)),
        ))
        for event in found[:SIZE]
    )  # fmt: skip
    columns = (
        Column("at", str(_("When"))), Column("kind", str(_("What"))), Column("actor", str(_("Who"))),
        Column("about", str(_("About"))), Column("address", str(_("Address"))), Column("details", str(_("Details"))),
    )  # fmt: skip
    kept = {name: given[name] for name in ("person", "kind", "from", "to") if given.get(name)}
    count = count_events(unrestricted(ctx, "security log"), wanted)
    told = ngettext("{count} event", "{count} events", count, count=formats.integer(count))
    pager = Pager(
        str(told),
        _address(kept) if before is not None else "",
        _address({**kept, "before": str(found[SIZE - 1].id)}) if len(found) > SIZE else "",
    )
    model = SecurityPage(
        str(_("Security")), BASE, _filters(kept, trouble), Table(columns, rows), pager,
        Empty(str(_("Nothing fits"))), str(trouble or ""),
    )  # fmt: skip
    return page(
        "admin/security.html", model, crumbs=[(_("Settings"), "/settings/modules"), _("Security")], side=settings_side(visit),
        actions=[Action(str(_("Export")), _address(kept, f"{BASE}/export"), "down")],
        status=422 if trouble is not None else 200,
    )  # fmt: skip


def _told(event: SecurityEvent) -> str:
    """The details as far as a line holds them; the export has all of them."""
    details = dict(event.details)
    if "browser" in details:
        details["browser"] = str(browser_name(details["browser"]))
    return shorten(described(details), LINE, placeholder=" …")


def _address(arguments: dict[str, str], path: str = BASE) -> str:
    return f"{path}?{urlencode(arguments)}" if arguments else path


def _filters(kept: dict[str, str], trouble: RuleViolation | None) -> tuple[FieldInput, ...]:
    def field(name: str, label: Any, kind: Any, **options: Any) -> FieldInput:
        wrong = str(trouble) if trouble is not None and trouble.field == name else ""
        return FieldInput(name, str(label), kind, kept.get(name, ""), error=wrong, **options)

    kinds = (Option("", str(_("Everything"))), *(Option(kind, str(label)) for kind, label in KINDS.items()))
    return (
        field("person", _("Who or what"), "text"),
        field("kind", _("Kind"), "choice", options=kinds),
        field("from", _("From"), "date"),
        field("to", _("To"), "date"),
    )


@pages.get(f"{BASE}/export")
@requires(ADMINISTER)
@visited
def export(visit: Visit) -> Response:
    """What the filters leave, as a CSV file; taking it is an event too."""
    ctx = visit.context
    wanted = EventFilter.of(request.args, ctx.timezone)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    count = 0
    for event in _every(visit, wanted):
        writer.writerow([
            event.id, event.at.isoformat(), event.kind,
            *(neutralised(part) for part in (event.actor, event.about, event.address, described(event.details))),
        ])  # fmt: skip
        count += 1
    record_event(
        unrestricted(ctx, "security log"), DATA_EXPORTED, about=str(_("Security log")), records=count, format="csv"
    )
    head = {"Content-Disposition": f"attachment; filename=security-{visit.formats.today.isoformat()}.csv"}
    return Response(text.getvalue().encode("utf-8-sig"), mimetype="text/csv", headers=head)


def _every(visit: Visit, wanted: EventFilter) -> Iterator[SecurityEvent]:
    session, before = unrestricted(visit.context, "security log"), None
    while found := list_events(session, wanted, size=EXPORT_SIZE, before_id=before):
        yield from found
        before = found[-1].id
        session.expunge_all()
