"""The search over all record types at once: kept in step by the writer, read under the rules of each record's own table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, union_all
from sqlalchemy.exc import DatabaseError

from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.db.search import (
    HEAD,
    Entry,
    SearchEntry,
    entry_of,
    forget_entries,
    have_planned_anew,
    row_of,
    write_entries,
)
from comptoir.records.changes import Change
from comptoir.records.query.words import conditions, shape_of, values_of, words_in
from comptoir.records.search_key import searched_fields, touches_search_key
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

COUNTED = 20
"""So many records of a type are counted, beyond them a search says "20+"."""

PART = 1000
"""So many ids are compared at a time."""

LAST_LETTER = "\U0010ffff"

DECIDING = ("owner_id", "team_id", "archived_at")
_table: Any = SearchEntry.__table__


@cache
def is_searchable(model: type[Record]) -> bool:
    """Whether records of this class are found by words: some field, or some field of a line, is searched."""
    lines = (f.line for f in fields_of(model).values() if f.line is not None)
    return bool(searched_fields(model)) or any(searched_fields(line) for line in lines)


# -- kept in step ---------------------------------------------------------------------------------------------------------


def index_changes(ctx: Context, changes: Sequence[Change]) -> None:
    """Write what saved records are found by, in the transaction of the change."""
    entries = [
        entry_of(type(change.record), change.record)
        for change in changes
        if is_searchable(type(change.record))
        and (change.is_new or touches_search_key(change) or change.touches(*DECIDING))
    ]
    if entries:
        write_entries(unrestricted(ctx, "search").connection(), entries)


def forget(ctx: Context, refs: Sequence[RecordRef]) -> None:
    """Take deleted records out of the search."""
    ids: dict[str, list[int]] = defaultdict(list)
    for ref in refs:
        ids[ref.record_type].append(ref.record_id)
    for record_type, gone in ids.items():
        forget_entries(unrestricted(ctx, "search").connection(), record_type, gone)


# -- searching --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits of one record type, and whether there are more than ``COUNTED``."""

    declared: DeclaredType
    ids: tuple[int, ...]
    count: int
    more: bool


def search(ctx: Context, text: str, *, size: int = 5) -> list[Found]:
    """What a text finds among all records that the actor may see: what begins with it first, then the shorter; best types first."""
    words = words_in(text)
    types = {
        declared.name: declared
        for declared in ctx.registry.record_types.values()
        if is_searchable(declared.model)
        and (ctx.actor.is_system or ctx.actor.grants.scope(declared.permission("read")) is not None)
    }
    if not words or not all(words) or not types:
        return []
    have_planned_anew(unrestricted(ctx, "search").connection())
    beginning = " ".join(spellings[0].strip() for spellings in words)
    head = beginning[:HEAD]
    filled = {f"v{number}": value for number, value in enumerate(values_of(words))}
    filled |= {"head": head, "after": head + LAST_LETTER}
    keys: dict[tuple[str, int], str] = {}
    asked = tuple(types)
    while asked:
        rows = ctx.session.execute(_statement(shape_of(words), asked), filled).all()
        keys |= {(record_type, record_id): key for record_type, record_id, key in rows}
        if len(rows) < _limit(asked):
            break
        # a frequent word of one type must not hide the few hits of another: who has not shown enough is asked alone
        held = Counter(record_type for record_type, _id in keys)
        asked = tuple(name for name in asked if held[name] <= COUNTED)
    ranked = sorted(keys, key=lambda ref: (not keys[ref].startswith(f" {beginning}"), len(keys[ref]), ref))
    ids: dict[str, list[int]] = defaultdict(list)
    for record_type, record_id in ranked:
        ids[record_type].append(record_id)
    return [
        Found(types[name], tuple(found[:size]), min(len(found), COUNTED), len(found) > COUNTED)
        for name, found in ids.items()
    ]


def _limit(types: Sequence[str]) -> int:
    return (COUNTED + 1) * len(types)


