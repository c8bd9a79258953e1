"""The figures of a report.  Each is computed from atoms — counts, sums, values with their counts — that add up over groups.

So a total, a column and the "others" of a ranking are exact for every measure, medians and ratios included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from comptoir.i18n import Text
from comptoir.records.query.tree import Filter
from comptoir.reports.dimensions import Column, path_of

CENT = Decimal("0.01")
HUNDRED = Decimal(100)

Shape = Literal["", "integer", "number", "money", "percent", "days"]
"""How a figure is written; empty is decided by the field."""


@dataclass(frozen=True, slots=True)
class Atom:
    """What is asked of the database: ``count`` of rows, or of a field's values by currency, ``sum`` of a field, weighted or
    not, or all ``values`` with their counts.  Only rows that fulfil ``where`` count.
    """

    operation: Literal["count", "sum", "values"]
    path: str = ""
    weight: str = ""
    where: Filter | None = None


Amounts = Mapping[str, Decimal]
"""Sums by currency; the key is empty where a field has none."""
Figure = int | Decimal | Amounts | None


class Cell:
    """The atoms of one group of records."""

    __slots__ = ("counts", "sums", "values")

    def __init__(self) -> None:
        self.counts: dict[Atom, int] = {}
        self.sums: dict[Atom, dict[str, Decimal]] = {}
        self.values: dict[Atom, dict[str, dict[Decimal, int]]] = {}

    def add(self, other: Cell) -> None:
        """Take the records of another group in."""
        for atom, count in other.counts.items():
            self.counts[atom] = self.counts.get(atom, 0) + count
        for atom, amounts in other.sums.items():
            mine = self.sums.setdefault(atom, {})
            for currency, amount in amounts.items():
                mine[currency] = mine.get(currency, Decimal(0)) + amount
        for atom, held in other.values.items():
            for currency, histogram in held.items():
                known = self.values.setdefault(atom, {}).setdefault(currency, {})
                for value, count in histogram.items():
                    known[value] = known.get(value, 0) + count


def folded(cells: Iterable[Cell]) -> Cell:
    """All these groups as one."""
    whole = Cell()
    for cell in cells:
        whole.add(cell)
    return whole


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of each group; ``name`` stands in addresses and in the API."""

    name: str
    label: Text

    shape: Shape = ""
    """Written as what; a sum or an average follows its field."""
    where: Filter | None = None
    """Which records of a group count; the others do not."""

    def atoms(self) -> tuple[Atom, ...]:
        """What it is computed from."""
        raise NotImplementedError

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        """Its value in a group, of which ``whole`` is the sum over all groups."""
        raise NotImplementedError

    def parts(self) -> tuple[Measure, ...]:
        """The measures that it is made of."""
        return ()


@dataclass(frozen=True, slots=True)
class Count(Measure):
    """How many records."""

    def atoms(self) -> tuple[Atom, ...]:
        return (Atom("count", where=self.where),)

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return cell.counts.get(self.atoms()[0], 0)


@dataclass(frozen=True, slots=True)
class _OfField(Measure):
    column: Column = ""

    @property
    def path(self) -> str:
        """The field that is measured."""
        return path_of(self.column)


@dataclass(frozen=True, slots=True)
class Sum(_OfField):
    """The sum of a field, by currency where it is money."""

    def atoms(self) -> tuple[Atom, ...]:
        return (Atom("sum", self.path, where=self.where),)

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return dict(cell.sums.get(self.atoms()[0], {}))


@dataclass(frozen=True, slots=True)
class Weighted(_OfField):
    """The sum of a field, each record counted by a share of a hundred that it holds: an amount by its probability."""

    by: Column = ""

    def atoms(self) -> tuple[Atom, ...]:
        return (Atom("sum", self.path, path_of(self.by), self.where),)

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        sums = cell.sums.get(self.atoms()[0], {})
        return {currency: amount.quantize(CENT, ROUND_HALF_UP) for currency, amount in sums.items()}


@dataclass(frozen=True, slots=True)
class Average(_OfField):
    """The mean of a field over the records that have a value, with two decimals."""

    def atoms(self) -> tuple[Atom, ...]:
        return (Atom("sum", self.path, where=self.where), Atom("count", self.path, where=self.where))

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        total, number = (cell.sums.get(atom, {}) for atom in self.atoms())
        return divided(total, number, Decimal(1))


