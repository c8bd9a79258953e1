"""What the browser sent of a form, and how it gets into the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from comptoir.context import Context
from comptoir.db.fields import fields_of
from comptoir.db.record import Record
from comptoir.errors import RuleViolation
from comptoir.i18n import _, ngettext
from comptoir.records.declared import DeclaredType
from comptoir.records.write import assign


@dataclass
class Sent:
    """Parsed values by wire name, the texts as typed, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    violations: list[RuleViolation] = field(default_factory=list)
    left_out: int = 0
    """How many lines were left out because nothing was typed in them."""

    def take(self, name: str, text: str, read: tuple[Any, RuleViolation | None]) -> None:
        """Keep a text, and its value or what is wrong with it."""
        self.texts[name] = text
        value, problem = read
        if problem is None:
            self.values[name] = value
        else:
            self.violations.append(problem)

    @property
    def errors(self) -> dict[str, str]:
        """The first thing that is wrong with each field."""
        return {v.field: str(v) for v in reversed(self.violations) if v.field}

    def apply(self, ctx: Context, declared: DeclaredType, record: Record) -> None:
        """Set what was sent; what was left empty on a new record gets its default."""
        values: dict[str, Any] = {}
        for name, value in self.values.items():
            described = declared.fields[name]
            if value is None and (described.kind.never_null or (record.id is None and described.default is not None)):
                continue
            values[name] = value
        for name, rows in self.lines.items():
            held = {str(line.id): line for line in getattr(record, name)}
            for row in rows:
                line = held.get(row["id"])
                row["is_touched"] = line is None or any(getattr(line, n) != value for n, value in row["values"].items())
            values[name] = [{**row["values"], "id": row["id"] if row["id"] in held else ""} for row in rows]
        assign(ctx, record, values)

    def remarks(self, declared: DeclaredType, record: Record) -> Iterator[str]:
        """What was kept or left out differently from what the form suggests."""
        if self.left_out:
            yield str(ngettext("· An empty line was left out", "· {count} empty lines were left out", self.left_out))
        for name, rows in self.lines.items():
            line = declared.fields[name].line
            assert line is not None
            numbers = [own for own, described in fields_of(line).items() if described.kind.input == "phone"]
            for row, held in zip(rows, getattr(record, name), strict=False):
                for own in numbers:
                    number = str(getattr(held, own) or "")
                    if row["is_touched"] and number and not number.startswith("+"):
                        text = _("· “{number}” is kept as typed: it cannot be read as a number to dial", number=number)
                        yield str(text)
