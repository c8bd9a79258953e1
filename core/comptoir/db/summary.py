"""The table of summaries: counts and sums of the records of a type by a few of their fields, kept as rows that add up.

Whoever changes records adds rows, what was with a minus and what is with a plus; nobody changes a row that another wrote.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Boolean, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import MONEY_LIMIT, MoneyType

MAX_KEYS = 5
MAX_SUMS = 2

READY, ALL, TEAM, OWN = "ready", "all", "team", "own"
"""What a row stands for: that a summary is complete, or records as everyone, their team or their owner sees them."""


def _is_day(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


BEGINNINGS: Mapping[str, Callable[[Any], bool]] = {
    "month": lambda value: _is_day(value) and value.day == 1,
    "week": lambda value: _is_day(value) and value.weekday() == 0,
}
"""The parts of a date that a summary can keep, each with whether a value is the first day of one."""


@dataclass(frozen=True)
class Summary:
    """Counts and sums that are kept for the records of a type, so that asking for them does not read the records.

    ``keys`` are the columns to group and filter by, a day by its month or week as ``closed_on:month``; ``sums`` those that are summed.
    ``among`` leaves out records whose key has another value than these; it answers only who asks for no others.
    Archived records are not counted.  Owner and team are always kept apart, for readers who see only theirs.
    """

    keys: tuple[str, ...]
    sums: tuple[str, ...] = ()
    among: tuple[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.keys) <= MAX_KEYS or len(self.sums) > MAX_SUMS:
            raise ValueError(f"a summary has one to {MAX_KEYS} keys and at most {MAX_SUMS} sums")
        if self.among is not None and self.among[0] not in self.keys:
            raise ValueError(f"{self.among[0]} is no key of the summary")

    @cached_property
    def name(self) -> str:
        """What its rows go by: another declaration is another summary."""
        return hashlib.sha256(repr((self.keys, self.sums, self.among)).encode()).hexdigest()[:12]

    @property
    def columns(self) -> frozenset[str]:
        """The columns whose change changes the summary."""
        return frozenset((*(key.partition(":")[0] for key in self.keys), *self.sums))


class SummaryRow(Base):
    """A part of one group of a summary: the group's figures are the sums of its rows."""

    __tablename__ = "core_summary"
    __table_args__ = (
        Index("ix_core_summary_group", "record_type", "reach", "summary", "owner_id", "team_id", "k0"),
        Index("ix_core_summary_added", "folded", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80))
    summary: Mapped[str] = mapped_column(String(12))
    reach: Mapped[str] = mapped_column(String(5))
    owner_id: Mapped[int] = mapped_column(Id, default=0)
    team_id: Mapped[int] = mapped_column(Id, default=0)
    k0: Mapped[str] = mapped_column(String(300), default="")
    k1: Mapped[str] = mapped_column(String(300), default="")
    k2: Mapped[str] = mapped_column(String(300), default="")
    k3: Mapped[str] = mapped_column(String(300), default="")
    k4: Mapped[str] = mapped_column(String(300), default="")
    records: Mapped[int] = mapped_column(Id, default=0)
    """How many records."""
    s0: Mapped[Decimal] = mapped_column(MoneyType(), default=Decimal(0))
    c0: Mapped[int] = mapped_column(Id, default=0)
    """How many of them have a value to sum."""
    s1: Mapped[Decimal] = mapped_column(MoneyType(), default=Decimal(0))
    c1: Mapped[int] = mapped_column(Id, default=0)
    folded: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the row stands for rows that were added before."""


LARGEST = MONEY_LIMIT - 1


def pieces(amount: Decimal) -> list[Decimal]:
    """An amount as amounts that a row can hold."""
    found = []
    while abs(amount) > LARGEST:
        part = LARGEST.copy_sign(amount)
        found.append(part)
        amount -= part
    return [*found, amount]


def text_of(value: Any) -> str:
    """A key as the table holds it; nothing is the empty text, and an equal sign tells the empty text from it."""
    if value is None:
        return ""
    return f"={format(value.normalize(), 'f')}" if isinstance(value, Decimal) else f"={value}"


def ready_summaries(session: Session, record_type: str) -> frozenset[str]:
    """The names of a type's summaries that count every record."""
    table: Any = SummaryRow.__table__
    marks = select(table.c.summary).where(table.c.record_type == record_type, table.c.reach == READY)
    return frozenset(session.execute(marks).scalars())
