"""Summaries kept in step by the writer: what records were is taken from them, what they are is added, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, String, Table, and_, cast, delete, func, insert, literal, select, union_all
from sqlalchemy import inspect as inspected
from sqlalchemy.orm.base import NO_VALUE

from comptoir.context import unrestricted
from comptoir.db.record import Record, record_name
from comptoir.db.summary import (
    ALL,
    MAX_KEYS,
    MAX_SUMS,
    OWN,
    READY,
    TEAM,
    Summary,
    SummaryRow,
    pieces,
    ready_summaries,
    text_of,
)
from comptoir.kinds.columns import MONEY_PLACES, MoneyType
from comptoir.records.query import buckets

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from comptoir.context import Context

_table: Table = SummaryRow.__table__  # type: ignore[assignment]
_KEYS = tuple(f"k{place}" for place in range(MAX_KEYS))
_PLACES = ("record_type", "summary", "reach", "owner_id", "team_id", *_KEYS)
_FIGURES = ("records", *(f"{letter}{place}" for place in range(MAX_SUMS) for letter in "sc"))
PART = 20_000
"""So many added rows are folded in one transaction."""


class Group(NamedTuple):
    """The place of a record in one summary."""

    record_type: str
    summary: str
    reach: str
    owner_id: int
    team_id: int
    keys: tuple[str, ...]


Figures = tuple[int | Decimal, ...]
"""The number of records, then the sum and the number of values of each summed column."""


def _key(row: Any, name: str) -> str:
    column, _separator, part = name.partition(":")
    value = row[column]
    return text_of(buckets.label(value, part) if part and isinstance(value, dt.date) else value)


def _own_group(record_type: str, summary: Summary, row: Any) -> Group | None:
    """The group of a record's columns as its owner sees it; None where the summary leaves the record out."""
    keys = tuple(_key(row, name) for name in summary.keys)
    if summary.among is not None:
        name, values = summary.among
        if keys[summary.keys.index(name)] not in map(text_of, values):
            return None
    return Group(record_type, summary.name, OWN, row["owner_id"] or 0, row["team_id"] or 0, _padded(keys))


def _seen_from(own: Group) -> Iterator[Group]:
    """The group as everyone, the team and the owner see it."""
    yield own._replace(reach=ALL, owner_id=0, team_id=0)
    if own.team_id:
        yield own._replace(reach=TEAM, owner_id=0)
    if own.owner_id:
        yield own


