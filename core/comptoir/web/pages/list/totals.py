"""What a list adds up to: the row of totals, and the headings of groups with theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.query import aggregate
from comptoir.records.query.values import format_value
from comptoir.web.addresses import without
from comptoir.web.models.list import RowGroup
from comptoir.web.models.shell import Choice
from comptoir.web.models.table import EMPTY, Row
from comptoir.web.pages.cells import Cells
from comptoir.web.pages.list.view import ListView


def totals(view: ListView, whole: int | None, sums: Mapping[str, Cell], *, capped: bool = False) -> tuple[Cell, ...]:
    """The row under the ledger rule: how many, and what the columns sum up to."""
    declared = view.declared.declaration
    count = view.formats.integer(whole or 0) + ("+" if capped else "")
    noun = str(declared.plural if whole != 1 else declared.label).lower()
    first = Cell(f"{count} {noun}")
    return tuple(first if name == view.declared.title else sums.get(name, EMPTY) for name in view.shown)


def sums(view: ListView) -> Mapping[str, Cell]:
    """Sums of columns over everything that the filters leave; money by currency, where there is more than one."""
    found: dict[str, Cell] = {}
    for name in view.summed:
        currency = view.declared.currency_of(name)
        group = [currency] if currency else []
        found[name] = _sum(view, name, aggregate(view.ctx, view.declared, view.query, group, [f"{name}:sum"]))
    return found


def _sum(view: ListView, name: str, rows: Iterable[Mapping[str, Any]]) -> Cell:
    field, cells = view.declared.fields[name], Cells(view.visit, view.declared, {})
    currency = view.declared.currency_of(name)
    summed = ((row.get(f"{name}:sum"), row.get(currency) if currency else None) for row in rows)
    parts = [field.kind.cell(field, value, cells, code).text for value, code in summed if value is not None]
    return Cell(" + ".join(parts), "money") if parts else EMPTY


def group_choices(view: ListView) -> Iterator[Choice]:
    """What the rows can be grouped by."""
    if view.groupable:
        kept = without(view.pairs, "group")
        yield Choice(str(_("Not grouped")), view.to(kept), not view.group)
        for name in view.groupable:
            target = view.to([*kept, ("group", view.declared.path_of(name))])
            yield Choice(str(view.declared.fields[name].label), target, name == view.group)


def groups(view: ListView, rows: Sequence[Row]) -> Iterator[RowGroup]:
    """The rows of the page under the headings of their groups, each with the count and the totals of the whole group."""
    declared, group = view.declared, view.group
    currencies = list(dict.fromkeys(c for name in view.summed if (c := declared.currency_of(name))))
    measures = ["count", *(f"{name}:sum" for name in view.summed)]
    figures: dict[Any, list[Mapping[str, Any]]] = {}
    for row in aggregate(view.ctx, declared, view.query, group=[group, *currencies], measures=measures):
        figures.setdefault(row[group], []).append(row)
    path = declared.path_of(group)
    kept = [p for p in without(view.pairs) if p[0] not in ("group", f"filter[{path}]", f"filter[{path}][in]")]
    for value, members in groupby(zip(view.found.rows, rows, strict=True), key=lambda pair: pair[0].get(group)):
        of_group = figures.get(value, [])
        only = (f"filter[{path}][is_null]", "true") if value is None else (f"filter[{path}]", format_value(value))
        yield RowGroup(
            view.cells.cell(group, declared.fields[group], {group: value}).text or str(_("None")),
            view.formats.integer(sum(int(row["count"]) for row in of_group)),
            tuple(row for _values, row in members),
            tuple(_sum(view, name, of_group) if name in view.summed else EMPTY for name in view.shown),
            view.to([*kept, only]),
        )
