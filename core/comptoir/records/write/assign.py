"""Values put into records: the same for forms, the API and imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect

from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.records.declared import DeclaredType
from comptoir.records.validate import reader_of


def assign(record: Record, declared: DeclaredType, name: str, value: Any) -> None:
    """Set a field by its wire name, an extension's on its side row; what does not differ stays untouched."""
    module, dot, own = name.partition(".")
    if not dot:
        set_value(record, name, value)
    elif (extension := declared.extension_of(module)) is not None:
        set_value(record.ext(extension), own, value)


def assign_all(record: Record, declared: DeclaredType, values: Mapping[str, Any]) -> None:
    """Set what a schema has loaded: own fields, lines by position, an extension's fields as one object under its module."""
    for name, value in values.items():
        described = declared.fields.get(name)
        if described is None:
            for inner, inner_value in (value or {}).items():
                assign(record, declared, f"{name}.{inner}", inner_value)
        elif described.kind.lined:
            assign_lines(record, name, described.line, value)
        else:
            assign(record, declared, name, value)


def assign_lines(record: Record, name: str, model: Any, wanted: Any) -> None:
    """Make a record's lines equal the wanted ones; those that keep their position keep their row.

    A line's field that is not among the wanted values takes its default.
    """
    lines = getattr(record, name)
    del lines[len(wanted) :]
    for position, values in enumerate(wanted):
        if position == len(lines):
            lines.append(model(**values, position=position))
            continue
        line, fresh = lines[position], None
        for inner, described in fields_of(model).items():
            if described.server:
                continue
            if inner not in values and fresh is None:
                fresh = model()
            set_value(line, inner, values[inner] if inner in values else getattr(fresh, inner))


def set_value(row: Any, name: str, value: Any) -> None:
    """Assign only what differs, so that an unchanged row stays unchanged; a new row keeps even an empty value."""
    if reader_of(row)(name) != value or inspect(row).transient:
        setattr(row, name, value)