class Tally:
    """What a batch of changes adds to the summaries: `leave` what was before the flush, `enter` what is behind it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._figures: dict[Group, Figures] = {}

    def leave(self, records: Iterable[Record]) -> None:
        """Take stored records out, as the database holds them."""
        for model, held in _by_type(records):
            names, unread = _columns(model), []
            for record in held:
                row = _stored(record, names)
                if row is None:
                    unread.append(record.id)
                else:
                    self._add(model, row, -1)
            for row in self._read(model, names, unread):
                self._add(model, row, -1)

    def enter(self, records: Iterable[Record]) -> None:
        """Put records in as they are now."""
        for model, held in _by_type(records):
            names = _columns(model)
            for record in held:
                self._add(model, {name: getattr(record, name) for name in names}, 1)

    def write(self) -> None:
        """Add the rows in the transaction of the changes."""
        add_rows(self._session, self._figures)

    def _read(self, model: type[Record], names: Iterable[str], ids: Sequence[int]) -> Iterator[Any]:
        table: Any = model.__table__
        columns = [table.c[name] for name in names]
        for start in range(0, len(ids), 500):
            some = select(*columns).where(table.c.id.in_(ids[start : start + 500]))
            yield from self._session.execute(some).mappings()

    def _add(self, model: type[Record], row: Any, sign: int) -> None:
        if row["archived_at"] is not None:
            return
        for summary in model.__record__.summaries:
            own = _own_group(record_name(model), summary, row)
            if own is None:
                continue
            figures: list[int | Decimal] = [sign]
            for name in summary.sums:
                value = row[name]
                figures += (Decimal(0), 0) if value is None else (sign * Decimal(value), sign)
            for group in _seen_from(own):
                self._figures[group] = _plus(self._figures.get(group), figures)


def _by_type(records: Iterable[Record]) -> Iterator[tuple[type[Record], list[Record]]]:
    found: dict[type[Record], list[Record]] = defaultdict(list)
    for record in records:
        if type(record).__record__.summaries:
            found[type(record)].append(record)
    yield from found.items()


def touches_summaries(record: Record) -> bool:
    """Whether a stored record has unsaved changes of what a summary groups by or adds up."""
    changed = inspected(record).committed_state
    return bool(type(record).__record__.summaries) and not _columns(type(record)).isdisjoint(changed)


@cache
def _columns(model: type[Record]) -> frozenset[str]:
    kept = (summary.columns for summary in model.__record__.summaries)
    return frozenset({"owner_id", "team_id", "archived_at"}).union(*kept)


def _stored(record: Record, names: Iterable[str]) -> dict[str, Any] | None:
    """The columns of a record before it was changed; None where one of them was set without having been read."""
    before = inspected(record).committed_state
    row = {name: before[name] if name in before else getattr(record, name) for name in names}
    return None if NO_VALUE in row.values() else row


def _plus(one: Sequence[Any] | None, other: Sequence[Any]) -> Figures:
    return tuple(other) if one is None else tuple(a + b for a, b in zip(one, other, strict=True))


def add_rows(session: Session, figures: dict[Group, Figures], *, folded: bool = False) -> None:
    """Store figures as rows; those that cancel out need none."""
    rows = []
    for group, (number, *given) in figures.items():
        if not number and not any(given):
            continue
        sums = [*given, *[0] * (2 * MAX_SUMS - len(given))]
        parts = [pieces(Decimal(amount)) for amount in sums[::2]]
        for piece in range(max(map(len, parts))):
            row: dict[str, Any] = dict(zip(_PLACES, (*group[:5], *group.keys), strict=True))
            row |= {"folded": folded, "records": 0 if piece else number}
            for place, amounts in enumerate(parts):
                row[f"s{place}"] = amounts[piece] if piece < len(amounts) else Decimal(0)
                row[f"c{place}"] = 0 if piece else sums[2 * place + 1]
            rows.append(row)
    if rows:
        session.connection().execute(insert(_table), rows)


# -- folded ---------------------------------------------------------------------------------------------------------------


def fold(ctx: Context, *, size: int = PART) -> int:
    """Put the oldest added rows and those of the same groups together; how many rows that were."""
    session = unrestricted(ctx, "summaries")
    _one_at_a_time(session)
    added, other = _table.alias(), _table.alias()
    oldest = select(added).where(~added.c.folded, added.c.reach != READY).order_by(added.c.id).limit(size).subquery()
    same = and_(*(other.c[name] == oldest.c[name] for name in _PLACES))
    ids = select(other.c.id).join(oldest, same)
    gone = delete(_table).where(_table.c.id.in_(ids)).returning(*(_table.c[name] for name in (*_PLACES, *_FIGURES)))
    figures: dict[Group, Figures] = {}
    rows = session.connection().execute(gone).all()
    for row in rows:
        record_type, summary, reach, owner, team, *keys = row[: 5 + MAX_KEYS]
        group = Group(record_type, summary, reach, owner, team, tuple(keys))
        figures[group] = _plus(figures.get(group), row[5 + MAX_KEYS :])
    add_rows(session, figures, folded=True)
    return len(rows)


def _one_at_a_time(session: Session) -> None:
    """Nobody else folds or corrects until the transaction ends; who changes records does not wait."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE core_summary IN SHARE UPDATE EXCLUSIVE MODE")


# -- compared and corrected -------------------------------------------------------------------------------------------------


def departing(ctx: Context, model: type[Record], summary: Summary) -> dict[Group, Figures]:
    """What would have to be added to a summary to agree with the records; one statement reads both sides as they are."""
    session = unrestricted(ctx, "summaries")
    dialect = session.get_bind().dialect.name
    record_type, table, width = record_name(model), model.__table__, len(summary.keys)
    found: dict[Group, Figures] = {}
    for side, owner, team, *rest in session.execute(_both_sides(model, summary, dialect)):
        keys, number, sums = rest[:width], rest[width], rest[width + 1 :]
        columns: list[Any] = [table.c[name.partition(":")[0]] for name in (*summary.keys, *summary.sums)]
        figures = [number]
        for column, amount, count in zip(columns[width:], sums[::2], sums[1::2], strict=True):
            is_exact = bool(side) or isinstance(column.type, MoneyType)
            figures += [_money(amount or "0", dialect) if is_exact else Decimal(amount or 0), int(count)]
        if side:
            held = Group(record_type, summary.name, side, owner, team, _padded(keys))
            found[held] = _plus(found.get(held), [-figure for figure in figures])
            continue
        plain = [
            text_of(_read_text(text, name, column, dialect))
            for text, name, column in zip(keys, summary.keys, columns[:width], strict=True)
        ]
        own = Group(record_type, summary.name, OWN, owner, team, _padded(plain))
        for group in _seen_from(own):
            found[group] = _plus(found.get(group), figures)
    return {group: figures for group, figures in found.items() if any(figures)}


