"""What must hold before a batch is written: fields, stages, references, unique values, trees, and the plugins' checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal, select, union_all

from comptoir.context import unrestricted
from comptoir.db.fields import Field, fields_of
from comptoir.db.light import is_light
from comptoir.db.record import Record, module_of
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.changes import Change, held_extensions
from comptoir.records.search_key import search_key, touches_search_key
from comptoir.records.validate import check_value, doubtful_fields, violations_of
from comptoir.records.write.refusal import gather
from comptoir.records.write.stages import Chosen, Move, moves_of
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context


def check(ctx: Context, changes: Sequence[Change], chosen: Chosen) -> list[Move]:
    """Raise `RuleViolations` with everything that is wrong in a batch; returns the moves that are in it."""
    moves, violations = moves_of(ctx, changes, chosen)
    doubtful = _doubtful(change.record for change in changes)
    for change in changes:
        record = change.record
        changed = None if change.is_new else [n for n in change.fields if "." not in n]
        names = doubtful.get(record, changed)
        violations += violations_of(record, names)
        for extension in held_extensions(record):
            violations += violations_of(extension, prefix=f"{module_of(type(extension))}.")
        if change.is_new or touches_search_key(change):
            record.search_key = search_key(record)
    violations += _missing_references(ctx, (r for change in changes for r in _references(ctx, change)))
    violations += _unseen(ctx, changes)
    violations += _duplicates(ctx, changes)
    violations += _cycles(ctx, changes)
    checks = [
        *ctx.each_hook("check_records", ctx=ctx, changes=changes),
        *(c for move in moves for c in move.checks(ctx)),
    ]
    gather(checks, violations)
    return moves


def _doubtful(records: Iterable[Record]) -> dict[Record, list[str]]:
    """The fields to look at of each light record."""
    light: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        if is_light(record):
            light[type(record)].append(record)
    return {record: names for own in light.values() for names in [doubtful_fields(own)] for record in own}


def check_values(ctx: Context, fields: Mapping[str, Field], values: Mapping[str, Any]) -> None:
    """Raise `RuleViolations` with everything that is wrong with values that belong to no record, each at its name."""
    given = [(name, described, values.get(name)) for name, described in fields.items()]
    violations = [v for name, described, value in given for v in check_value(described, value, name)]
    violations += _missing_references(ctx, given)
    if violations:
        raise RuleViolations(violations)


def _missing_references(ctx: Context, references: Iterable[tuple[str, Field, Any]]) -> list[RuleViolation]:
    """References to rows that are not there or that the actor may not see: both read the same."""
    wanted: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, described, value in references:
        referred = described.kind.refers_to(described, value)
        if referred is not None:
            wanted[referred[0]][referred[1]].append(name)
    for address in ("core_user", "core_team"):
        if address in wanted and ctx.knows(address, set(wanted[address])):
            del wanted[address]
    found: list[RuleViolation] = []
    seen = _visible(ctx, wanted) if wanted else {}
    for address, ids in wanted.items():
        for record_id, names in ids.items():
            if record_id not in seen.get(address, ()):
                found += [
                    RuleViolation(
                        "core.unknown_reference",
                        _("There is no record {id} here, or you may not see it.", id=record_id),
                        field=name,
                    )
                    for name in names
                ]
    return found


def _visible(ctx: Context, wanted: Mapping[str, Iterable[int]]) -> dict[str, set[int]]:
    """Those of the ids that the actor may see, by table or record type; of what is off nobody sees anything."""
    found: dict[str, set[int]] = {}
    parts = []
    for address, ids in wanted.items():
        declared = ctx.registry.target_of(address) if "." in address else None
        if "." not in address:
            table = ctx.registry.table(address)
        elif declared is None or ctx.actor.grants.scope(declared.permission("read")) is None:
            continue
        else:
            table = declared.table
        found[address] = set()
        parts.append(select(literal(address).label("address"), table.c.id).where(table.c.id.in_(list(ids))))
    if parts:
        for address, record_id in ctx.session.execute(union_all(*parts) if len(parts) > 1 else parts[0]):
            found[address].add(record_id)
    return found


def _references(ctx: Context, change: Change) -> Iterator[tuple[str, Field, Any]]:
    """The changed values of a record, its extensions and its lines that may be references: field, declaration, value."""
    declared = ctx.registry.record_type(type(change.record))
    for name in declared.pointing:
        described, changed = declared.fields[name], change.fields.get(name)
        if changed is None:
            continue
        if described.line is None:
            yield name, described, changed.after
            continue
        for inner, of_line in fields_of(described.line).items():
            for position, line in enumerate(changed.after or ()):
                yield f"{name}.{position}.{inner}", of_line, line[inner]


def _unseen(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Records that nobody could see: they name neither of the two records through which they would be."""
    for change in changes:
        declared = ctx.registry.record_type(type(change.record))
        if declared.otherwise is None or not (change.is_new or change.touches(*declared.otherwise)):
            continue
        first, second = declared.otherwise
        other = getattr(change.record, second)
        if getattr(change.record, first) is not None:
            continue
        labels = {"label": declared.fields[first].label, "other": declared.fields[second].label}
        if other is None:
            yield RuleViolation("core.belongs_to_nothing", _("Fill in “{label}” or “{other}”.", **labels), field=first)
        elif isinstance(other, RecordRef) and not _carries_others(ctx, other):
            yield RuleViolation(
                "core.no_history",
                _("This has no history of its own to stand in. Fill in “{label}” too.", **labels),
                field=second,
            )


