"""Small values that every layer shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: an exact decimal with its ISO 4217 currency."""

    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True, order=True)
class RecordRef:
    """Points at any record: its type (``base.contact``) and id."""

    record_type: str
    record_id: int
    changed: tuple[str, ...] = field(default=(), compare=False)
    """The fields that a change touched, where a hook tells of one."""
    cause: tuple[str, ...] = field(default=(), compare=False)
    """The deferred work that made the change and what led to it, the oldest first; empty where a person did."""

    def __str__(self) -> str:
        return f"{self.record_type}/{self.record_id}"

    @classmethod
    def parse(cls, text: str) -> RecordRef:
        """The reference that ``sales.deal/7`` stands for; raises ValueError for anything else."""
        record_type, _slash, number = text.rpartition("/")
        if not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", record_type) or not re.fullmatch(r"[1-9]\d{0,18}", number):
            raise ValueError(text)
        return cls(record_type, int(number))


class FieldChange(NamedTuple):
    """One field's value before and after."""

    field: str
    before: Any
    after: Any
