"""Values of records as cells: formatted for the reader, references by their titles, which are looked up at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from comptoir.db.fields import Field
from comptoir.db.record import Extension, module_of
from comptoir.errors import RuleViolation
from comptoir.formats import Formats
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import titles
from comptoir.web.frame import module_of as module_view
from comptoir.web.models.shell import Module
from comptoir.web.models.table import EMPTY, Column
from comptoir.web.session import Visit

PEOPLE = frozenset({"core_user"})
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
    """The titles of records by table and id, as far as the reader may see them; one statement."""
    found = titles(visit.context, wanted)
    return {(table, record_id): title for table, by_id in found.items() for record_id, title in by_id.items()}


def wanted_titles(fields: Mapping[str, Field], rows: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """The ids whose titles some rows need, by table."""
    found: dict[str, set[int]] = defaultdict(set)
    pointing = {name: field for name, field in fields.items() if field.target is not None or field.kind.points_anywhere}
    for row in rows if pointing else ():
        for name, field in pointing.items():
            if (referred := field.kind.refers_to(field, row.get(name))) is not None:
                found[referred[0]].add(referred[1])
    return found


def details_of(visit: Visit, declared: DeclaredType) -> tuple[str, ...]:
    """The fields that tell records of one title apart, as far as the reader may see them; at most two."""
    hidden = declared.hidden_fields(visit.context.actor.grants)
    names = dict.fromkeys((*declared.with_role("subtitle"), *declared.with_role("status")))
    return tuple(name for name in names if name not in hidden)[:2]


def shown_details(visit: Visit, declared: DeclaredType, row: Mapping[str, Any], names: Iterable[str]) -> str:
    """What these fields of a row say, in one line."""
    cells = Cells(visit, declared, {})
    return " · ".join(cells.cell(n, declared.fields[n], row).text for n in names if row.get(n))


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
        value = row.get(name)
        if value is None or value == "":
            return EMPTY
        currency = row.get(name[: -len(field.name)] + field.currency) if field.currency else None
        return field.kind.cell(field, value, self, currency)

    @property
    def formats(self) -> Formats:
        """How the reader sees values."""
        return self.visit.formats

    def stage(self, name: str) -> Cell:
        """A stage by its label, with its mark."""
        label, tone = self._stages.get(name, (name, "off"))
        return Cell(label, "status", tone=tone)

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
        look = "title" if name == self.declared.title else field.kind.look
        return Column(name, str(field.label), look, right=field.kind.numeric, module=self.module(name), **options)

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


def stored_value(field: Field, stored: Any) -> Any:
    """The value that the history keeps as JSON; None where it is no value of the field any more."""
    try:
        return None if stored is None or field.kind.lined else field.kind.from_json(field, stored)
    except RuleViolation:
        return None


def shown_change(cells: Cells, name: str, value: Any) -> str:
    """A value as stored in the history, as the page would show it."""
    field = cells.declared.fields.get(name)
    found = stored_value(field, value) if field is not None else None
    return plain(value) if field is None or found is None else cells.cell(name, field, {name: found}).text
