"""Where the values go that columns feed into the lines of a record: a number, or a label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comptoir.db.fields import fields_of
from comptoir.db.light import new_line
from comptoir.db.record import Record
from comptoir.records.transfer.mapping import Target


class LinePlaces:
    """The numbered lines of a mapping."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._numbered: dict[str, set[int]] = defaultdict(set)
        for target in targets:
            if target.position is not None:
                self._numbered[target.name].add(target.position)

    def filled_by(self, values: Sequence[tuple[Target, Any]]) -> dict[str, dict[int, int]]:
        """Where the numbered lines of a row go: what is empty leaves no gap, so that the second number may be the only one."""
        places: dict[str, dict[int, int]] = defaultdict(dict)
        if not self._numbered:
            return places
        filled = {(target.name, target.position) for target, _value in values}
        for name, position in filled:
            if position is not None:
                empty = sum(p < position and (name, p) not in filled for p in self._numbered[name])
                places[name][position] = position - empty
        return places


def place_of(record: Record, target: Target, places: Mapping[int, int]) -> int:
    """Where the line of a record stands that has the label of a column, behind the numbered ones; a new one at need."""
    lines = getattr(record, target.name)
    assert target.label is not None
    name, value = target.label
    for place in range(max(places.values(), default=-1) + 1, len(lines)):
        if getattr(lines[place], name) == value:
            return place
    line_type: Any = fields_of(type(record))[target.name].line
    line = new_line(record, line_type)
    setattr(line, name, value)
    lines.append(line)
    return len(lines) - 1
