"""Names in filters, sorts and groups: resolved through the declared fields that the actor may read, or refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from comptoir.db.fields import Field, fields_of
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Integer, Reference
from comptoir.texts import shown

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_STEPS = 3
"""How many references a path may follow."""

PLAIN = {
    "id": Field(Integer(), _("Number"), name="id", required=True),
    "version": Field(Integer(), _("Version"), name="version", required=True),
    "created_by": Field(Reference(), _("Created by"), name="created_by", target="core_user"),
    "updated_by": Field(Reference(), _("Changed by"), name="updated_by", target="core_user"),
}
"""Columns of every record that are no fields of a form but can be asked for."""

OPEN_TABLES = frozenset({"core_user", "core_team"})
"""Everyone signed in reads the names of people and teams."""


@dataclass(frozen=True, slots=True)
class Step:
    """From a record to the one that ``column`` refers to; the column lies in a side table where ``extension`` is given."""

    column: str
    extension: type[Any] | None
    target: DeclaredType


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A name that was resolved: over which references, to which field.

    ``key`` is its name in rows: the wire name of an own or an extension's field, else the path itself.
    ``lines`` is the attribute of the lines that the field belongs to.
    """

    name: str
    key: str
    field: Field
    column: str
    declared: DeclaredType
    steps: tuple[Step, ...] = ()
    extension: type[Any] | None = None
    lines: str | None = None


def refuse(code: str, message: Any, parameter: str) -> RuleViolation:
    """The violation of a parameter, whose name is cut where somebody sends pages of text."""
    return RuleViolation(code, message, field=shown(parameter))


def unknown(code: str, what: Any, name: str, known: Iterable[str], parameter: str) -> RuleViolation:
    """The refusal of a name, with the nearest known ones."""
    choices = sorted(set(known))
    near = choices if len(choices) <= 8 else get_close_matches(name[:100], choices, n=3, cutoff=0.5) or choices[:12]
    return refuse(
        code,
        _("There is no {what} “{name}” here. Known: {near}.", what=what, name=shown(name), near=", ".join(near) or "–"),
        parameter,
    )


def resolve(ctx: Context, declared: DeclaredType, text: str, parameter: str = "") -> Path:
    """What a dotted name means to this actor; one that is unknown or hidden is a violation of ``parameter``."""
    known = declared._cache.setdefault(("paths", ctx.actor.grants), {})
    found: Path | None = known.get(text)
    if found is None:
        found = known[text] = _resolve(ctx, declared, text, parameter or text)
    return found


def names(ctx: Context, declared: DeclaredType) -> list[str]:
    """The wire names of the fields that the actor may read, lines included."""
    hidden = declared.hidden_fields(ctx.actor.grants)
    return [name for name in declared.fields if name not in hidden]


def _resolve(ctx: Context, declared: DeclaredType, text: str, parameter: str) -> Path:
    here = declared
    steps: list[Step] = []
    said: list[str] = []
    rest = text[:1000].split(".")
    while True:
        wire, used = _match(ctx, here, rest)
        if wire is None:
            raise unknown("core.unknown_field", _("field"), text, _known(ctx, here, said), parameter)
        described = PLAIN[wire] if wire in PLAIN else here.fields[wire]
        extension = here.extension_of(wire.partition(".")[0]) if "." in wire else None
        prefix = wire[: -len(described.name)]
        said.append(prefix + described.path)
        rest = rest[used:]
        column = described.name if _stands_apart(described) else _column(extension or here.model, described.name)
        if not rest:
            name = ".".join(said)
            return Path(name, name if steps else wire, described, column, here, tuple(steps), extension)
        if described.kind.lined and len(rest) == 1:
            return _line_path(ctx, here, described, tuple(steps), said, rest[0], text, parameter)
        if described.target is None:
            raise unknown("core.unknown_field", _("field"), text, [".".join(said)], parameter)
        target = ctx.registry.target_of(str(described.target))
        if target is None or not _readable(ctx, target):
            raise unknown("core.unknown_field", _("field"), text, [".".join(said)], parameter)
        if len(steps) == MAX_STEPS:
            raise refuse("core.too_deep", _("A name follows at most {limit} references.", limit=MAX_STEPS), parameter)
        steps.append(Step(column, extension, target))
        here = target


def _stands_apart(described: Field) -> bool:
    """Whether a field has no column of the record's own table or of a side table."""
    return described.kind.lined or described.computed is not None


def _match(ctx: Context, declared: DeclaredType, rest: list[str]) -> tuple[str | None, int]:
    """The wire name that the first one or two parts mean, and how many they are."""
    hidden = declared.hidden_fields(ctx.actor.grants)
    if rest[0] in PLAIN:
        return rest[0], 1
    for used in (1, 2):
        wire = declared.by_path.get(".".join(rest[:used])) if len(rest) >= used else None
        if wire is not None and wire not in hidden:
            return wire, used
    return None, 0


def _line_path(
    ctx: Context,
    here: DeclaredType,
    lines: Field,
    steps: tuple[Step, ...],
    said: list[str],
    last: str,
    text: str,
    parameter: str,
) -> Path:
    assert lines.line is not None
    readable = {
        name: described
        for name, described in fields_of(lines.line).items()
        if not described.kind.lined and (described.read is None or ctx.actor.grants.scope(described.read) is not None)
    }
    found = next((d for name, d in readable.items() if last in (name, d.path)), None)
    if found is None:
        near = [".".join([*said, described.path]) for described in readable.values()]
        raise unknown("core.unknown_field", _("field"), text, near, parameter)
    name = ".".join([*said, found.path])
    return Path(name, name, found, _column(lines.line, found.name), here, steps, None, lines.name)


def _readable(ctx: Context, target: DeclaredType) -> bool:
    return target.table.name in OPEN_TABLES or ctx.actor.grants.scope(target.permission("read")) is not None


def _known(ctx: Context, here: DeclaredType, said: list[str]) -> list[str]:
    prefix = "".join(f"{part}." for part in said)
    found = []
    for wire in names(ctx, here):
        described = here.fields[wire]
        found.append(prefix + wire[: -len(described.name)] + described.path)
    return [*found, *(prefix + name for name in PLAIN)]


def _column(model: type[Any], attribute: str) -> str:
    key: str = inspect(model).column_attrs[attribute].columns[0].key
    return key
