"""Records that go for good, with all that hangs on them: each effect has its checks, history, version and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Integer, exists, inspect, literal, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.db.gate import ANY
from comptoir.db.record import Extension, Line, Record
from comptoir.errors import Overtaken, RuleViolation
from comptoir.i18n import _, ngettext
from comptoir.records.history import entry_row, write_history
from comptoir.records.search import forget
from comptoir.records.summaries import Tally
from comptoir.records.write.refusal import gather
from comptoir.records.write.save import ref_of, save
from comptoir.values import FieldChange, RecordRef

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from comptoir.context import Context

MOST = 5_000
"""How many other records one deletion may touch; beyond it people archive, or delete in parts."""

PART = 100
"""So many records are asked about at a time."""

HANGING = "what hangs on a deleted record"
Key = tuple[type[Record], int]


@dataclass
class Plan:
    """What a deletion does to other records, found before anything is written."""

    doomed: dict[Key, Record] = field(default_factory=dict)
    """Records that go along, in the order in which they were found."""
    detached: dict[Key, list[tuple[Any, tuple[str, ...]]]] = field(default_factory=dict)
    """By record that stays: the rows of it that point at what goes, with the columns that are emptied."""
    staying: dict[Key, Record] = field(default_factory=dict)

    def check_size(self) -> None:
        """Refuse what would take too long in one transaction."""
        count = len(self.doomed) + len(self.staying)
        if count > MOST:
            raise RuleViolation(
                "core.too_much_hangs_on_it",
                ngettext(
                    "{count} other record hangs on it. Archive it instead, or delete those first.",
                    "{count} other records hang on it. Archive it instead, or delete those first.",
                    count,
                ),
            )


def delete(ctx: Context, records: Iterable[Record]) -> None:
    """Delete records for good; refused where a rule or another record holds them.

    What points at them with ``ondelete="CASCADE"``, or is seen through them alone, goes along, what points with ``SET NULL``, or as what it is about, is saved
    without the link: by the same checks, with history, version and hooks of its own, as the system.
    """
    batch = list(dict.fromkeys(records))
    if not batch:
        return
    for model in {type(record) for record in batch}:
        ctx.require(ctx.registry.record_type(model).permission("delete"), [r for r in batch if type(r) is model])
    plan = plan_deletion(ctx, batch)
    gather(ctx.each_hook("check_deletion", ctx=ctx, records=[*batch, *plan.doomed.values()]))
    if plan.doomed or plan.staying:
        system = ctx.as_system(HANGING)
        _detach(system, plan)
        _remove(system, list(reversed(plan.doomed.values())))
        _forget_copies(ctx, plan)
    _remove(ctx, batch)


def plan_deletion(ctx: Context, batch: Sequence[Record]) -> Plan:
    """What deleting records would do to others, whether the actor sees them or not."""
    plan, session = Plan(), unrestricted(ctx, HANGING)
    given = {(type(record), record.id) for record in batch}
    level: list[Record] = list(batch)
    while level:
        found: list[Record] = []
        for pointer, row in _rows(session, list(_pointers(ctx, {type(record) for record in level})), level):
            record = _record_of(ctx, session, row)
            key = (type(record), record.id)
            if key in given or key in plan.doomed:
                continue
            if isinstance(row, Record) and (pointer.cascades or _hangs_on(ctx, row, pointer)):
                plan.doomed[key] = record
                found.append(record)
            elif not pointer.cascades:
                plan.staying[key] = record
                plan.detached.setdefault(key, []).append((row, (pointer.column,)))
        plan.check_size()
        level = found
    for key in plan.doomed:
        plan.staying.pop(key, None)
        plan.detached.pop(key, None)
    return plan


@dataclass(frozen=True)
class _Pointer:
    """A column of a model that points at records of one type: a foreign key, or what a record is about."""

    model: type[Any]
    column: str
    target: str
    cascades: bool = False
    type_name: str | None = None

    def condition(self, records: Sequence[Record]) -> ColumnElement[bool]:
        """Whether a row points at one of these, as far as they are of its type."""
        ids = [record.id for record in records if type(record).__tablename__ == self.target]
        wanted = ids if self.type_name is None else [RecordRef(self.type_name, record_id) for record_id in ids]
        return getattr(self.model, self.column).in_(wanted)  # type: ignore[no-any-return]


def _pointers(ctx: Context, models: Iterable[type[Record]]) -> Iterator[_Pointer]:
    """What may point at records of these types; what refuses their deletion is left to the database."""
    wanted: dict[str, Any] = {model.__tablename__: ctx.registry.record_type(model).name for model in models}
    for model in ctx.registry.models:
        if not issubclass(model, (Record, Line, Extension)):
            continue
        table: Any = model.__table__
        own = {"record_id", getattr(model, "__parent__", "")} if not issubclass(model, Record) else set[str]()
        for column in table.c:
            for key in column.foreign_keys:
                target, rule = key.column.table.name, key.ondelete
                if target in wanted and column.name not in own and rule in ("CASCADE", "SET NULL"):
                    yield _Pointer(model, column.name, target, rule == "CASCADE")
    for model, name in ctx.registry.any_record_fields:
        for target, type_name in wanted.items():
            yield _Pointer(model, name, target, type_name=type_name)


def _rows(session: Session, pointers: Sequence[_Pointer], records: Sequence[Record]) -> Iterator[tuple[_Pointer, Any]]:
    """The rows that point at records; those of each part by one statement that finds out where there are any."""
    for start in range(0, len(records) if pointers else 0, PART):
        some = records[start : start + PART]
        asked = [
            select(literal(place, Integer())).where(exists().where(pointer.condition(some)))
            for place, pointer in enumerate(pointers)
        ]
        for place in session.scalars(union_all(*asked) if len(asked) > 1 else asked[0]).all():
            rows = select(pointers[place].model).where(pointers[place].condition(some)).limit(MOST + 1)
            yield from ((pointers[place], row) for row in session.scalars(rows))


def _hangs_on(ctx: Context, record: Record, pointer: _Pointer) -> bool:
    """Whether nobody would see a record any more without what it points at."""
    otherwise = ctx.registry.record_type(type(record)).otherwise
    return otherwise is not None and otherwise[1] == pointer.column and getattr(record, otherwise[0]) is None


def _record_of(ctx: Context, session: Session, row: Any) -> Record:
    """The record that a row is, or belongs to."""
    if isinstance(row, Record):
        return row
    if isinstance(row, Extension):
        extended = session.get_one(type(row).extended(), row.record_id)
        extended.ext(type(row))  # held, so that its change is one of the record
        return extended
    parent = row.__parent__
    key = next(iter(row.__table__.c[parent].foreign_keys))
    declared = ctx.registry.target_of(key.column.table.name)
    owner: Record = session.get_one(declared.model, getattr(row, parent))
    for name, described in fields_of(type(owner)).items():
        if described.kind.lined and described.line is type(row):
            getattr(owner, name)  # loaded, so that the change of a line is one of its record
    return owner


def _detach(system: Context, plan: Plan) -> None:
    for rows in plan.detached.values():
        for row, names in rows:
            for name in names:
                setattr(row, name, None)
    save(system, plan.staying.values(), action="detached")


def _remove(ctx: Context, batch: Sequence[Record]) -> None:
    """Delete records that nothing points at any more, in one statement a type, with their history and hooks."""
    if not batch:
        return
    refs = [ref_of(ctx, record) for record in batch]
    titles = [ctx.registry.record_type(type(record)).title_of(record) for record in batch]
    rows: dict[Any, Any] = dict.fromkeys(batch, ANY)
    for record in batch:
        rows.update(dict.fromkeys(_loaded_parts(record), ANY))
    tally = Tally(unrestricted(ctx, "summaries"))
    tally.leave(batch)
    try:
        with ctx.session.begin_nested():
            for record in batch:
                ctx.session.delete(record)
            with ctx.session.announced(rows):
                ctx.session.flush()
    except IntegrityError:
        raise RuleViolation(
            "core.still_used",
            _("Other records point at {title}. Archive it instead, or move those records first.", title=titles[0]),
        ) from None
    except StaleDataError:
        raise Overtaken(_("Somebody changed or deleted it meanwhile. Load it again.")) from None
    forget(ctx, refs)
    tally.write()
    now = ctx.now()
    write_history(
        ctx,
        [
            entry_row(
                record_type=ref.record_type,
                record_id=ref.record_id,
                action="deleted",
                at=now,
                actor=ctx.actor,
                fields=[FieldChange("title", title, None)],
            )
            for ref, title in zip(refs, titles, strict=True)
        ],
    )
    ctx.hooks.on_records_deleted(ctx=ctx, refs=refs)
    ctx.after_commit("after_records_committed", refs)


def _loaded_parts(record: Record) -> Iterator[Any]:
    """Lines and extensions of a record that its session holds: they go in the same flush."""
    for name, described in fields_of(type(record)).items():
        if described.kind.lined and name in record.__dict__:
            yield from getattr(record, name)
    for extension in record.__dict__.get("_extensions", {}).values():
        if inspect(extension).persistent:
            yield extension


def _forget_copies(ctx: Context, plan: Plan) -> None:
    """What the system changed is read anew by the actor; what it deleted is gone for them too."""
    if ctx.actor.is_system:
        return
    for model, record_id in [*plan.doomed, *plan.staying]:
        held = ctx.session.identity_map.get(inspect(model).identity_key_from_primary_key((record_id,)))
        if held is not None:
            ctx.session.expire(held)
