"""What a save is about to do to each record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import PassiveFlag

from comptoir.db.base import standard_values
from comptoir.db.fields import fields_of
from comptoir.db.light import is_light
from comptoir.db.record import Extension, Record, module_of
from comptoir.values import FieldChange

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class Change:
    """One record within a save: whether it is new, and its changed fields by wire name (``sales.credit_limit`` of extensions)."""

    record: Record
    is_new: bool
    _fields: dict[str, FieldChange] | None = None

    @property
    def fields(self) -> Mapping[str, FieldChange]:
        """The fields whose value differs from what the database holds; compared when first asked for."""
        if self._fields is None:
            self._fields = _compared(self.record)
        return self._fields

    def compare_again(self) -> None:
        """Forget the comparison, because a hook may have modified the record."""
        self._fields = None

    def touches(self, *names: str) -> bool:
        """Whether any of these fields changed."""
        if self._fields is None and is_light(self.record):
            held = self.record.__dict__
            return any(held.get(name) not in (None, []) for name in names)
        return any(name in self.fields for name in names)


def of_type(changes: Iterable[Change], model: type[R]) -> Iterator[R]:
    """The records of one type among the changes."""
    for change in changes:
        if isinstance(change.record, model):
            yield change.record


def changes_of(changes: Iterable[Change], model: type[R]) -> Iterator[tuple[R, Change]]:
    """The records of one type with their changes."""
    for change in changes:
        if isinstance(change.record, model):
            yield change.record, change


def _plain(value: Any) -> Any:
    """A line as the values of its fields, so that old and new lists can be compared and stored."""
    if isinstance(value, list):
        return [{name: getattr(line, name) for name in fields_of(type(line))} for line in value]
    return value


def changed_fields(row: Any, prefix: str = "") -> dict[str, FieldChange]:
    """The declared fields of a row whose value differs from what the database holds."""
    declared_fields = fields_of(type(row))
    held = row.__dict__
    found: dict[str, FieldChange] = {}
    if is_new(row):
        for name, declared in declared_fields.items():
            after = held.get(name)
            if after is not None and after != []:
                if declared.kind.lined:
                    after = _plain(list(after))
                found[prefix + name] = FieldChange(prefix + name, None, after)
        return found
    state: Any = inspect(row)
    for name in state.committed_state.keys() & declared_fields.keys():
        if declared_fields[name].kind.lined:
            continue
        history = state.get_history(name, PassiveFlag.PASSIVE_NO_INITIALIZE)
        before = history.deleted[0] if history.deleted else None
        after = history.added[0] if history.added else None
        if history.has_changes() and before != after:
            found[prefix + name] = FieldChange(prefix + name, before, after)
    for name, declared in declared_fields.items():
        if declared.kind.lined and name in held:
            change = _lines_change(state, name)
            if change is not None:
                found[prefix + name] = FieldChange(prefix + name, *change)
    return found


def _lines_change(state: Any, name: str) -> tuple[Any, Any] | None:
    history = state.get_history(name, PassiveFlag.PASSIVE_NO_INITIALIZE)
    lines = list(state.dict[name])
    moved = any(line.position != place for place, line in enumerate(lines))
    touched = moved or history.has_changes() or any(inspect(line).modified for line in lines)
    if not touched:
        return None
    after = _plain(lines)
    before = []
    for line in [*history.unchanged, *history.deleted]:
        values = {}
        line_state: Any = inspect(line)
        for field_name in fields_of(type(line)):
            past = line_state.get_history(field_name, PassiveFlag.PASSIVE_NO_INITIALIZE)
            values[field_name] = past.deleted[0] if past.deleted else getattr(line, field_name)
        before.append((line.position, values))
    before_values = [values for _position, values in sorted(before, key=lambda pair: pair[0] or 0)]
    return None if before_values == after else (before_values, after)


def held_extensions(record: Record) -> list[Extension[Any]]:
    """The extension rows that were read or written through ``record.ext``."""
    return list(record.__dict__.get("_extensions", {}).values())


def is_new(row: Any) -> bool:
    """Whether a row is not in the database yet."""
    return is_light(row) or not inspect(row).persistent


def change_of(record: Record) -> Change:
    """What saving the record would do."""
    return Change(record, is_new(record))


def _compared(record: Record) -> dict[str, FieldChange]:
    """Compare a record and its extensions with the database."""
    fields = changed_fields(record)
    for extension in held_extensions(record):
        extension_state: Any = inspect(extension)
        prefix = f"{module_of(type(extension))}."
        if extension_state.persistent:
            fields.update(changed_fields(extension, prefix))
        else:
            fields.update(_departures(extension, prefix))
    return fields


def _departures(extension: Extension[Any], prefix: str) -> dict[str, FieldChange]:
    """The fields of an unsaved extension that differ from its defaults: only then it is worth a row."""
    found = {}
    standards = standard_values(type(extension))
    for name in fields_of(type(extension)):
        standard = standards.get(name)
        value = getattr(extension, name)
        if value != standard:
            found[prefix + name] = FieldChange(prefix + name, standard, value)
    return found
