"""Records that go for good, with all that hangs on them: each effect has its checks, history, version and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select
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
    from comptoir.context import Context

MOST = 5_000
"""How many other records one deletion may touch; beyond it people archive, or delete in parts."""

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
    system = ctx.as_system("what hangs on a deleted record")
    plan = plan_deletion(system, batch)
    gather(ctx.each_hook("check_deletion", ctx=ctx, records=[*batch, *plan.doomed.values()]))
    _detach(system, plan)
    _remove(system, list(reversed(plan.doomed.values())))
    _forget_copies(ctx, plan)
    _remove(ctx, batch)


def plan_deletion(system: Context, batch: Sequence[Record]) -> Plan:
    """What deleting records would do to others."""
    plan = Plan()
    given = {(type(record), record.id) for record in batch}
    level: list[Record] = list(batch)
    while level:
        found: list[Record] = []
        for model, column, rule in _pointing(system, {type(record) for record in level}):
            targets = [r.id for r in level if type(r).__tablename__ == column.target]
            for row in _rows(system, model, column, targets):
                record = _record_of(system, row)
                key = (type(record), record.id)
                if key in given or key in plan.doomed:
                    continue
                if isinstance(row, Record) and (rule == "CASCADE" or _hangs_on(system, row, column)):
                    plan.doomed[key] = record
                    found.append(record)
                elif rule != "CASCADE":
                    plan.staying[key] = record
                    plan.detached.setdefault(key, []).append((row, column.emptied))
        plan.check_size()
        level = found
    for key in plan.doomed:
        plan.staying.pop(key, None)
        plan.detached.pop(key, None)
    return plan


@dataclass(frozen=True)
class _Pointer:
    """Columns of a model that point at records: a foreign key, or what a record is about."""

    target: str
    column: str
    emptied: tuple[str, ...]
    type_name: str | None = None


def _pointing(system: Context, models: Iterable[type[Record]]) -> Iterator[tuple[type[Any], _Pointer, str]]:
    """What may point at records of these types, and what becomes of it; what refuses is left to the database."""
    wanted: dict[str, Any] = {model.__tablename__: system.registry.record_type(model).name for model in models}
    for model in system.registry.models:
        if not issubclass(model, (Record, Line, Extension)):
            continue
        table: Any = model.__table__
        own = {"record_id", getattr(model, "__parent__", "")} if not issubclass(model, Record) else set[str]()
        for column in table.c:
            for key in column.foreign_keys:
                rule = key.ondelete or ""
                if key.column.table.name in wanted and column.name not in own and rule in ("CASCADE", "SET NULL"):
                    yield model, _Pointer(key.column.table.name, column.name, (column.name,)), rule
    for model, name in system.registry.any_record_fields:
        for target, type_name in wanted.items():
            yield model, _Pointer(target, name, (name,), type_name), "SET NULL"


def _hangs_on(system: Context, record: Record, pointer: _Pointer) -> bool:
    """Whether nobody would see a record any more without what it points at."""
    otherwise = system.registry.record_type(type(record)).otherwise
    return otherwise is not None and otherwise[1] == pointer.column and getattr(record, otherwise[0]) is None


def _rows(system: Context, model: type[Any], pointer: _Pointer, ids: Sequence[int]) -> Iterator[Any]:
    for start in range(0, len(ids), 500):
        some: Sequence[Any] = ids[start : start + 500]
        if pointer.type_name is not None:
            some = [RecordRef(pointer.type_name, record_id) for record_id in some]
        yield from system.session.scalars(select(model).where(getattr(model, pointer.column).in_(some)).limit(MOST + 1))


def _record_of(system: Context, row: Any) -> Record:
    """The record that a row is, or belongs to."""
    if isinstance(row, Record):
        return row
    if isinstance(row, Extension):
        extended = system.session.get_one(type(row).extended(), row.record_id)
        extended.ext(type(row))  # held, so that its change is one of the record
        return extended
    parent = row.__parent__
    key = next(iter(row.__table__.c[parent].foreign_keys))
    declared = system.registry.target_of(key.column.table.name)
    owner: Record = system.session.get_one(declared.model, getattr(row, parent))
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
