"""Whole columns: a kind says of many values at once what it says of each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir import kinds
from comptoir.errors import RuleViolation
from comptoir.kinds import Choice, Field, Kind
from comptoir.values import RecordRef

CHOICES = (Choice("person", "Person"), Choice("company", "Company"))
FIELDS = [
    Field(kind(), kind.name, name="value", max_length=12, choices=CHOICES if kind is kinds.Listed else ())
    for kind in vars(kinds).values()
    if isinstance(kind, type) and issubclass(kind, Kind) and "name" in vars(kind) and kind is not kinds.Children
]
VALUES = st.one_of(
    st.text(max_size=14),
    st.sampled_from(
        ["person", "club", "EUR", "eur", "a@b.ro", "https://x.ro", "NUL\x00", "half \ud83d", "Europe/Sofia"]
    ),
    st.sampled_from([1, True, 1.0, -1, 2**70, Decimal(1), Decimal("0.00001"), Decimal("NaN")]),
    st.sampled_from([dt.date(2026, 2, 28), dt.datetime(2026, 2, 28), RecordRef("base.contact", 7), ["a"], ["a", "a"]]),
)


class Even(kinds.Text):
    """A stranger's kind that only refuses more."""

    name = "even"

    def flaw(self, field: Field, value: Any) -> Any:
        return super().flaw(field, value) or (RuleViolation("x", "odd") if len(value) % 2 else None)


@pytest.mark.parametrize("field", [*FIELDS, Field(Even(), "Even", max_length=12)], ids=lambda field: field.kind.name)
@given(values=st.lists(VALUES, min_size=1, max_size=5))
def test_a_column_holds_where_each_of_its_values_does(field: Field, values: list[Any]) -> None:
    kept = [value for value in values if value != ""]
    assert field.kind.holds(field, kept) == all(field.kind.flaw(field, value) is None for value in kept)