def _both_sides(model: type[Record], summary: Summary, dialect: str) -> Select[Any]:
    """The groups of the records and those that are kept, values as texts; what is kept names its reach."""
    table: Any = model.__table__
    keys = []
    for name in summary.keys:
        column, _separator, part = name.partition(":")
        value = table.c[column]
        keys.append(cast(buckets.bucket(value, part, dialect, None) if part else value, String))
    sums = [
        figure
        for name in summary.sums
        for figure in (cast(func.sum(table.c[name]), String), cast(func.count(table.c[name]), String))
    ]
    owner, team = (func.coalesce(table.c[name], 0) for name in ("owner_id", "team_id"))
    counted = table.c.archived_at.is_(None)
    if summary.among is not None:
        counted &= table.c[summary.among[0]].in_(summary.among[1])
    records = select(literal(""), owner, team, *keys, func.count(), *sums).where(counted).group_by(owner, team, *keys)
    places = (_table.c.reach, _table.c.owner_id, _table.c.team_id, *(_table.c[k] for k in _KEYS[: len(keys)]))
    figures = [cast(func.sum(_table.c[name]), String) for name in _FIGURES[1 : 1 + len(sums)]]
    kept = (
        select(*places, func.sum(_table.c.records), *figures)
        .where(_table.c.record_type == record_name(model), _table.c.summary == summary.name, _table.c.reach != READY)
        .group_by(*places)
    )
    return select(union_all(records, kept).subquery())


def _padded(keys: Sequence[str]) -> tuple[str, ...]:
    return (*keys, *[""] * (MAX_KEYS - len(keys)))


def _money(text: str, dialect: str) -> Decimal:
    return Decimal(text).scaleb(-MONEY_PLACES) if dialect == "sqlite" else Decimal(text)


def _read_text(text: str | None, name: str, column: Any, dialect: str) -> Any:
    """The value of a column that the database wrote as a text."""
    part = name.partition(":")[2]
    if text is None:
        return None
    if part:
        return text if dialect == "sqlite" else buckets.label(dt.date.fromisoformat(text[:10]), part)
    return _money(text, dialect) if isinstance(column.type, MoneyType) else text


def mend_summary(ctx: Context, model: type[Record], summary: Summary) -> int:
    """Make a summary agree with the records, and let readers use it; how many groups departed."""
    session = unrestricted(ctx, "summaries")
    _one_at_a_time(session)
    missing = departing(ctx, model, summary)
    add_rows(session, missing, folded=True)
    if summary.name not in ready_summaries(session, record_name(model)):
        mark = {"record_type": record_name(model), "summary": summary.name, "reach": READY, "folded": True}
        session.connection().execute(insert(_table).values(**mark))
    return len(missing)


def forget_summaries(session: Session) -> None:
    """Throw all summaries away, because records were changed past the writer: they are made anew by the job."""
    session.connection().execute(delete(_table))


def kept_summaries(ctx: Context) -> Iterator[tuple[type[Record], Summary]]:
    """The summaries that readers use, with the records that they count."""
    session = unrestricted(ctx, "summaries")
    for declared in ctx.registry.record_types.values():
        if declared.declaration.summaries:
            ready = ready_summaries(session, declared.name)
            yield from ((declared.model, s) for s in declared.declaration.summaries if s.name in ready)


def keep_summaries(ctx: Context) -> None:
    """Fold what was added; make summaries that are new, and drop those that are declared no more."""
    session = unrestricted(ctx, "summaries")
    fold(ctx)
    kept = set(kept_summaries(ctx))
    for declared in ctx.registry.record_types.values():
        summaries = declared.declaration.summaries
        gone = delete(_table).where(_table.c.record_type == declared.name)
        if summaries:
            session.connection().execute(gone.where(_table.c.summary.not_in([summary.name for summary in summaries])))
        for summary in summaries:
            if (declared.model, summary) not in kept:
                mend_summary(ctx, declared.model, summary)


def fold_some(ctx: Context, _progress: object) -> bool:
    """One turn of the job; whether there may be more to fold."""
    return fold(ctx) >= PART


def make_missing(ctx: Context, _progress: object) -> None:
    """The last turn of the job."""
    keep_summaries(ctx)
