"""A question of rows, columns and measures over records, and its answer with totals and the way to the records."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from comptoir.i18n import Text, _
from comptoir.kinds.calendar import period_bounds
from comptoir.records.query.tree import Compare, Filter, Query, and_also
from comptoir.reports import stays
from comptoir.reports.cells import Cells, compute
from comptoir.reports.dimensions import Dimension
from comptoir.reports.labels import Labels
from comptoir.reports.measures import (
    Cell,
    Figure,
    Measure,
    PeriodChange,
    Running,
    added,
    changed,
    folded,
    plain,
    settled,
)

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.records.declared import DeclaredType

MAX_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Period:
    """The span of days that a date of the records must lie in; ``after`` is the first day that does not."""

    path: str
    first: dt.date
    after: dt.date

    @property
    def filter(self) -> Filter:
        """The records of the period."""
        found = and_also(Compare(self.path, "gte", self.first), Compare(self.path, "lt", self.after))
        assert found is not None
        return found

    def before(self) -> Period:
        """The period of the same length that ends where this one begins; whole months, quarters and years stay whole."""
        months = (self.after.year - self.first.year) * 12 + self.after.month - self.first.month
        if self.first.day == 1 and self.after.day == 1:
            begin = self.first.year * 12 + self.first.month - 1 - months
            return replace(self, first=dt.date(begin // 12, begin % 12 + 1, 1), after=self.first)
        return replace(self, first=self.first - (self.after - self.first), after=self.first)


def named_period(ctx: Context, path: str, word: str) -> Period:
    """``this_month``, ``last_30_days`` and the like, now and where the actor is."""
    return Period(path, *period_bounds(ctx.today(), word))


@dataclass(frozen=True, slots=True)
class Pivot:
    """What is asked.

    ``sort`` names a measure, with ``-`` the greatest first; empty keeps the order that stages and months have of themselves
    and puts the greatest of anything else first.  ``top`` keeps so many rows and adds the others up.  ``least`` is a measure
    and the value below which a row is listed and not ranked.  ``source`` ``stays`` asks the history how long records stood at
    their stages.
    """

    declared: DeclaredType
    measures: tuple[Measure, ...]
    rows: Dimension | None = None
    columns: Dimension | None = None
    where: Filter | None = None
    period: Period | None = None
    sort: str = ""
    top: int = 0
    least: tuple[Measure, int] | None = None
    source: str = "records"

    @property
    def filter(self) -> Filter | None:
        """What all the records fulfil, the period included."""
        return and_also(self.where, self.period.filter if self.period is not None else None)


@dataclass(slots=True)
class Heading:
    """A column of a pivot."""

    key: Any
    label: str
    drill: Filter | None = None


@dataclass(slots=True)
class Line:
    """A row: its figures over all columns, and those of each column in their order.

    ``rank`` is None where rows are not ranked or too little stands behind this one.
    """

    key: Any
    label: str
    figures: dict[str, Figure]
    cells: list[dict[str, Figure]] = field(default_factory=list)
    drill: Filter | None = None
    is_others: bool = False
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a pivot gives; figures go by the names of the measures."""

    pivot: Pivot
    heading: Text
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    totals: Mapping[str, Figure]
    column_totals: tuple[Mapping[str, Figure], ...]
    currency: str
    """The one that most records have: charts draw it and rows are ordered by it."""
    is_dated: bool = False
    is_ranked: bool = False
    unranked: int = 0
    notes: tuple[Text, ...] = ()


def run_pivot(ctx: Context, pivot: Pivot) -> Answer:
    """Answer a pivot over what the actor may see; the number of statements does not depend on the number of groups."""
    ctx.require(pivot.declared.permission("read"))
    found = _cells(ctx, pivot)
    compares = pivot.period is not None and any(isinstance(m, PeriodChange) for m in pivot.measures)
    earlier = None
    if compares:
        assert pivot.period is not None
        earlier = _cells(ctx, replace(pivot, period=pivot.period.before()))
    return _Answering(ctx, pivot, found, earlier).answer()


def _cells(ctx: Context, pivot: Pivot) -> Cells:
    groups = [d.group for d in (pivot.rows, pivot.columns) if d is not None]
    measures = (*pivot.measures, *((pivot.least[0],) if pivot.least is not None else ()))
    atoms = [atom for measure in measures for atom in measure.atoms()]
    if pivot.source == "stays":
        return stays.compute(ctx, pivot.declared, pivot.filter, groups, atoms)
    return compute(ctx, pivot.declared, Query(where=pivot.filter), groups, atoms)