@dataclass(frozen=True, slots=True)
class Median(_OfField):
    """The exact middle value of a field over the records that have one."""

    def atoms(self) -> tuple[Atom, ...]:
        return (Atom("values", self.path, where=self.where),)

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        held = cell.values.get(self.atoms()[0], {})
        return {currency: median(histogram) for currency, histogram in held.items() if histogram} or None


def median(histogram: Mapping[Decimal, int]) -> Decimal:
    """The exact median of values given with their counts."""
    total = sum(histogram.values())
    middle = ((total - 1) // 2, total // 2)
    found: list[Decimal] = []
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        found += [value for place in middle[len(found) :] if place < passed]
        if len(found) == 2:
            break
    return (found[0] + found[1]) / 2


@dataclass(frozen=True, slots=True)
class _Made(Measure):
    of: Measure = Measure("", "")

    def atoms(self) -> tuple[Atom, ...]:
        return self.of.atoms()

    def parts(self) -> tuple[Measure, ...]:
        return (self.of,)


@dataclass(frozen=True, slots=True)
class Ratio(_Made):
    """One measure for each of another: in percent (won of closed), or as it is (value of each deal)."""

    to: Measure = Measure("", "")
    percent: bool = True

    def atoms(self) -> tuple[Atom, ...]:
        return (*self.of.atoms(), *self.to.atoms())

    def parts(self) -> tuple[Measure, ...]:
        return (self.of, self.to)

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return divided(
            self.of.figure(cell, whole), self.to.figure(cell, whole), HUNDRED if self.percent else Decimal(1)
        )


@dataclass(frozen=True, slots=True)
class Share(_Made):
    """What a group has of the total of another measure, in percent."""

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return divided(self.of.figure(cell, whole), self.of.figure(whole, whole), HUNDRED)


@dataclass(frozen=True, slots=True)
class Running(_Made):
    """The total of another measure up to and including a group, in the order of the rows."""

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return self.of.figure(cell, whole)


@dataclass(frozen=True, slots=True)
class PeriodChange(_Made):
    """By how much another measure differs from the period before, in percent; nothing where there was none."""

    def figure(self, cell: Cell, whole: Cell) -> Figure:
        return None


def divided(part: Figure, whole: Figure, factor: Decimal) -> Figure:
    """One figure by another with two decimals, currency by currency; nothing where the divisor is nothing."""
    if isinstance(part, Mapping):
        found = {
            currency: share
            for currency, amount in part.items()
            if isinstance(share := divided(amount, _in(whole, currency), factor), Decimal)
        }
        return found or None
    divisor = _in(whole, "")
    if part is None or not divisor:
        return None
    return (factor * part / divisor).quantize(CENT, ROUND_HALF_UP)


def changed(now: Figure, before: Figure) -> Figure:
    """By how much a figure differs from an earlier one, in percent of that."""
    if isinstance(now, Mapping) or isinstance(before, Mapping):
        mine, theirs = _by_currency(now), _by_currency(before)
        found = {
            currency: difference
            for currency, amount in mine.items()
            if isinstance(difference := changed(amount, theirs.get(currency)), Decimal)
        }
        return found or None
    if now is None or not before:
        return None
    return (HUNDRED * (now - before) / before).quantize(CENT, ROUND_HALF_UP)


def added(one: Figure, other: Figure) -> Figure:
    """Two figures together, currency by currency."""
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        mine, theirs = _by_currency(one), _by_currency(other)
        return {code: mine.get(code, Decimal(0)) + theirs.get(code, Decimal(0)) for code in {**mine, **theirs}}
    if one is None or other is None:
        return other if one is None else one
    return one + other


def settled(figure: Figure) -> Figure:
    """The figure as it is shown: sums of what has no currency are numbers, the sum of nothing is nought."""
    if isinstance(figure, Mapping) and set(figure) <= {""}:
        return figure.get("", Decimal(0))
    return figure


def plain(figure: Figure, currency: str) -> Decimal | int | None:
    """The figure in one currency, as charts draw it and rows are ordered by it."""
    if isinstance(figure, Mapping):
        return figure.get(currency, figure.get(""))
    return figure


def _by_currency(figure: Figure) -> Amounts:
    if isinstance(figure, Mapping):
        return figure
    return {} if figure is None else {"": Decimal(figure)}


def _in(figure: Figure, currency: str) -> Decimal | int | None:
    return figure.get(currency) if isinstance(figure, Mapping) else figure
