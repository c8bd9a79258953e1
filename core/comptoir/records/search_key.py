"""The folded text by which a record is found."""

from __future__ import annotations

from functools import cache

from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.db.types import fold
from comptoir.records.changes import Change
from comptoir.records.validate import reader_of

SEARCH_KEY_LENGTH = 2000


def touches_search_key(change: Change) -> bool:
    """Whether the change may alter what the record is found by."""
    declared = fields_of(type(change.record))
    return any(
        described.search or described.kind.lined
        for described in (declared[name] for name in change.fields if name in declared)
    )


@cache
def searched_fields(model: type) -> tuple[str, ...]:
    """The search fields of a model that every reader sees."""
    return tuple(name for name, field in fields_of(model).items() if field.search and field.read is None)


def search_key(record: Record) -> str:
    """The folded text by which a record is found: its search fields and those of its lines, as far as every reader sees them."""
    parts: list[str] = []
    value_of = reader_of(record)
    for name, described in fields_of(type(record)).items():
        if described.kind.lined:
            searched = searched_fields(described.line) if described.line is not None else ()
            for line in (value_of(name) or ()) if searched else ():
                parts += [str(value) for value in map(reader_of(line), searched) if value]
        elif described.search and described.read is None and (value := value_of(name)):
            parts.append(str(value))
    return fold(" ".join(parts))[:SEARCH_KEY_LENGTH]
