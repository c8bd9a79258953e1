"""What the model classes that a plugin contributes must declare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table

from comptoir.db.base import Base
from comptoir.db.fields import TEXT_LENGTH, fields_of
from comptoir.db.record import Extension, Line, Record, RecordType, Through, record_name
from comptoir.db.summary import BEGINNINGS, Summary
from comptoir.i18n import Text, _
from comptoir.kinds import OF_LINES, ROLES


def model_faults(plugin: str, model: type[Base]) -> Iterator[Text]:
    """What is wrong with a table of a plugin: its name, its foreign keys, its rule of access, its declaration."""
    table = model.__table__
    assert isinstance(table, Table)
    if plugin != "base" and not table.name.startswith(f"{plugin}_"):
        yield _("The table {table} must begin with “{name}_”.", table=table.name, name=plugin)
    for constraint in table.foreign_keys:
        if constraint.ondelete is None:
            yield _(
                "{column} does not say what happens when the row it points at goes: give ondelete.",
                column=f"{table.name}.{constraint.parent.name}",
            )
    if issubclass(model, Record | Extension | Line):
        yield from _role_faults(model)
    if issubclass(model, Record):
        yield from _record_faults(plugin, model)
    elif issubclass(model, Extension):
        yield from _extension_faults(plugin, model)
    elif issubclass(model, Line):
        if getattr(model, "__parent__", None) not in table.c:
            yield _("{model}: set __parent__ to the column of its record.", model=model.__name__)
    elif model.__visible__ is None:
        yield _(
            "{model} declares no access rule. Set __visible__ to Public() or Through(column).", model=model.__name__
        )


def _record_faults(plugin: str, model: type[Record]) -> Iterator[Text]:
    declared = getattr(model, "__record__", None)
    if not isinstance(declared, RecordType):
        yield _("{model} has no __record__ declaration.", model=model.__name__)
        return
    if record_name(model).partition(".")[0] not in (plugin, "base"):
        yield _("{model} lies outside the plugin's own package.", model=model.__name__)
    if isinstance(declared.visible, Through) and declared.visible.column not in model.__table__.c:
        yield _(
            "{model} is visible through {column}, which it does not have.",
            model=model.__name__,
            column=declared.visible.column,
        )
    if isinstance(declared.visible, Through) and declared.visible.otherwise is not None:
        yield from _otherwise_faults(model, declared.visible.column, declared.visible.otherwise)
    if not any(described.title for described in fields_of(model).values()):
        yield _("{model} has no title field. Give one field title=True.", model=model.__name__)
    for summary in declared.summaries:
        yield from _summary_faults(model, summary)


def _otherwise_faults(model: type[Record], column: str, otherwise: str) -> Iterator[Text]:
    """A second way to be seen that leads nowhere, or that the first one never leaves open."""
    described = fields_of(model).get(otherwise)
    if described is None or not described.kind.points_anywhere:
        yield _("{model} is visible through {column}, which is no field for a record of any type.", model=model.__name__, column=otherwise)  # fmt: skip
    table: Any = model.__table__
    if column in table.c and not table.c[column].nullable:
        yield _("{model} is visible through {column} otherwise, but {name} is never empty.", model=model.__name__, column=otherwise, name=column)  # fmt: skip


def _summary_faults(model: type[Record], summary: Summary) -> Iterator[Text]:
    """Keys and sums that are no column of the record, or of a kind that no summary keeps."""
    fields = fields_of(model)
    for key in summary.keys:
        name, _separator, part = key.partition(":")
        kind = fields[name].kind if name in fields and name in model.__table__.c else None
        is_long = kind is not None and (fields[name].max_length or 0) > TEXT_LENGTH
        if kind is None or is_long or (not kind.dated and (kind.python_type not in (str, int, Decimal) or part)):
            yield _("{field} cannot be a key of a summary: give a text, a number, a reference or a choice of the record.",
                    field=f"{model.__name__}.{key}")  # fmt: skip
        elif kind.dated and (kind.zoned or part not in BEGINNINGS):
            yield _("{field} cannot be a key of a summary: give a day by its month or week, as {name}:month.",
                    field=f"{model.__name__}.{key}", name=name)  # fmt: skip
    for name in summary.sums:
        if name not in fields or name not in model.__table__.c or not fields[name].kind.numeric:
            yield _("{field} cannot be summed up.", field=f"{model.__name__}.{name}")


def _role_faults(model: type[Base]) -> Iterator[Text]:
    """Roles that do not exist, or stand on a field that cannot carry them."""
    own = tuple(ROLES) if issubclass(model, Record) else OF_LINES if issubclass(model, Line) else ()
    for name, described in fields_of(model).items():
        place = f"{model.__name__}.{name}"
        for role in described.roles:
            if role not in ROLES:
                known = ", ".join(ROLES)
                yield _("{field} has the role {role}, which does not exist. Known: {known}.", field=place, role=role,
                        known=known)  # fmt: skip
            elif role not in own:
                yield _(
                    "{field} cannot have the role {role}: only a record's own field has it.", field=place, role=role
                )
            elif not ROLES[role].fits(described):
                wanted = ROLES[role].wanted
                yield _("{field} cannot have the role {role}, which is for {wanted}.", field=place, role=role,
                        wanted=wanted)  # fmt: skip


def _extension_faults(plugin: str, model: type[Extension[Any]]) -> Iterator[Text]:
    try:
        target = model.extended()
    except TypeError as error:
        yield str(error)
        return
    if not issubclass(target, Record):
        yield _("{model} extends something that is no record.", model=model.__name__)
        return
    if plugin in fields_of(target):
        yield _(
            "{target} has a field “{plugin}” already, which would hide the fields of {model}. Rename the plugin.",
            target=record_name(target),
            plugin=plugin,
            model=model.__name__,
        )
    if [column.name for column in model.__table__.primary_key] != ["record_id"]:
        yield _("{model} needs: record_id: Mapped[int] = extends(…)", model=model.__name__)
    for described in fields_of(model).values():
        if described.required and described.default is None:
            yield _(
                "{model}.{field} is required, but most records have no row. Give it a default.",
                model=model.__name__,
                field=described.name,
            )


def extension_clashes(models: Sequence[type[Base]]) -> Iterator[Text]:
    """Fields that two extensions of one record would bring under the same name."""
    seen: dict[tuple[type[Record], str], type[Base]] = {}
    for model in models:
        for name in fields_of(model) if issubclass(model, Extension) else ():
            other = seen.setdefault((model.extended(), name), model)  # type: ignore[attr-defined]
            if other is not model:
                yield _(
                    "{one} and {other} both bring the field “{field}” to {record}. Rename one.",
                    one=other.__name__,
                    other=model.__name__,
                    field=name,
                    record=record_name(model.extended()),  # type: ignore[attr-defined]
                )
