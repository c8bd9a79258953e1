"""Which column of a file feeds which field: given as ``Column=field``, or found by heading."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from comptoir.db.fields import Field, fields_of
from comptoir.errors import RuleViolation
from comptoir.i18n import LANGUAGES, _, speaking
from comptoir.records.declared import DeclaredType
from comptoir.records.transfer.references import loosely

if TYPE_CHECKING:
    from comptoir.context import Context

LINE = re.compile(r"(?P<lines>[a-z_]+)\.(?:(?P<position>\d{1,2})\.|(?P<label>[a-z_]+)\.)?(?P<inner>[a-z_]+)\Z")
NUMBERED = re.compile(r"(?P<heading>.*?\D)(?P<number>[1-9]\d?)\Z")
OWN = "comptoir "
"""How the columns begin that the file of failed rows has besides those of the source."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a column goes: a field, a field of the n-th line, or a reference found by one of its fields."""

    column: str
    name: str
    """The wire name of the field, ``phones`` for lines."""
    field: Field
    position: int | None = None
    label: tuple[str, str] | None = None
    """Instead of a position: the choice field of the line and the value that tells the line apart, as in ``phones.mobile``."""
    by: str | None = None
    """The field of the referenced record that the cell holds; None for its title."""
    factor: Decimal | None = None

    @property
    def is_of_line(self) -> bool:
        """Whether it feeds a line of the record."""
        return self.position is not None or self.label is not None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The targets of a file's columns, and the columns that feed nothing."""

    targets: tuple[Target, ...]
    unused: tuple[str, ...] = ()


def parse_mapping(ctx: Context, declared: DeclaredType, columns: Sequence[str], given: Iterable[str] = ()) -> Mapping:
    """Check ``Column=field`` pairs against the file and the record type; without any, match headings to fields.

    A field may be dotted: ``phones.number`` (first line), ``phones.1.number`` (second), ``phones.mobile.number`` (the one
    with that label), ``contact.tax_number`` (a reference found by that field), ``sales.credit_limit`` (a plugin's field).
    ``field*1000`` multiplies a number.
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
    _refuse_two_into_one(targets)
    used = {target.column for target in targets}
    return Mapping(targets, tuple(c for c in columns if c not in used and not c.startswith(OWN)))


def _refuse_two_into_one(targets: Iterable[Target]) -> None:
    """Of two columns that feed one field the last would win, unseen."""
    fed: dict[tuple[Any, ...], str] = {}
    for target in targets:
        place = (target.name, target.position, target.label, target.field.name)
        if place in fed:
            field = ".".join(dict.fromkeys((target.name.removesuffix("_id"), target.field.path)))
            raise RuleViolation(
                "core.mapped_twice",
                _(
                    'Both “{one}” and “{other}” feed {field}. Choose one: --map "{one}={field}" and so on for each column.',
                    one=fed[place],
                    other=target.column,
                    field=field,
                ),
                field="map",
            )
        fed[place] = target.column


def _pair(text: str) -> tuple[str, str]:
    column, separator, path = text.rpartition("=")
    if not separator or not column.strip() or not path.strip():
        raise RuleViolation(
            "core.bad_mapping", _("“{text}” is no mapping. Write Column=field.", text=text), field="map"
        )
    return column.strip(), path.strip()


def _by_heading(declared: DeclaredType, columns: Sequence[str]) -> list[tuple[str, str]]:
    """The field of each column whose heading is known: a field's path, its label in any language, or a usual heading."""
    known = _known_headings(declared)
    possible = {column: _possible(declared, known, column) for column in columns}
    # a city beside a street is that of the address
    lines = {paths[0].partition(".")[0] for paths in possible.values() if len(paths) == 1 and "." in paths[0]}
    found: dict[str, str] = {}
    for column in sorted(columns, key=lambda column: len(possible[column])):
        there = [path for path in possible[column] if path.partition(".")[0] in lines]
        paths = there or [path for path in possible[column] if "." not in path] or possible[column]
        free = [path for path in paths if path not in found.values()]
        if paths:
            found[column] = (free or paths)[0]
    return [(column, found[column]) for column in columns if column in found]


def _known_headings(declared: DeclaredType) -> Mapping_[str, list[str]]:
    known: dict[str, list[str]] = defaultdict(list)
    fields = {name: field for name, field in declared.fields.items() if not field.server}
    own = {path: path for path, name in declared.by_path.items() if name in fields}
    for heading, path in own.items():
        known[loosely(heading)].append(path)
    for name, field in fields.items():
        for language in LANGUAGES:
            with speaking(language):
                known[loosely(str(field.label))].append(name[: -len(field.name)] + field.path)
    for path, headings in declared.declaration.headings.items():
        for heading in headings:
            known[loosely(heading)].append(path)
    return {heading: list(dict.fromkeys(paths)) for heading, paths in known.items()}


def _possible(declared: DeclaredType, known: Mapping_[str, list[str]], column: str) -> list[str]:
    matched = LINE.match(column)
    if matched and matched["lines"] in declared.fields and declared.fields[matched["lines"]].kind.lined:
        return [column]
    heading = loosely(column)
    if numbered := NUMBERED.match(heading):
        places = (LINE.match(path) for path in known.get(numbered["heading"], ()))
        paths = [
            f"{place['lines']}.{int(numbered['number']) - 1}.{place['inner']}"
            for place in places
            if place and not place["label"] and place["lines"] in declared.fields
        ]
        if paths:
            return paths
    lines = {name for name, field in declared.fields.items() if field.kind.lined}
    return [path for path in known.get(heading, ()) if path not in lines]


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
            label = _label(owner.line, matched["label"]) if matched["label"] else None
            if inner is not None and not inner.server and (label is not None) == bool(matched["label"]):
                position = None if label else int(matched["position"] or 0)
                return Target(column, owner.name, inner, position=position, label=label, factor=factor)
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


def _label(line: type, value: str) -> tuple[str, str] | None:
    """The choice field of a line that may have this value."""
    choices = (field for field in fields_of(line).values() if field.choices and not field.server)
    return next(((field.name, value) for field in choices if value in {c.value for c in field.choices}), None)


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
