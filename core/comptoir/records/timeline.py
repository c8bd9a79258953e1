"""What happened with a record, newest first: its own changes and the records that are about it, in parts.

Every entry has a place of its own, its moment, source and id: a part begins behind the place where the last one ended, so
that nothing is lost or repeated, however many things happened at one moment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import MAX_ID
from comptoir.records.history import Entry, changes_until
from comptoir.records.query import All, Any_, Compare, Filter, Strand, and_also, newest
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

PART = 30
CHANGES = ""
"""The source of a record's own changes; that of other records is the name of their type."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a happening stands; the newest is the greatest."""

    at: dt.datetime
    source: str
    id: int

    def __str__(self) -> str:
        return f"{self.at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}~{self.source}~{self.id}"

    @classmethod
    def parse(cls, text: str, field: str) -> Place:
        """The place that a text stands for, as it was given out."""
        try:
            moment, source, number = text.split("~")
            found = cls(dt.datetime.fromisoformat(moment).astimezone(dt.UTC), source, int(number))
            if 0 < found.id <= MAX_ID and len(source) <= 80:
                return found
        except (ValueError, OverflowError):
            pass
        raise RuleViolation(
            "core.not_a_cursor", _("This is no place in a history. Begin with the newest."), field=field
        )


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened: a change of the record, or a row of another record that is about it."""

    place: Place
    entry: Entry | None = None
    declared: DeclaredType | None = None
    row: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Happenings, newest first; ``next`` is the place behind which the following part begins, None at the first."""

    happenings: tuple[Happening, ...] = ()
    next: Place | None = None


def timeline_of(ctx: Context, record: Any, *, size: int = PART, after: Place | None = None) -> Part:
    """The newest things that happened with a record, or those behind a place: one statement for the changes, one for the records.

    The caller has loaded the record through its own session; related records are read under the reader's rules.
    """
    declared = ctx.registry.record_type(type(record))
    sources = sorted(ctx.registry.record_types.values(), key=lambda source: source.name, reverse=True)
    strands = [
        _strand(ctx, source, about, after)
        for source in sources
        if (about := _about(source, declared, record, ctx)) is not None
    ]
    found = list(_changes(ctx, record, size + 1, after))
    for source, at, row in newest(ctx, strands, size + 1):
        found.append(Happening(Place(at, source.name, row["id"]), declared=source, row=row))
    found.sort(key=lambda happening: happening.place, reverse=True)
    shown = tuple(found[:size])
    return Part(shown, shown[-1].place if len(found) > size else None)


def _changes(ctx: Context, record: Any, size: int, after: Place | None) -> Iterator[Happening]:
    before = None if after is None else (after.at, after.id if after.source == CHANGES else MAX_ID)
    for entry in changes_until(ctx, record, limit=size, before=before):
        yield Happening(Place(entry.at, CHANGES, entry.id), entry)


def _about(source: DeclaredType, declared: DeclaredType, record: Any, ctx: Context) -> Filter | None:
    """Which records of a type are about this one: by its references to the type, else by those to any record."""
    grants = ctx.actor.grants
    if not ctx.actor.is_system and grants.scope(source.permission("read")) is None:
        return None
    fields = [source.fields[name] for name in source.with_role("about") if name not in source.hidden_fields(grants)]
    found = [Compare(field.path, "eq", record.id) for field in fields if field.target == declared.table.name]
    if not found:
        reference = RecordRef(declared.name, record.id)
        found = [Compare(field.name, "eq", reference) for field in fields if field.kind.points_anywhere]
    return Any_(tuple(found)) if len(found) > 1 else next(iter(found), None)


def _strand(ctx: Context, source: DeclaredType, about: Filter, after: Place | None) -> Strand:
    shown = source.visible_fields(ctx.actor.grants)
    moment = next((name for name in source.with_role("happened") if name in shown), "created_at")
    fields = dict.fromkeys([source.title, "owner_id", *source.with_role("face"), *source.with_role("body")])
    fields |= dict.fromkeys(filter(None, map(source.currency_of, filter(shown.__contains__, fields))))
    where = about if after is None else and_also(about, _behind(moment, source.name, after))
    plain = (n for n in fields if n in shown and source.fields[n].computed is None and not source.fields[n].kind.lined)
    return Strand(source, where, moment, tuple(dict.fromkeys((moment, *plain))))


def _behind(moment: str, source: str, after: Place) -> Filter:
    """The records of a source behind a place in the stream."""
    at = partial(Compare, moment)
    if source != after.source:
        return at("lte" if source < after.source else "lt", after.at)
    return Any_((at("lt", after.at), All((at("eq", after.at), Compare("id", "lt", after.id)))))
