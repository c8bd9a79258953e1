"""Values of records as cells: formatted for the reader, references by their titles, which are looked up at once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from comptoir.db.fields import NUMERIC, Field, Kind
from comptoir.db.record import Extension, module_of
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import titles
from comptoir.records.validate import is_dialable
from comptoir.web.formats import phone_in_groups
from comptoir.web.frame import module_of as module_view
from comptoir.web.session import Visit
from comptoir.web.view_models import EMPTY, Cell, CellKind, Column, Module

PEOPLE = frozenset({"core_user"})
KINDS: Mapping[Kind, CellKind] = {
    Kind.INTEGER: "number", Kind.DECIMAL: "number", Kind.MONEY: "money", Kind.PERCENT: "percent", Kind.DATE: "moment",
    Kind.MOMENT: "moment", Kind.BOOLEAN: "bool", Kind.CHOICE: "status", Kind.STAGE: "status", Kind.PHONE: "phone",
    Kind.EMAIL: "email",
}  # fmt: skip

Titles = Mapping[tuple[str, int], str]


def wire_name(column: Any) -> str:
    """The wire name of a declared column: ``amount``, or ``sales.credit_limit`` of an extension."""
    owner: type[Any] = column.class_
    key = str(column.key)
    return f"{module_of(owner)}.{key}" if issubclass(owner, Extension) else key


def value_of(record: Any, declared: DeclaredType, name: str) -> Any:
    """A field's value, of the record itself or of an extension."""
    module, dot, own = name.partition(".")
    if not dot:
        return getattr(record, name)
    extension = declared.extension_of(module)
    return getattr(record.ext(extension), own) if extension is not None else None


def look_up_titles(visit: Visit, wanted: Mapping[str, Collection[int]]) -> Titles:
    """The titles of records by table and id, as far as the reader may see them; one statement for each table."""
    found = titles(visit.context, wanted)
    return {(table, record_id): title for table, by_id in found.items() for record_id, title in by_id.items()}


def wanted_titles(fields: Mapping[str, Field], rows: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """The ids whose titles some rows need, by table."""
    references = [(name, str(field.target)) for name, field in fields.items() if field.kind is Kind.REFERENCE]
    found: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        for name, table in references:
            if row.get(name):
                found[table].add(row[name])
    return found


class Cells:
    """Makes the cells of one page."""

    def __init__(self, visit: Visit, declared: DeclaredType, known: Titles) -> None:
        self.visit = visit
        self.declared = declared
        self.titles = known
        workflow = declared.declaration.workflow
        stages = workflow.stages(visit.context) if workflow is not None else ()
        self._stages = {stage.name: (str(stage.label), stage_tone(stage)) for stage in stages}

    def cell(self, name: str, field: Field, row: Mapping[str, Any]) -> Cell:
        """The cell of one field of a row."""
        value, formats = row.get(name), self.visit.formats
        if value is None or value == "":
            return EMPTY
        match field.kind:
            case Kind.REFERENCE:
                return self.reference(str(field.target), value)
            case Kind.STAGE:
                label, tone = self._stages.get(value, (value, "off"))
                return Cell(label, "status", tone=tone)
            case Kind.CHOICE:
                chosen = next((c for c in field.choices if c.value == value), None)
                label = str(chosen.label) if chosen else str(value)
                return Cell(label, "status", tone=chosen.tone) if chosen and chosen.tone else Cell(label)
            case Kind.BOOLEAN:
                return Cell(str(_("yes") if value else _("no")), "bool", tone="ok" if value else "")
            case Kind.MONEY:
                prefix = name[: -len(field.name)]
                currency = row.get(prefix + (field.currency or "")) or None
                return Cell(formats.money(value, currency), "money")
            case Kind.INTEGER:
                return Cell(formats.integer(value) if field.grouped else str(value), "number")
            case Kind.DECIMAL:
                return Cell(formats.decimal(value), "number")
            case Kind.PERCENT:
                return Cell(formats.percent(value), "percent")
            case Kind.DATE:
                return Cell(formats.near_day(value), "moment", iso=value.isoformat())
            case Kind.MOMENT:
                return Cell(formats.moment(value), "moment", iso=value.isoformat())
            case Kind.URL:
                return Cell(str(value).removeprefix("https://").removeprefix("http://").rstrip("/"), "link", url=value)
            case Kind.PHONE if not any(character.isdigit() for character in str(value)):
                return Cell(str(value), note=str(_("no number to dial")))
            case Kind.PHONE:
                number = str(value)
                return Cell(phone_in_groups(number), "phone", url=number, tone="" if is_dialable(number) else "warn")
            case Kind.EMAIL:
                return Cell(str(value), "email")
            case Kind.LONG_TEXT:
                return Cell(" ".join(str(value).split())[:140])
            case _:
                return Cell(str(value))

    def reference(self, table: str, record_id: int) -> Cell:
        """A link to another record by its title; nothing where the reader may not see it."""
        title = self.titles.get((table, record_id))
        if title is None:
            return Cell("…", note=str(_("hidden from you")))
        if table in PEOPLE:
            return Cell(title, "person")
        target = self.visit.registry.target_of(table)
        return Cell(title, "link", url=f"{target.url}/{record_id}" if target is not None else "")

    def column(self, name: str, field: Field, **options: Any) -> Column:
        """The head of a column."""
        kind: CellKind = "title" if name == self.declared.title else KINDS.get(field.kind, "text")
        right = field.kind in NUMERIC
        return Column(name, str(field.label), kind, right=right, module=self.module(name), **options)

    def module(self, name: str) -> Module | None:
        """The module that added a field to another's record."""
        module, dot, _rest = name.partition(".")
        return module_view(self.visit.registry, module) if dot else None


def stage_tone(stage: Any) -> str:
    """The mark of a stage: won, lost, or open by how far along it is."""
    if stage.closes:
        return "ok" if stage.won is not False else "bad"
    probability = float(stage.probability or 0)
    return "cold" if probability < 20 else ("warm" if probability < 60 else "regular")


def plain(value: Any) -> str:
    """A value of the history, as text."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return ", ".join(
            plain(item) for item in (value.values() if isinstance(value, dict) else value) if item not in (None, "")
        )
    return str(value)


def shown_change(cells: Cells, name: str, value: Any) -> str:
    """A value as stored in the history, as the page would show it."""
    field = cells.declared.fields.get(name)
    if field is None or value is None:
        return plain(value)
    try:
        if field.kind is Kind.MOMENT:
            value = dt.datetime.fromisoformat(value)
        elif field.kind is Kind.DATE:
            value = dt.date.fromisoformat(value)
        elif field.kind in NUMERIC:
            value = Decimal(str(value))
        elif field.kind is Kind.LINES:
            return plain(value)
    except ValueError:
        return plain(value)
    return cells.cell(name, field, {name: value}).text
