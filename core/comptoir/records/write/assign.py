"""Values from outside — form, API, import, transition, sync — put into a record: the only setter of what a person sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from comptoir.db.fields import Field, fields_of
from comptoir.db.gate import KEPT
from comptoir.db.light import new_line
from comptoir.db.record import Extension, Record
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.validate import reader_of

if TYPE_CHECKING:
    from comptoir.context import Context


def assign(ctx: Context, record: Record, values: Mapping[str, Any]) -> None:
    """Set values of Python types by wire name; nothing is written before `save`, and what does not differ stays untouched.

    An extension's fields are ``sales.credit_limit`` or ``sales: {"credit_limit": …}``.  Lines are a list of their values,
    each kept in the row that it names by ``id``, else in the row at its place; ``phones.0.number`` sets one value of one line.
    Raises `RuleViolations` for fields that are not there and for those that the server keeps.
    """
    declared: DeclaredType = ctx.registry.record_type(type(record))
    flat = dict(_flattened(declared, values))
    places = {name: _place_of(declared, name) for name in flat}
    refused = [
        violation for name, place in places.items() if place is None for violation in _not_settable(declared, name)
    ]
    refused += [
        violation
        for name, place in places.items()
        if place is not None and place.lines is not None and place.number is None
        for violation in _strange_lines(record, name, flat[name])
    ]
    if refused:
        raise RuleViolations(refused)
    for name, place in places.items():
        assert place is not None
        if place.lines is not None and place.number is None:
            _set_lines(record, name, place.lines, flat[name])
        else:
            _set(place.row_of(record), place.inner, flat[name])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value goes that may be set: the record, one of its lines, or one of its extensions."""

    inner: str
    """The attribute of that row."""
    lines: Field | None = None
    """The field of the lines; without a number the value is all of them."""
    number: int | None = None
    extension: type[Extension[Any]] | None = None

    def row_of(self, record: Record) -> Any:
        if self.lines is not None and self.number is not None:
            return _line_at(record, self.lines, self.number)
        return record if self.extension is None else record.ext(self.extension)


@lru_cache(maxsize=4096)
def _place_of(declared: DeclaredType, name: str) -> _Place | None:
    """None where there is no such field, or the server keeps it."""
    head, dot, rest = name.partition(".")
    field = declared.fields.get(name) or _field_of_line(declared, name)
    if field is None or field.server or name in KEPT:
        return None
    lines = declared.fields.get(head)
    if lines is not None and lines.kind.lined:
        number, _dot, inner = rest.partition(".")
        return _Place(inner, lines, int(number) if dot else None)
    return _Place(rest, extension=declared.extension_of(head)) if dot else _Place(name)


def _flattened(declared: DeclaredType, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and declared.extension_of(name) is not None:
            yield from ((f"{name}.{inner}", inner_value) for inner, inner_value in value.items())
        else:
            yield name, value


def _not_settable(declared: DeclaredType, name: str) -> Iterator[RuleViolation]:
    field = declared.fields.get(name) or _field_of_line(declared, name)
    if field is None and name not in KEPT:
        yield RuleViolation("core.unknown_field", _("There is no field {name} here.", name=name[:60]), field=name)
    elif field is None or field.server or name in KEPT:
        yield RuleViolation(
            "core.read_only",
            _("{label} is kept by the server; leave it out.", label=field.label if field is not None else name),
            field=name,
        )


def _field_of_line(declared: DeclaredType, name: str) -> Field | None:
    """The field of one line: ``phones.0.number``."""
    head, _dot, rest = name.partition(".")
    place, dot, inner = rest.partition(".")
    lines = declared.fields.get(head)
    if lines is None or lines.line is None or not dot or not (place.isascii() and place.isdigit()):
        return None
    return fields_of(lines.line).get(inner)


def _strange_lines(record: Record, name: str, wanted: Sequence[Mapping[str, Any]]) -> Iterator[RuleViolation]:
    """Lines that are named by an id which none of the record's has, or that were named before."""
    named = [(place, str(values["id"])) for place, values in enumerate(wanted) if values.get("id")]
    left = {str(line.id) for line in getattr(record, name)} if named else set()
    for place, line_id in named:
        if line_id not in left:
            yield RuleViolation(
                "core.unknown_line",
                _("This record has no line {id}, or it is named twice.", id=line_id[:20]),
                field=f"{name}.{place}.id",
            )
        left.discard(line_id)


def _line_at(record: Record, field: Field, place: int) -> Any:
    lines = getattr(record, field.name)
    assert field.line is not None
    while len(lines) <= place:
        lines.append(new_line(record, field.line))
    return lines[place]


def _set_lines(record: Record, name: str, field: Field, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Make a record's lines equal the wanted ones; those that are named, or keep their place, keep their row."""
    model: Any = field.line
    held = list(getattr(record, name))
    by_id = {str(line.id): line for line in held if line.id is not None}
    named = any("id" in values for values in wanted)
    made = []
    for place, values in enumerate(wanted):
        line = by_id.get(str(values.get("id"))) if named else held[place] if place < len(held) else None
        if line is None:
            line = new_line(record, model)
        standard = model()
        for inner in fields_of(model):
            _set(line, inner, values[inner] if inner in values else getattr(standard, inner))
        made.append(line)
    if made != held:
        getattr(record, name)[:] = made


def _set(row: Any, name: str, value: Any) -> None:
    if reader_of(row)(name) != value:
        setattr(row, name, value)