def _carries_others(ctx: Context, ref: RecordRef) -> bool:
    declared = ctx.registry.record_types.get(ref.record_type)
    return declared is None or declared.carries_others  # of a type that is unknown the reference is refused


def _duplicates(ctx: Context, changes: Sequence[Change]) -> list[RuleViolation]:
    """Values of unique fields that another record has already, in the batch or in the database."""
    found: list[RuleViolation] = []
    seen: dict[tuple[type, str], dict[Any, Record]] = defaultdict(dict)
    for change in changes:
        model = type(change.record)
        for name, described in fields_of(model).items():
            if not described.unique or name not in change.fields:
                continue
            value = getattr(change.record, name)
            if value in (None, "") or any(check_value(described, value, name)):
                continue
            if value in seen[model, name]:
                found.append(_taken(described, name, value))
            seen[model, name][value] = change.record
    for (model, name), by_value in seen.items():
        column = getattr(model, name)
        rows = unrestricted(ctx, "values that others hold").execute(
            select(model.id, column).where(column.in_(list(by_value)))
        )
        for record_id, value in rows:
            if by_value[value].id != record_id:
                found.append(_taken(fields_of(model)[name], name, value))
    return found


def _taken(described: Any, name: str, value: Any) -> RuleViolation:
    return RuleViolation(
        "core.not_unique",
        _("{label} “{value}” is taken. Choose another.", label=described.label, value=value),
        field=name,
    )


def _cycles(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """The records that would lie below themselves in their tree; reads one level of a tree per query."""
    moved: dict[tuple[type[Record], str], list[Record]] = defaultdict(list)
    for change in changes:
        for name, described in fields_of(type(change.record)).items() if not change.is_new else ():
            if described.tree and name in change.fields:
                moved[type(change.record), name].append(change.record)
    for (model, name), records in moved.items():
        above: dict[int, int | None] = {record.id: getattr(record, name) for record in records}
        table: Any = model.__table__
        while level := {parent for parent in above.values() if parent is not None} - above.keys():
            rows = unrestricted(ctx, "values that others hold").execute(
                select(table.c.id, table.c[name]).where(table.c.id.in_(level))
            )
            known: dict[int, int | None] = dict(rows.all())
            above.update({parent: known.get(parent) for parent in level})
        for record in records:
            if _lies_below_itself(record.id, above):
                title = ctx.registry.record_type(model).title_of(record)
                yield RuleViolation(
                    "core.cycle",
                    _("{title} cannot be part of itself, nor of what lies below it.", title=title),
                    field=name,
                )


def _lies_below_itself(start: int, above: Mapping[int, int | None]) -> bool:
    seen: set[int] = set()
    here: int | None = start
    while here is not None and here not in seen:
        seen.add(here)
        here = above.get(here)
    return here == start
