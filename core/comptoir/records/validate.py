"""Whether values can be kept, by their kinds, line by line; the same for every entrance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import inspect

from comptoir.db.fields import Field, fields_of
from comptoir.db.light import Light
from comptoir.errors import RuleViolation
from comptoir.i18n import _


def violations_of(row: Any, names: Iterator[str] | Any = None, prefix: str = "") -> Iterator[RuleViolation]:
    """Every rule that the declared fields of a row break; only the named fields where names are given."""
    declared_fields = fields_of(type(row))
    value_of = reader_of(row)
    for name in declared_fields if names is None else names:
        declared = declared_fields.get(name)
        if declared is None or declared.server:
            continue
        if declared.kind.lined:
            for position, line in enumerate(value_of(name) or ()):
                yield from violations_of(line, prefix=f"{prefix}{name}.{position}.")
            continue
        value = value_of(name)
        if value is not None or declared.required:
            yield from check_value(declared, value, prefix + name)


def doubtful_fields(rows: Sequence[Any]) -> list[str]:
    """The declared fields of new rows of one model in which some value may break a rule; each column is looked at as a whole."""
    found = []
    for name, declared in fields_of(type(rows[0])).items():
        if declared.kind.lined:
            lines = [line for row in rows for line in row.__dict__.get(name, ())]
            is_in_doubt = bool(lines) and bool(doubtful_fields(lines))
        else:
            values = [value for row in rows if (value := row.__dict__.get(name)) is not None and value != ""]
            is_full = len(values) == len(rows) or not declared.required
            is_in_doubt = not is_full or (bool(values) and not declared.kind.holds(declared, values))
        if is_in_doubt and not declared.server:
            found.append(name)
    return found


def reader_of(row: Any) -> Callable[[str], Any]:
    """The quickest way to read the attributes of a row: of a new one there is nothing to load."""
    return row.__dict__.get if isinstance(row, Light) or not inspect(row).has_identity else partial(getattr, row)


def check_value(declared: Field, value: Any, field: str) -> Iterator[RuleViolation]:
    """The rules that one value breaks."""
    if value is None or value == "":
        if declared.required:
            yield RuleViolation("core.required", _("Fill in {label}.", label=declared.label), field=field)
        return
    broken = declared.kind.flaw(declared, value)
    if broken is not None:
        yield broken.at(field)