@lru_cache(maxsize=256)
def _statement(shape: tuple[tuple[bool, ...], ...], types: tuple[str, ...]) -> Select[Any]:
    """Hits whose text begins so, by an index in order, and hits that hold every word somewhere."""
    columns = (_table.c.record_type, _table.c.record_id, _table.c.key)
    among = [_table.c.record_type.in_(types), ~_table.c.archived]

    def holding(*, indexed: bool = True) -> Iterator[ColumnElement[bool]]:
        numbers = count()
        return conditions(_table, shape, lambda type_: bindparam(f"v{next(numbers)}", type_=type_), indexed=indexed)

    first = (
        select(*columns)
        .where(_table.c.head >= bindparam("head"), _table.c.head < bindparam("after"), *among, *holding(indexed=False))
        .order_by(_table.c.head)
        .limit(COUNTED + 1)
    )
    anywhere = select(*columns).where(*among, *holding()).limit(_limit(types))
    return select(union_all(select(first.subquery()), select(anywhere.subquery())).subquery())


# -- checked and mended -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the search table departs from the records of one type: entries to write, and ids to forget."""

    record_type: str
    entries: tuple[Entry, ...]
    gone: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.entries) + len(self.gone)


def departures(ctx: Context, declared: DeclaredType, *, size: int = PART) -> Iterator[Departure]:
    """Compare the search table with a type's records, the newest first, so many ids at a time."""
    end = _last_id(ctx, declared)
    while end > 0:
        yield _departure(ctx, declared, end - size, end)
        end -= size


def mend_search(ctx: Context, name: str, *, before: int | None = None, size: int = PART) -> tuple[int, int]:
    """Correct one part of a type's entries, the newest first; how many departed, and where the next part ends, 0 at last."""
    declared = ctx.registry.record_type(name)
    end = _last_id(ctx, declared) if before is None else before
    departure = _departure(ctx, declared, end - size, end)
    mend(ctx, departure)
    return len(departure), max(end - size, 0)


def _last_id(ctx: Context, declared: DeclaredType) -> int:
    session, table = unrestricted(ctx, "search"), declared.table
    last_record = session.scalar(select(func.max(table.c.id)))
    last_entry = session.scalar(select(func.max(_table.c.record_id)).where(_table.c.record_type == declared.name))
    return max(last_record or 0, last_entry or 0)


def _departure(ctx: Context, declared: DeclaredType, start: int, end: int) -> Departure:
    """Compare the records with these ids: above start, up to end."""
    session, table, name = unrestricted(ctx, "search"), declared.table, declared.name
    dialect = session.get_bind().dialect.name
    columns = (table.c.id, table.c.search_key, table.c.owner_id, table.c.team_id, table.c.archived_at)
    wanted = {}
    for row in session.execute(select(*columns).where(table.c.id > start, table.c.id <= end)):
        entry = entry_of(declared.model, row)
        if kept := row_of(entry, dialect):
            wanted[row.id] = entry, kept
    entries = select(_table).where(_table.c.record_type == name, _table.c.record_id > start, _table.c.record_id <= end)
    held = {row.record_id: row._asdict() for row in session.execute(entries)}
    wrong = tuple(
        entry
        for record_id, (entry, kept) in wanted.items()
        if record_id not in held or any(held[record_id][column] != value for column, value in kept.items())
    )
    return Departure(name, wrong, tuple(held.keys() - wanted.keys()))


def mend(ctx: Context, departure: Departure) -> None:
    """Make the search table agree with the records where it departs from them."""
    connection = unrestricted(ctx, "search").connection()
    write_entries(connection, departure.entries)
    if departure.gone:
        forget_entries(connection, departure.record_type, departure.gone)


def is_index_sound(session: Session) -> bool:
    """Whether the trigrams agree with the table, as far as the engine keeps them apart; reads all of them."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return True
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(
                "INSERT INTO core_search_fts(core_search_fts, rank) VALUES ('integrity-check', 1)"
            )
    except DatabaseError:
        return False
    return True


def mend_index(session: Session) -> bool:
    """Build the trigrams anew where they do not agree with the table; whether that was needed."""
    if is_index_sound(session):
        return False
    session.connection().exec_driver_sql("INSERT INTO core_search_fts(core_search_fts) VALUES ('rebuild')")
    return True
