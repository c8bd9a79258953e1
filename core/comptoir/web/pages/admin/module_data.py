"""What a module keeps, for administrators to read and take away while its own pages are switched off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from flask import Blueprint, Response, request
from sqlalchemy import func, select

from comptoir.access.permissions import ADMINISTER
from comptoir.context import Registry, unrestricted
from comptoir.db.record import module_of
from comptoir.errors import NotFound
from comptoir.i18n import Text, _, ngettext
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, run
from comptoir.records.transfer import export_records
from comptoir.records.transfer.exporting import FORMATS
from comptoir.web.frame import page, settings_side
from comptoir.web.ids import id_of
from comptoir.web.models.admin import AdminTable
from comptoir.web.models.shell import Action, Empty, Pager
from comptoir.web.models.table import Column, Row, Table
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles
from comptoir.web.session import Visit, current_deployment, requires, visited

pages = Blueprint("module_data", __name__)

SIZE = 50
MOST_COLUMNS = 8
SPOOLED = 4 * 1024 * 1024
CHUNK = 64 * 1024
MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


@contextmanager
def _reading(visit: Visit) -> Iterator[Visit]:
    """The visit in a generation that knows the paused modules as well; nothing is written in it."""
    deployment = current_deployment()
    registry = deployment.registry_with_paused()
    with deployment.context(visit.context.actor, write=False, registry=registry) as ctx:
        unrestricted(ctx, "data of paused modules").info["address"] = request.remote_addr or ""
        yield replace(visit, context=ctx)


def types_of(registry: Registry, module: str) -> list[DeclaredType]:
    """The record types that a module brings, and those of others to which it adds fields."""
    if module not in registry.plugins:
        raise NotFound(_("The module {name} keeps no data here.", name=module))
    return [
        declared
        for declared in registry.record_types.values()
        if declared.module == module or any(module_of(extension) == module for extension in declared.extensions)
    ]


def _type(registry: Registry, module: str, name: str) -> DeclaredType:
    found = next((declared for declared in types_of(registry, module) if declared.name == name), None)
    if found is None:
        raise NotFound(_("The module {name} keeps no such records.", name=module))
    return found


@pages.get("/settings/modules/<name>/data")
@requires(ADMINISTER)
@visited
def kinds_of_records(visit: Visit, name: str) -> Response:
    """What the module keeps, by type of record."""
    with _reading(visit) as reading:
        ctx = reading.context
        title = str(ctx.registry.plugins[name].manifest.title) if name in ctx.registry.plugins else name
        rows = []
        for declared in types_of(ctx.registry, name):
            url = f"/settings/modules/{name}/data/{declared.name}"
            count = (
                unrestricted(ctx, "data of paused modules").scalar(select(func.count()).select_from(declared.table))
                or 0
            )
            label = str(declared.declaration.plural)
            note = "" if declared.module == name else str(_("with the fields of {name}", name=title))
            rows.append(
                Row(declared.name, label, url, (
                    Cell(label, "title", url=url, note=note), Cell(reading.formats.integer(count), "number"),
                ))
            )  # fmt: skip
        columns = (Column("type", str(_("Records"))), Column("count", str(_("How many")), right=True))
        heading = str(_("What {name} keeps", name=title))
        model = AdminTable(heading, Table(columns, tuple(rows)), empty=Empty(str(_("It keeps no records"))))
        return page(
            "admin/table.html", model, crumbs=[(_("Modules"), "/settings/modules"), heading], side=settings_side(visit)
        )


@pages.get("/settings/modules/<name>/data/<type_name>")
@requires(ADMINISTER)
@visited
def records(visit: Visit, name: str, type_name: str) -> Response:
    """The records of one type, to be read."""
    with _reading(visit) as reading:
        ctx = reading.context
        declared = _type(ctx.registry, name, type_name)
        shown = {n: f for n, f in declared.fields.items() if not f.kind.lined and not f.server}
        shown = dict(list(shown.items())[:MOST_COLUMNS])
        number = min(max(id_of(request.args.get("page", "")) or 1, 1), 100_000)
        found = run(ctx, declared, Query(archived="with", size=SIZE, number=number))
        cells = Cells(reading, declared, look_up_titles(visit, wanted_titles(shown, found.rows)))
        rows = tuple(
            Row(str(row["id"]), "", "", tuple(cells.cell(n, field, row) for n, field in shown.items()))
            for row in found.rows
        )
        url, plural = f"/settings/modules/{name}/data/{declared.name}", str(declared.declaration.plural)
        count = found.total or 0
        pager = Pager(
            str(ngettext("{count} record", "{count} records", count, count=reading.formats.integer(count))),
            f"{url}?page={number - 1}" if number > 1 else "",
            f"{url}?page={number + 1}" if number * SIZE < count else "",
        )
        table = Table(tuple(cells.column(n, field) for n, field in shown.items()), rows)
        model = AdminTable(plural, table, pager=pager, empty=Empty(str(_("There are none"))))
        crumbs: list[tuple[Text, str] | Text] = [
            (_("Modules"), "/settings/modules"), (name, f"/settings/modules/{name}/data"), plural,
        ]  # fmt: skip
        exports = [Action(f.upper(), f"{url}/export?format={f}", "down") for f in FORMATS]
        return page("admin/table.html", model, crumbs=crumbs, side=settings_side(visit), actions=exports)


@pages.get("/settings/modules/<name>/data/<type_name>/export")
@requires(ADMINISTER)
@visited
def export(visit: Visit, name: str, type_name: str) -> Response:
    """All records of one type as a file."""
    chosen = request.args.get("format", "csv")
    target = SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115 -- closed once it is sent
    try:
        with _reading(visit) as reading:
            declared = _type(reading.context.registry, name, type_name)
            export_records(reading.context, declared, Query(archived="with"), cast("IO[bytes]", target), format=chosen)
            today = reading.formats.today.isoformat()
    except BaseException:
        target.close()
        raise
    target.seek(0)

    def sent() -> Iterator[bytes]:
        with target:
            yield from iter(lambda: target.read(CHUNK), b"")

    file = f"{declared.url.strip('/').replace('/', '-')}-{today}.{chosen}"
    return Response(
        sent(), mimetype=MEDIA_TYPES[chosen], headers={"Content-Disposition": f"attachment; filename={file}"}
    )