class _Answering:
    """Puts the cells of one pivot into rows and columns."""

    def __init__(self, ctx: Context, pivot: Pivot, found: Cells, earlier: Cells | None) -> None:
        self.ctx, self.pivot, self.earlier = ctx, pivot, earlier
        self.cells = {self._pair(key): cell for key, cell in found.cells.items()}
        self.before = {self._pair(key): cell for key, cell in earlier.cells.items()} if earlier is not None else {}
        currencies: Counter[str] = found.currencies
        self.currency = max(sorted(currencies), key=lambda code: currencies[code], default=ctx.settings.currency)
        self.whole = folded(self.cells.values())
        keys = {row for row, _column in (*self.cells, *self.before)}
        self.rows = self._labels(pivot.rows, keys)
        self.columns = self._labels(pivot.columns, {column for _row, column in self.cells})

    def _pair(self, key: tuple[Any, ...]) -> tuple[Any, Any]:
        """The key of the row and of the column; None stands for all."""
        if self.pivot.rows is None:
            return None, key[0] if key else None
        return key[0], key[1] if self.pivot.columns is not None else None

    def _labels(self, dimension: Dimension | None, keys: set[Any]) -> Any:
        if dimension is None:
            return None
        if self.pivot.source == "stays" and dimension.path in stays.FIELDS:
            return stays.labels(self.ctx, self.pivot.declared, dimension, keys)
        return Labels(self.ctx, self.pivot.declared, dimension, keys)

    def answer(self) -> Answer:
        pivot = self.pivot
        by_row: dict[Any, Cell] = {}
        for (row, _column), cell in self.cells.items():
            by_row.setdefault(row, Cell()).add(cell)
        columns = self._ordered_columns()
        headings = tuple(
            Heading(key, self.columns.of(key), self._drill(pivot.columns, key)) for key in columns
        )  # fmt: skip
        keys = self._ordered_rows(by_row) if pivot.rows is not None else list(by_row) or [None]
        kept, rest = (keys[: pivot.top], keys[pivot.top :]) if 0 < pivot.top < len(keys) - 1 else (keys, [])
        lines = [self._line(key, by_row.get(key, Cell()), columns) for key in kept]
        unranked = self._rank(lines, by_row)
        if rest:
            lines.append(self._others(rest, by_row, columns))
        self._run_totals(lines)
        self._compare(lines, columns)
        by_column = [folded(c for (_r, column), c in self.cells.items() if column == key) for key in columns]
        totals, column_totals = self._figures(self.whole), [self._figures(cell) for cell in by_column]
        self._compare_totals(totals, column_totals, columns)
        notes: list[Text] = []
        if unranked and pivot.least is not None:
            notes.append(
                _("{count} not ranked: below {least} “{measure}” a figure says too little.",
                  count=unranked, least=pivot.least[1], measure=pivot.least[0].label)
            )  # fmt: skip
        for figures in (totals, *column_totals, *(f for line in lines for f in (line.figures, *line.cells))):
            figures.update({name: settled(figure) for name, figure in figures.items()})
        return Answer(
            pivot, self.rows.heading if self.rows is not None else _("Total"), headings,
            tuple(lines) if pivot.rows is not None else (), totals, tuple(column_totals), self.currency,
            is_dated=self.rows is not None and self.rows.is_dated, is_ranked=any(line.rank for line in lines),
            unranked=unranked, notes=tuple(notes),
        )  # fmt: skip

    # -- order ------------------------------------------------------------------------------------------------------------

    def _ordered_columns(self) -> list[Any]:
        if self.columns is None:
            return []
        sizes: Counter[Any] = Counter()
        for (_row, column), cell in self.cells.items():
            sizes[column] += sum(cell.counts.values()) or 1
        kept = [key for key, _size in sizes.most_common(MAX_COLUMNS)]
        return sorted(kept, key=self.columns.place)

    def _ordered_rows(self, by_row: Mapping[Any, Cell]) -> list[Any]:
        sort = self.pivot.sort or ("" if self.rows.has_order else f"-{self.pivot.measures[0].name}")
        keys = sorted(by_row, key=self.rows.place)
        measure = next((m for m in self.pivot.measures if m.name == sort.lstrip("-")), None)
        if measure is None:
            return keys[::-1] if sort == "-rows" else keys
        values = {key: plain(measure.figure(by_row[key], self.whole), self.currency) for key in keys}
        sign = -1 if sort.startswith("-") else 1
        return sorted(
            keys, key=lambda k: (k is None, self._is_slight(by_row[k]), values[k] is None, sign * (values[k] or 0))
        )

    def _is_slight(self, cell: Cell) -> bool:
        """Whether too little stands behind a row to rank it."""
        if self.pivot.least is None:
            return False
        measure, least = self.pivot.least
        return Decimal(plain(measure.figure(cell, self.whole), self.currency) or 0) < least

    def _rank(self, lines: Sequence[Line], by_row: Mapping[Any, Cell]) -> int:
        if self.pivot.least is None or self.rows is None or self.rows.is_dated or self.pivot.sort.lstrip("-") == "rows":
            return 0
        place = 0
        for line in lines:
            if line.key is not None and not self._is_slight(by_row[line.key]):
                place += 1
                line.rank = place
        return sum(key is not None and self._is_slight(cell) for key, cell in by_row.items())

    # -- figures ------------------------------------------------------------------------------------------------------------

    def _figures(self, cell: Cell) -> dict[str, Figure]:
        return {measure.name: measure.figure(cell, self.whole) for measure in self.pivot.measures}

    def _line(self, key: Any, cell: Cell, columns: Sequence[Any]) -> Line:
        label = self.rows.of(key) if self.rows is not None else str(_("Total"))
        cells = [self._figures(self.cells.get((key, column), Cell())) for column in columns]
        return Line(key, label, self._figures(cell), cells, self._drill(self.pivot.rows, key))

    def _others(self, keys: Sequence[Any], by_row: Mapping[Any, Cell], columns: Sequence[Any]) -> Line:
        cells = [
            self._figures(folded(self.cells[key, column] for key in keys if (key, column) in self.cells))
            for column in columns
        ]
        label = str(_("{count} others", count=len(keys)))
        return Line(None, label, self._figures(folded(by_row[k] for k in keys)), cells, None, is_others=True)

    def _drill(self, dimension: Dimension | None, key: Any) -> Filter | None:
        """The filter of the list behind a group; the history has none."""
        if self.pivot.source != "records":
            return None
        return and_also(self.pivot.filter, dimension.narrow(key) if dimension is not None else None)

    def _run_totals(self, lines: Sequence[Line]) -> None:
        for measure in self.pivot.measures:
            if isinstance(measure, Running):
                so_far: list[Figure] = [None] * (1 + max((len(line.cells) for line in lines), default=0))
                for line in lines:
                    for place, figures in enumerate((line.figures, *line.cells)):
                        so_far[place] = figures[measure.name] = added(so_far[place], figures[measure.name])

    # -- the period before ----------------------------------------------------------------------------------------------------

    def _changes(self) -> list[PeriodChange]:
        return [m for m in self.pivot.measures if isinstance(m, PeriodChange)] if self.earlier is not None else []

    def _compare(self, lines: Sequence[Line], columns: Sequence[Any]) -> None:
        if not self._changes():
            return
        before: dict[Any, Any] = {}
        if self.rows is not None and self.rows.is_dated:  # the first month beside the first month of the period before
            now = sorted({row for row, _c in self.cells if row is not None})
            then = sorted({row for row, _c in self.before if row is not None})
            before = dict(zip(now, then, strict=False))
        for line in lines:
            shown = {other.key for other in lines if not other.is_others}
            keys = (
                [row for row, _c in self.before if row not in shown] if line.is_others
                else [before.get(line.key)] if before else [line.key]
            )  # fmt: skip
            wanted = set(keys)
            self._fill(line.figures, folded(c for (row, _c), c in self.before.items() if row in wanted))
            for column, figures in zip(columns, line.cells, strict=True):
                self._fill(figures, folded(c for (row, at), c in self.before.items() if row in wanted and at == column))

    def _compare_totals(
        self, totals: dict[str, Figure], column_totals: Sequence[dict[str, Figure]], columns: Sequence[Any]
    ) -> None:
        if not self._changes():
            return
        whole = folded(self.before.values())
        self._fill(totals, whole, self.whole)
        for column, figures in zip(columns, column_totals, strict=True):
            at = folded(c for (_r, place), c in self.cells.items() if place == column)
            self._fill(figures, folded(c for (_r, place), c in self.before.items() if place == column), at)

    def _fill(self, figures: dict[str, Figure], before: Cell, now: Cell | None = None) -> None:
        for change in self._changes():
            present = figures.get(change.of.name)
            if change.of.name not in figures:
                present = change.of.figure(now, self.whole) if now is not None else None
            figures[change.name] = changed(present, change.of.figure(before, before))
