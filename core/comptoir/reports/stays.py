"""The history as a source: how long records stood at each stage, and who moved what when.

The records come from the actor's own session, which is the proof that they may be read; their moves from the history.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, bindparam, select

from comptoir.context import unrestricted
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Exact, Field, Moment, Reference, StageOf
from comptoir.records.history import HistoryEntry
from comptoir.records.query import buckets
from comptoir.records.query.aggregate import read_group
from comptoir.records.query.compile import Builder, dialect_of, lower
from comptoir.records.query.paths import refuse, unknown
from comptoir.records.query.tree import WITHOUT, Filter
from comptoir.reports.cells import Cells, Key
from comptoir.reports.dimensions import Dimension
from comptoir.reports.labels import Labels
from comptoir.reports.measures import Atom, Cell

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_RECORDS = 200_000
DAY = Decimal(86_400)

FIELDS = {
    "at_stage": Field(StageOf(), _("Stage"), name="at_stage"),
    "next_stage": Field(StageOf(), _("Moved to"), name="next_stage"),
    "moved_by": Field(Reference(), _("Moved by"), name="moved_by", target="core_user"),
    "entered_at": Field(Moment(), _("Arrived"), name="entered_at"),
    "left_at": Field(Moment(), _("Left"), name="left_at"),
    "days": Field(Exact(), _("Days"), name="days"),
}
"""What a stay is grouped by and measured by, besides the fields of its record."""


class Stay(NamedTuple):
    """A record stood at a stage; ``left_at`` is None where it still does, and its days are counted until now."""

    record_id: int
    at_stage: str
    entered_at: dt.datetime
    left_at: dt.datetime | None
    next_stage: str | None
    moved_by: int | None

    def days(self, now: dt.datetime) -> Decimal:
        """How long, with two decimals."""
        length = (self.left_at or now) - self.entered_at
        return (Decimal(int(length.total_seconds())) / DAY).quantize(Decimal("0.01"))


def stays_of(ctx: Context, declared: DeclaredType, ids: Sequence[int] | dict[int, Any]) -> Iterator[Stay]:
    """Every stay of these records in the order of their numbers, read from the history in one statement."""
    workflow = declared.declaration.workflow
    if workflow is None:
        raise refuse("core.no_stages", _("{name} have no stages.", name=declared.declaration.plural), "source")
    changed = HistoryEntry.changes[workflow.field]
    rows = unrestricted(ctx, "history").execute(
        select(HistoryEntry.record_id, HistoryEntry.at, HistoryEntry.user_id, changed)
        .where(HistoryEntry.record_type == declared.name, changed.is_not(None))
        .order_by(HistoryEntry.record_id, HistoryEntry.id),
        execution_options={"yield_per": 5_000},
    )
    here: tuple[int, str, dt.datetime] | None = None
    for record_id, at, user_id, pair in rows:
        if record_id not in ids or not isinstance(pair, list) or pair[1] is None:
            continue
        stage = str(pair[1])
        if here is not None and here[0] == record_id:
            yield Stay(record_id, here[1], here[2], at, stage, user_id)
        elif here is not None:
            yield Stay(*here, None, None, None)
        here = (record_id, stage, at)
    if here is not None:
        yield Stay(*here, None, None, None)


# -- as the cells of a pivot ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Key:
    """One thing to group stays by: a field of their own, or the place of a column of their record."""

    name: str = ""
    part: str = ""
    place: int = -1


def compute(
    ctx: Context, declared: DeclaredType, where: Filter | None, groups: Sequence[str], atoms: Sequence[Atom]
) -> Cells:
    """The stays of the records that a filter leaves, in groups; two statements, however many groups."""
    for atom in atoms:
        if atom.path not in ("", "days") or atom.weight or atom.where is not None:
            raise refuse("core.unknown_measure", _("Of a stay at a stage only its days are measured."), "measures")
    keys: list[_Key] = []
    outer: list[str] = []
    for name in groups:
        path, _separator, part = name.partition(":")
        if path in FIELDS and path != "days":
            dated = FIELDS[path].kind.dated
            if dated is not (part in buckets.PARTS):
                raise unknown("core.unknown_part", _("part"), part, buckets.PARTS if dated else (), "rows")
            keys.append(_Key(path, part))
        else:
            keys.append(_Key(place=len(outer)))
            outer.append(name)
    records = _records(ctx, declared, where, outer)
    found = Cells({}, Counter())
    now = ctx.now()
    wanted = list(dict.fromkeys(atoms))
    for stay in stays_of(ctx, declared, records):
        of_record = records[stay.record_id]
        key: Key = tuple(of_record[k.place] if k.place >= 0 else _value(ctx, stay, k) for k in keys)
        cell = found.cells.get(key)
        if cell is None:
            cell = found.cells[key] = Cell()
        _take(cell, wanted, stay.days(now))
    return found


def _take(cell: Cell, atoms: Sequence[Atom], days: Decimal) -> None:
    for atom in atoms:
        if atom.operation == "values":
            histogram = cell.values.setdefault(atom, {}).setdefault("", {})
            histogram[days] = histogram.get(days, 0) + 1
        elif atom.path:
            sums = cell.sums.setdefault(atom, {})
            sums[""] = sums.get("", Decimal(0)) + (days if atom.operation == "sum" else 1)
        else:
            cell.counts[atom] = cell.counts.get(atom, 0) + 1


def _value(ctx: Context, stay: Stay, key: _Key) -> Any:
    value = getattr(stay, key.name)
    if not key.part or value is None:
        return value
    return buckets.label(value.astimezone(ctx.timezone).date(), key.part)


def _records(
    ctx: Context, declared: DeclaredType, where: Filter | None, groups: Sequence[str]
) -> dict[int, tuple[Any, ...]]:
    """The records that a filter leaves and the actor may see, with the keys of their groups."""
    read = [read_group(ctx, declared, name) for name in groups]
    values: list[Any] = []
    shape = lower(ctx, declared, where, values)
    builder = Builder(ctx, declared, dialect_of(ctx))
    conditions = builder.conditions(shape, None, WITHOUT)
    columns: list[Any] = []
    for group in read:
        column, _nullable = builder.column(group.path)
        if group.part is not None:
            zone = ctx.timezone if group.path.field.kind.zoned else None
            column = buckets.bucket(column, group.part, builder.dialect, zone)
        columns.append(column.label(f"k{len(columns)}"))
    statement = (
        select(declared.table.c.id, *columns)
        .select_from(builder.source)
        .where(*conditions)
        .limit(bindparam("limit", type_=Integer()))
    )
    filled = {f"v{number}": value for number, value in enumerate(values)} | {"limit": MAX_RECORDS + 1}
    rows = ctx.session.execute(statement, filled).all()
    if len(rows) > MAX_RECORDS:
        raise RuleViolation(
            "core.too_many_groups",
            _("The history of more than {limit} records is not read at once. Choose a filter or a period.",
              limit=f"{MAX_RECORDS:,}"),
            field="filter",
        )  # fmt: skip
    return {
        row[0]: tuple(
            buckets.label(value, group.part) if group.part else value
            for group, value in zip(read, row[1:], strict=True)
        )
        for row in rows
    }


def labels(ctx: Context, declared: DeclaredType, dimension: Dimension, keys: set[Any]) -> Labels:
    """Names of the groups of a stay's own fields."""
    return Labels(ctx, declared, dimension, keys, FIELDS[dimension.path])
