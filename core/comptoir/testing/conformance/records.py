"""Records: found as they are, listed in order, exported whole."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select

from comptoir.context import Context
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query
from comptoir.records.search import departures
from comptoir.records.transfer.exporting import export_records
from comptoir.records.transfer.formulas import restored
from comptoir.records.transfer.reading import read_table
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.running import Running

MANY = 4
PAGE = 2


def _types(running: Running) -> list[DeclaredType]:
    if not running.own_types:
        raise NotApplicable("it has no records")
    return [running.registry.record_types[name] for name in running.own_types]


@check("records.found", needs="deployment")
def found(running: Running) -> Iterator[Finding]:
    """The search agrees with the records after they were made and changed."""
    _types(running)
    with running.world.deployment.system_context("conformance", write=False) as ctx:
        for declared in running.registry.record_types.values():
            wrong = sum(map(len, departures(ctx, declared)))
            if wrong:
                yield Finding(f"{wrong} records are not found as they are", declared.name, "change records with save, not by statement")  # fmt: skip


@check("records.titles", needs="deployment")
def titles(running: Running) -> Iterator[Finding]:
    """Every record can be found by what it is called, unless its type takes part in no search."""
    for declared in _types(running):
        field = declared.fields.get(declared.title)
        if field is not None and not field.search and field.kind.textual and field.computed is None:
            yield Finding(f"{declared.title} names records and is not searched", f"{declared.name}.{declared.title}", "give search=True")  # fmt: skip


@check("records.paging", needs="deployment")
def paging(running: Running) -> Iterator[Finding]:
    """Page by page a list shows each record once, whichever field it is sorted by, also where many are equal."""
    for declared in _types(running):
        running.world.grow(declared, MANY)
        wanted: set[int] = set()
        for name, field in declared.fields.items():
            if field.sorts and "." not in name:
                seen = _walk(running, f"{declared.api_path}?page[size]={PAGE}&sort={field.path}")
                wanted = wanted or set(seen)
                if len(seen) != len(set(seen)) or set(seen) != wanted:
                    yield Finding("pages repeat or lose records", f"{declared.name} by {name}", "let the kind compare as its column does")  # fmt: skip


def _stored(ctx: Context, declared: DeclaredType) -> list[str]:
    """What the records that a list shows are called."""
    table = declared.table
    kept = ctx.session.scalars(select(table.c[declared.title]).where(table.c.archived_at.is_(None)))
    return sorted(restored(str(name or "")) for name in kept)


def _walk(running: Running, path: str) -> list[int]:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None and len(seen) <= 200:
        answer = running.world.administrator.get(f"{path}&page[after]={quote(cursor)}" if cursor else path)
        if answer.status_code != 200:
            return [0, 0]
        body = answer.get_json()
        seen += [row["id"] for row in body["data"]]
        cursor = body["meta"]["page"]["next"]
    return seen


@check("records.exported", needs="deployment")
def exported(running: Running) -> Iterator[Finding]:
    """An export as CSV, workbook or JSON holds every record, and is read back as it was."""
    for declared in _types(running):
        with running.world.deployment.system_context("conformance") as ctx, tempfile.TemporaryDirectory() as folder:
            names = {"": _stored(ctx, declared)}
            for form in ("csv", "xlsx", "json"):
                target = io.BytesIO()
                try:
                    count = export_records(ctx, declared, Query(fields=(declared.title,)), target, format=form)
                    path = Path(folder) / f"export.{form}"
                    path.write_bytes(target.getvalue())
                    rows = list(read_table(path).rows())
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                    yield Finding(f"no export as {form}: {type(error).__name__}: {error}", declared.name, "let the kind give a plain value in to_sheet")  # fmt: skip
                    continue
                names[form] = sorted(restored(str(next(iter(row.values()), ""))) for _number, row in rows)
                if count != len(rows):
                    yield Finding(f"{count} were written as {form} and {len(rows)} read", declared.name, "let the kind give a plain value in to_sheet")  # fmt: skip
            for form, read in names.items():
                if read != names[""]:
                    yield Finding(f"the names read back from {form} differ", declared.name, "let to_sheet give what read understands")  # fmt: skip


@check("records.described", needs="deployment")
def described(running: Running) -> Iterator[Finding]:
    """The OpenAPI document describes each of its addresses."""
    document = running.world.administrator.get("/api/v1/openapi.json").get_json()
    for address in running.world.addresses:
        if address.of_api and not any(_matches(known, address.path) for known in document["paths"]):
            yield Finding("the document does not know it", str(address), "contribute it as a Route")


def _matches(known: str, path: str) -> bool:
    steps, wanted = path.split("/"), known.split("/")
    return len(steps) == len(wanted) and all(a == b or b.startswith("{") for a, b in zip(steps, wanted, strict=True))
