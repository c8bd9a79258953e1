"""Export what a query finds: CSV, XLSX or JSON, page by page, in the form that the import reads back."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import orjson
import xlsxwriter

from comptoir.access.security_log import DATA_EXPORTED, record_event
from comptoir.context import unrestricted
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Field
from comptoir.records.declared import DeclaredType
from comptoir.records.history import as_json
from comptoir.records.query import Query, run, titles
from comptoir.records.transfer.formulas import neutralised

if TYPE_CHECKING:
    from comptoir.context import Context

PAGE = 500
FORMATS = ("csv", "xlsx", "json")


def export_records(
    ctx: Context, declared: DeclaredType, query: Query, target: IO[bytes], *, format: str = "csv"
) -> int:
    """Write the records that a query finds and the actor may see; returns their number. Memory does not grow with it.

    The security log keeps who took which fields of how many.
    """
    names = _names(ctx, declared, query)
    rows = _rows(ctx, declared, replace(query, fields=("id", *names), size=PAGE, number=1), names)
    if format == "csv":
        count = _write_csv(target, names, declared, rows)
    elif format == "xlsx":
        count = _write_xlsx(target, names, declared, rows)
    elif format == "json":
        count = _write_json(target, names, rows)
    else:
        raise RuleViolation(
            "core.unknown_format",
            _("There is no format {name}. Known: {known}.", name=format, known=", ".join(FORMATS)),
            field="format",
        )
    record_event(
        unrestricted(ctx, "security log"), DATA_EXPORTED, about=declared.name, records=count, format=format, fields=names,
        filtered=query.where is not None or bool(query.text),
    )  # fmt: skip
    return count


def _names(ctx: Context, declared: DeclaredType, query: Query) -> list[str]:
    hidden = declared.hidden_fields(ctx.actor.grants)
    if query.fields:
        return [declared.by_path.get(name, name) for name in query.fields]
    return [
        name
        for name, field in declared.fields.items()
        if name not in hidden and not field.server and not field.kind.lined
    ]


def _heading(declared: DeclaredType, name: str) -> str:
    field = declared.fields.get(name)
    return name if field is None else name[: -len(field.name)] + field.path


def _rows(ctx: Context, declared: DeclaredType, query: Query, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    references = [n for n in names if n in declared.fields and declared.fields[n].target is not None]
    while True:
        page = run(ctx, declared, query, total=False)
        wanted: dict[str, set[int]] = {}
        for name in references:
            table = str(declared.fields[name].target)
            wanted.setdefault(table, set()).update(row[name] for row in page.rows if row[name] is not None)
        known = titles(ctx, wanted)
        for row in page.rows:
            yield {
                _heading(declared, name): (
                    known.get(str(declared.fields[name].target), {}).get(row[name])
                    if name in references
                    else _sheet_value(declared.fields.get(name), row[name])
                )
                for name in names
            }
        if page.next is None:
            return
        query = replace(query, after=page.next)


def _sheet_value(field: Field | None, value: Any) -> Any:
    return value if field is None or value is None else field.kind.to_sheet(value)


def _safe(value: Any) -> Any:
    return neutralised(value) if isinstance(value, str) else value


def _write_csv(target: IO[bytes], names: Sequence[str], declared: DeclaredType, rows: Iterable[dict[str, Any]]) -> int:
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([_heading(declared, name) for name in names])
    count = 0
    for row in rows:
        writer.writerow([_plain(_safe(value)) for value in row.values()])
        count += 1
    text.detach()
    return count


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return as_json(value)


def _write_xlsx(target: IO[bytes], names: Sequence[str], declared: DeclaredType, rows: Iterable[dict[str, Any]]) -> int:
    workbook = xlsxwriter.Workbook(
        target,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True},
    )
    sheet = workbook.add_worksheet(str(declared.declaration.plural)[:31])
    bold = workbook.add_format({"bold": True})
    day, moment = (
        workbook.add_format({"num_format": "yyyy-mm-dd"}),
        workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
    )
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, [_heading(declared, name) for name in names], bold)
    count = 0
    for row in rows:
        count += 1
        for column, value in enumerate(row.values()):
            if isinstance(value, dt.datetime):
                sheet.write_datetime(count, column, value, moment)
            elif isinstance(value, dt.date):
                sheet.write_datetime(count, column, dt.datetime.combine(value, dt.time()), day)
            elif isinstance(value, Decimal | int) and not isinstance(value, bool):
                sheet.write_number(count, column, value)
            elif value is not None:
                sheet.write(count, column, value if isinstance(value, bool) else str(_safe(value)))
    workbook.close()
    return count


def _write_json(target: IO[bytes], names: Sequence[str], rows: Iterable[dict[str, Any]]) -> int:
    target.write(b"[")
    count = 0
    for row in rows:
        target.write((b",\n" if count else b"\n") + orjson.dumps({key: as_json(value) for key, value in row.items()}))
        count += 1
    target.write(b"\n]\n")
    return count
