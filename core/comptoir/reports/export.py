"""The table of an answer as CSV and XLSX: labels as on the page, plain numbers, one column for each currency."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO

import xlsxwriter

from comptoir.i18n import _
from comptoir.records.transfer.exporting import _safe as safe
from comptoir.reports.measures import Figure
from comptoir.reports.pivot import Answer

Value = str | int | Decimal | None
FORMATS = ("csv", "xlsx")


def table(answer: Answer) -> Iterator[list[Value]]:
    """The heading, the rows and the totals."""
    blocks = ["", *(heading.label for heading in answer.headings)]
    measures = answer.pivot.measures
    currencies = {m.name: _currencies(answer, m.name) for m in measures}
    head: list[Value] = [str(answer.heading)]
    for block in blocks:
        for measure in measures:
            for currency in currencies[measure.name]:
                parts = (block, str(measure.label), currency if len(currencies[measure.name]) > 1 or currency else "")
                head.append(" ".join(part for part in parts if part))
    yield head

    def cells(label: str, blocks: list[Mapping[str, Figure]]) -> list[Value]:
        row: list[Value] = [label]
        for figures in blocks:
            for measure in measures:
                row += [_in(figures[measure.name], currency, answer.currency) for currency in currencies[measure.name]]
        return row

    for line in answer.lines:
        yield cells(line.label, [line.figures, *line.cells])
    yield cells(str(_("Total")), [answer.totals, *answer.column_totals])


def _currencies(answer: Answer, name: str) -> list[str]:
    found: dict[str, None] = {}
    for figures in (answer.totals, *answer.column_totals, *(line.figures for line in answer.lines)):
        figure = figures[name]
        if isinstance(figure, Mapping):
            found.update(dict.fromkeys(figure))
    return sorted(found, key=lambda code: (code != answer.currency, code)) or [""]


def _in(figure: Figure, currency: str, main: str) -> Value:
    if isinstance(figure, Mapping):
        return figure.get(currency)
    return figure if currency in ("", main) else None


def write(answer: Answer, target: IO[bytes], format: str) -> None:
    """Write the table to a file of one of `FORMATS`."""
    if format == "csv":
        text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
        csv.writer(text).writerows([_plain(value) for value in row] for row in table(answer))
        text.detach()
        return
    workbook = xlsxwriter.Workbook(target, {"strings_to_formulas": False, "strings_to_urls": False})
    sheet = workbook.add_worksheet()
    bold = workbook.add_format({"bold": True})
    sheet.freeze_panes(1, 1)
    for number, row in enumerate(table(answer)):
        for column, value in enumerate(row):
            if isinstance(value, int | Decimal):
                sheet.write_number(number, column, value)
            elif value is not None:
                sheet.write_string(number, column, str(safe(value)), *([bold] if number == 0 else []))
    workbook.close()


def _plain(value: Value) -> Value:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else safe(value)
