"""What is planned next with records: the earliest that is due about each and not done yet, one statement for a page of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, Date, Select, cast, func, literal, null, or_, select, union_all

from comptoir.db.types import RecordRefType, UtcDateTime
from comptoir.kinds import Id
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

NOBODY: ColumnElement[Any] = cast(null(), Id)
NOWHERE: ColumnElement[Any] = cast(null(), RecordRefType())
Mark = Literal["late", "today", "plan", "none"]


@dataclass(frozen=True, slots=True)
class Planned:
    """The next thing that is due about a record, of which type, and whether its day has passed or come."""

    on: dt.date
    at: dt.datetime | None
    declared: DeclaredType
    mark: Mark


def next_planned(ctx: Context, declared: DeclaredType, ids: Collection[int]) -> Mapping[int, Planned]:
    """By id what is due next about records, as far as the reader may see it; without an entry nothing is planned."""
    parts = [part for source in _sources(ctx) for part in _parts(ctx, source, declared, ids)] if ids else []
    if not parts:
        return {}
    found: dict[int, Planned] = {}
    today = ctx.today()
    for name, record_id, reference, day, moment in ctx.session.execute(union_all(*parts)):
        on = day if moment is None else moment.astimezone(ctx.timezone).date()
        key = reference.record_id if reference is not None else record_id
        if key not in found or (on, moment is None) < (found[key].on, found[key].at is None):
            mark: Mark = "late" if on < today else "today" if on == today else "plan"
            found[key] = Planned(on, moment, ctx.registry.record_types[name], mark)
    return found


def is_followed_up(ctx: Context, declared: DeclaredType) -> bool:
    """Whether one works with the records of a type from date to date: what is due refers to them, or they to the same."""
    about = {source.fields[name].target for source in _sources(ctx) for name in source.with_role("about")} - {None}
    own = {declared.fields[name].target for name in declared.with_role("about")}
    return declared.declaration.timeline and not about.isdisjoint({declared.table.name} | own)


def _sources(ctx: Context) -> Iterator[DeclaredType]:
    """The types of what can be due, of which the reader may see some."""
    for source in ctx.registry.record_types.values():
        may_read = ctx.actor.is_system or ctx.actor.grants.scope(source.permission("read")) is not None
        if source.with_role("due") and source.with_role("about") and may_read:
            yield source


def _parts(ctx: Context, source: DeclaredType, declared: DeclaredType, ids: Collection[int]) -> Iterator[Select[Any]]:
    """The earliest days and moments of one type, by what they are about, in columns that all parts share."""
    table = source.table.c
    shown = source.visible_fields(ctx.actor.grants)
    due, done, about = ([n for n in source.with_role(role) if n in shown] for role in ("due", "done", "about"))
    if len(done) < len(source.with_role("done")):
        return  # whoever may not read what is done would be told of it as late
    is_open = [or_(table[name].is_(None), table[name] > ctx.now()) for name in done]
    key: ColumnElement[Any]
    reference: ColumnElement[Any]
    for name in about:
        field = source.fields[name]
        if field.target == declared.table.name:
            wanted, key, reference = table[name].in_(ids), table[name], NOWHERE
        elif field.kind.points_anywhere:
            wanted = table[name].in_([RecordRef(declared.name, id_) for id_ in ids])
            key, reference = NOBODY, table[name]
        else:
            continue
        for own in due:
            first = func.min(table[own])
            is_moment = source.fields[own].kind.zoned
            day, moment = (cast(null(), Date), first) if is_moment else (first, cast(null(), UtcDateTime()))
            columns = (literal(source.name).label("source"), key, reference, day, moment)
            yield (
                select(*(column.label(f"c{place}") for place, column in enumerate(columns)))
                .where(wanted, table[own].is_not(None), table.archived_at.is_(None), *is_open)
                .group_by(table[name])
            )
