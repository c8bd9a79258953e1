"""Which column of a file feeds which field: given as ``Column=field``, or found by heading."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from comptoir.db.fields import Field, fields_of
from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, _, speaking
from comptoir.records.declared import DeclaredType

if TYPE_CHECKING:
    from comptoir.context import Context

LINE = re.compile(r"(?P<lines>[a-z_]+)\.(?:(?P<position>\d{1,2})\.)?(?P<inner>[a-z_]+)\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a column goes: a field, a field of the n-th line, or a reference found by one of its fields."""

    column: str
    name: str
    """The wire name of the field, ``phones`` for lines."""
    field: Field
    position: int | None = None
    by: str | None = None
    """The field of the referenced record that the cell holds; None for its title."""
    factor: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The targets of a file's columns, and the columns that feed nothing."""

    targets: tuple[Target, ...]
    unused: tuple[str, ...] = ()


def parse_mapping(ctx: Context, declared: DeclaredType, columns: Sequence[str], given: Iterable[str] = ()) -> Mapping:
    """Check ``Column=field`` pairs against the file and the record type; without any, match headings to fields.

    A field may be dotted: ``phones.number`` (first line), ``phones.1.number`` (second), ``contact.tax_number`` (a
    reference found by that field), ``sales.credit_limit`` (a plugin's field).  ``field*1000`` multiplies a number.
    """
    pairs = [_pair(text) for text in given]
    if not pairs:
        pairs = _by_heading(declared, columns)
        if not pairs:
            raise RuleViolation(
                "core.no_mapping",
                _(
                    'None of the headings is a field of {type}. Map them: --map "{column}=…". Fields: {fields}.',
                    type=declared.name,
                    column=columns[0],
                    fields=", ".join(_names(declared)),
                ),
                field="map",
            )
    for column, _path in pairs:
        if column not in columns:
            raise RuleViolation(
                "core.unknown_column",
                _(
                    "There is no column “{column}” in the file. It has: {columns}.",
                    column=column,
                    columns=", ".join(columns),
                ),
                field="map",
            )
    targets = tuple(_target(ctx, declared, column, path) for column, path in pairs)
    used = {target.column for target in targets}
    return Mapping(targets, tuple(column for column in columns if column not in used))


def _pair(text: str) -> tuple[str, str]:
    column, separator, path = text.rpartition("=")
    if not separator or not column.strip() or not path.strip():
        raise RuleViolation(
            "core.bad_mapping", _("“{text}” is no mapping. Write Column=field.", text=text), field="map"
        )
    return column.strip(), path.strip()


def _by_heading(declared: DeclaredType, columns: Sequence[str]) -> list[tuple[str, str]]:
    names: dict[str, str] = {}
    for name, field in declared.fields.items():
        if field.server:
            continue
        for language in LANGUAGES:
            with speaking(language):
                names.setdefault(fold(str(field.label)), name)
    for path, name in declared.by_path.items():
        if not declared.fields[name].server:
            names[fold(path)] = path
    found = []
    for column in columns:
        matched = LINE.match(column)
        if matched and matched["lines"] in declared.fields and declared.fields[matched["lines"]].kind.lined:
            found.append((column, column))
        elif fold(column) in names:
            found.append((column, names[fold(column)]))
    return found


def _names(declared: DeclaredType) -> list[str]:
    found: list[str] = []
    for name, field in declared.fields.items():
        if field.server:
            continue
        if field.line is not None:
            found += [f"{name}.{inner}" for inner, d in fields_of(field.line).items() if not d.server]
        else:
            found.append(name[: -len(field.name)] + field.path)
    return found


def _target(ctx: Context, declared: DeclaredType, column: str, path: str) -> Target:
    path, factor = _factor(path)
    name = declared.by_path.get(path)
    if name is not None and not declared.fields[name].kind.lined and not declared.fields[name].server:
        return Target(column, name, declared.fields[name], factor=factor)
    matched = LINE.match(path)
    if matched:
        owner = declared.fields.get(matched["lines"])
        if owner is not None and owner.line is not None:
            inner = fields_of(owner.line).get(matched["inner"])
            if inner is not None and not inner.server:
                return Target(column, owner.name, inner, position=int(matched["position"] or 0), factor=factor)
    first, dot, rest = path.partition(".")
    reference = declared.fields.get(declared.by_path.get(first, ""))
    if dot and reference is not None and reference.target is not None:
        target = ctx.registry.target_of(str(reference.target))
        if target is not None and rest in target.fields:
            return Target(column, reference.name, reference, by=rest)
    known = _names(declared)
    close = difflib.get_close_matches(path, known, 3)
    raise RuleViolation(
        "core.unknown_field",
        _(
            "{type} has no field {path}. {hint}",
            type=declared.name,
            path=path,
            hint=_("Close to it: {names}.", names=", ".join(close))
            if close
            else _("Fields: {names}.", names=", ".join(known)),
        ),
        field="map",
    )


def _factor(path: str) -> tuple[str, Decimal | None]:
    name, star, number = path.partition("*")
    if not star:
        return path, None
    try:
        return name.strip(), Decimal(number.strip())
    except InvalidOperation:
        raise RuleViolation(
            "core.bad_mapping", _("“{number}” is no number to multiply with.", number=number), field="map"
        ) from None
