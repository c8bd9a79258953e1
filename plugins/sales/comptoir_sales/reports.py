"""The figures of sales, all computed from what the reader may see by `aggregate`."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.toolkit import (
    Compare,
    Context,
    Filter,
    ReportColumn,
    ReportResult,
    Text,
    _,
    aggregate,
    and_also,
    titles,
    to_pairs,
)
from comptoir_sales.models import DEALS, Deal, LostReason

LEAST_CLOSED = 5
"""Whoever has closed fewer deals is shown and not ranked: a rate of two deals says nothing."""
LEAST_LEFT = 10
"""A step is called the weakest only if at least so many deals have left its stage."""

OPEN = Compare("outcome", "eq", "open")
WON = Compare("outcome", "eq", "won")
LOST = Compare("outcome", "eq", "lost")
CLOSED = Compare("outcome", "in", ("won", "lost"))
CENT = Decimal("0.01")
HUNDRED = Decimal(100)

Options = Mapping[str, str]


# -- splitting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Split:
    """What a report's rows stand for: a path to group by, and the table whose titles name the groups."""

    label: Text
    path: str
    table: str = ""
    part: str = ""

    @property
    def group(self) -> str:
        """The name that `aggregate` takes."""
        return f"{self.path}:{self.part}" if self.part else self.path

    def narrow(self, key: Any) -> Filter:
        """The records of one group."""
        if key is None:
            return Compare(self.path, "is_null", value=True)
        if not self.part:
            return Compare(self.path, "eq", key)
        first, after = _span(str(key))
        bounds = and_also(Compare(self.path, "gte", first), Compare(self.path, "lt", after))
        assert bounds is not None
        return bounds


def _span(label: str) -> tuple[dt.date, dt.date]:
    """The first day of ``2017-03`` or ``2017-Q1`` and the first day after it."""
    year, _sep, rest = label.partition("-")
    months = 3 if rest.startswith("Q") else 1
    begin = int(year) * 12 + (int(rest.removeprefix("Q")) - 1) * months
    return _first_of(begin), _first_of(begin + months)


def _first_of(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)


CLOSED_MONTH = Split(_("Month closed"), "closed_on", part="month")
CLOSED_QUARTER = Split(_("Quarter closed"), "closed_on", part="quarter")
PERSON = Split(_("Person"), "owner", "core_user")
TEAM = Split(_("Team"), "team", "core_team")
REGION = Split(_("Region"), "team.parent", "core_team")
PRODUCT = Split(_("Product"), "product", "catalog_product")
CUSTOMER = Split(_("Customer"), "contact", "base_contact")
SECTOR = Split(_("Sector"), "contact.sector")
EXPECTED_MONTH = Split(_("Expected month"), "expected_close_on", part="month")
OPENED_MONTH = Split(_("Month opened"), "opened_on", part="month")

BY_PEOPLE = {"person": PERSON, "team": TEAM, "product": PRODUCT, "region": REGION}
BY_CLOSING = {
    "month": CLOSED_MONTH, "quarter": CLOSED_QUARTER, **BY_PEOPLE, "customer": CUSTOMER, "sector": SECTOR,
}  # fmt: skip


def choices(splits: Mapping[str, Split]) -> tuple[tuple[str, Text], ...]:
    """The splits as a report offers them."""
    return tuple((name, split.label) for name, split in splits.items())


def _chosen(splits: Mapping[str, Split], options: Options, default: str) -> Split:
    return splits.get(options.get("by", default), splits[default])


def _names(ctx: Context, split: Split, keys: Iterable[Any]) -> Callable[[Any], str]:
    """What the groups of a split are called."""
    known: dict[int, str] = {}
    if split.table:
        known = titles(ctx, {split.table: {key for key in keys if key is not None}})[split.table]
    return lambda key: str(_("None")) if key is None else known.get(key, str(key))


def _deals(ctx: Context) -> Any:
    return ctx.registry.record_type(Deal)


def drill(*filters: Filter | None) -> dict[str, str]:
    """The query of the list that shows exactly these records."""
    return dict(to_pairs(and_also(*filters)))


# -- arithmetic -------------------------------------------------------------------------------------------------------


def share(part: int, whole: int) -> Decimal | None:
    """A share of a hundred with two decimals; None of nothing."""
    return (HUNDRED * part / whole).quantize(CENT, ROUND_HALF_UP) if whole else None


def median_of(histogram: Mapping[int, int]) -> Decimal | None:
    """The exact median of values given with their counts."""
    total = sum(histogram.values())
    if not total:
        return None
    middle = ((total - 1) // 2, total // 2)
    found: list[int] = []
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        found += [value for place in middle[len(found) :] if place < passed]
        if len(found) == 2:
            break
    return Decimal(found[0] + found[1]) / 2


def mean_of(histogram: Mapping[int, int]) -> Decimal | None:
    """The mean of values given with their counts, with two decimals."""
    total = sum(histogram.values())
    if not total:
        return None
    return (Decimal(sum(value * count for value, count in histogram.items())) / total).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts and values by group.  Values are those of the currency that most deals have; others are only counted."""

    currency: str
    counts: Mapping[Any, int]
    values: Mapping[Any, Decimal]
    weighted: Mapping[Any, Decimal]
    elsewhere: Mapping[str, int]

    @property
    def count(self) -> int:
        """All deals, whatever their currency."""
        return sum(self.counts.values())

    @property
    def value(self) -> Decimal:
        """The value of all groups."""
        return sum(self.values.values(), Decimal(0))

    @property
    def weighted_value(self) -> Decimal:
        """The value of all groups, each deal counted by its chance."""
        return sum(self.weighted.values(), Decimal(0)).quantize(CENT, ROUND_HALF_UP)

    @property
    def notes(self) -> tuple[Text, ...]:
        """What the values leave out."""
        if not self.elsewhere:
            return ()
        others = ", ".join(f"{currency} ({count})" for currency, count in self.elsewhere.items())
        return (_("Values are in {currency}; deals in {others} are counted and not added up.",
                  currency=self.currency, others=others),)  # fmt: skip


def sums(ctx: Context, where: Filter | None, *groups: str) -> Sums:
    """The deals that a filter leaves, by these groups; with several groups the keys are tuples."""
    rows = aggregate(ctx, _deals(ctx), where, (*groups, "probability", "currency"), ("count", "amount:sum"))
    by_currency: dict[str, int] = defaultdict(int)
    for row in rows:
        by_currency[row["currency"] or ctx.settings.currency] += row["count"]
    main = max(by_currency, key=lambda code: by_currency[code], default=ctx.settings.currency)
    counts: dict[Any, int] = defaultdict(int)
    values: dict[Any, Decimal] = defaultdict(Decimal)
    weighted: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        key = tuple(row[name] for name in groups) if len(groups) > 1 else row[groups[0]] if groups else None
        counts[key] += row["count"]
        if (row["currency"] or ctx.settings.currency) == main:
            amount = row["amount:sum"] or Decimal(0)
            values[key] += amount
            weighted[key] += amount * (row["probability"] or 0) / HUNDRED
    return Sums(main, counts, values, weighted, {c: n for c, n in by_currency.items() if c != main})


def outcomes(ctx: Context, where: Filter | None, group: str) -> dict[Any, tuple[int, int]]:
    """Won and lost deals by group."""
    found: dict[Any, tuple[int, int]] = {}
    for row in aggregate(ctx, _deals(ctx), and_also(where, CLOSED), (group, "outcome"), ("count",)):
        won, lost = found.get(row[group], (0, 0))
        is_won = row["outcome"] == "won"
        found[row[group]] = (won + row["count"] * is_won, lost + row["count"] * (not is_won))
    return found


def cycle_histogram(ctx: Context, where: Filter | None) -> dict[int, int]:
    """How many closed deals took how many days."""
    rows = aggregate(ctx, _deals(ctx), and_also(where, CLOSED), ("cycle_days",), ("count",))
    return {row["cycle_days"]: row["count"] for row in rows if row["cycle_days"] is not None}


# -- reports ----------------------------------------------------------------------------------------------------------


def pipeline(ctx: Context, where: Filter | None, options: Options) -> ReportResult:
    """Number, value and weighted value by stage, by month, or by both."""
    by = options.get("by", "stage")
    month = OPENED_MONTH if by == "opened" else EXPECTED_MONTH
    narrowed = and_also(where, None if options.get("deals") == "all" else OPEN)
    stages = {station.name: (place, str(station.label)) for place, station in enumerate(DEALS.stages(ctx))}
    groups = {"stage": ("stage",), "month": (month.group,), "opened": (month.group,)}.get(by, ("stage", month.group))
    found = sums(ctx, narrowed, *groups)

    def parts(key: Any) -> tuple[Any, Any]:
        return key if len(groups) == 2 else (key, None) if groups[0] == "stage" else (None, key)

    def order(key: Any) -> tuple[int, bool, str]:
        stage, when = parts(key)
        return stages.get(stage, (len(stages), ""))[0], when is None, str(when)

    rows = []
    for key in sorted(found.counts, key=order):
        stage, when = parts(key)
        at_stage = Compare("stage", "eq", stage) if "stage" in groups else None
        in_month = month.narrow(when) if month.group in groups else None
        rows.append(
            {
                "stage": stages.get(stage, (0, str(stage)))[1],
                "month": when or str(_("No date")),
                "count": found.counts[key],
                "value": found.values.get(key, Decimal(0)),
                "weighted": found.weighted.get(key, Decimal(0)).quantize(CENT, ROUND_HALF_UP),
                "drill": drill(narrowed, at_stage, in_month),
            }
        )
    columns = [
        *([ReportColumn("stage", _("Stage"))] if "stage" in groups else []),
        *([ReportColumn("month", month.label)] if month.group in groups else []),
        ReportColumn("count", _("Deals"), "integer", total=True),
        ReportColumn("value", _("Value"), "money", total=True),
        ReportColumn("weighted", _("Weighted"), "money", total=True),
    ]
    return ReportResult(
        tuple(columns),
        rows,
        totals={"count": found.count, "value": found.value, "weighted": found.weighted_value},
        chart="columns",
        chart_value="value",
        notes=found.notes,
        drill_model=Deal,
        currency=found.currency,
    )


def win_rate(ctx: Context, where: Filter | None, options: Options) -> ReportResult:
    """Won deals of closed ones, over time or by who and what."""
    split = _chosen(BY_CLOSING, options, "month")
    by_group = outcomes(ctx, where, split.group)
    value = sums(ctx, and_also(where, WON), split.group)
    name = _names(ctx, split, by_group)
    rows: list[dict[str, Any]] = [
        {
            "label": name(key),
            "won": won,
            "lost": lost,
            "closed": won + lost,
            "rate": share(won, won + lost),
            "value": value.values.get(key, Decimal(0)),
            "drill": drill(where, CLOSED, split.narrow(key)),
        }
        for key, (won, lost) in by_group.items()
    ]
    if not split.part:
        rows.sort(key=lambda row: (-(row["rate"] or 0), row["label"]))
    won, lost = (sum(pair[place] for pair in by_group.values()) for place in (0, 1))
    return ReportResult(
        (
            ReportColumn("label", split.label),
            ReportColumn("closed", _("Closed"), "integer", total=True),
            ReportColumn("won", _("Won"), "integer", total=True),
            ReportColumn("lost", _("Lost"), "integer", total=True),
            ReportColumn("rate", _("Win rate"), "percent", total=True),
            ReportColumn("value", _("Won value"), "money", total=True),
        ),
        rows,
        totals={"closed": won + lost, "won": won, "lost": lost, "rate": share(won, won + lost), "value": value.value},
        chart="line" if split.part else "bars",
        chart_value="rate",
        notes=value.notes,
        drill_model=Deal,
        currency=value.currency,
    )


def cycle(ctx: Context, where: Filter | None, options: Options) -> ReportResult:
    """Days from opening to closing: mean and exact median of won and lost deals."""
    by = options.get("by", "outcome")
    split = Split(_("Outcome"), "outcome") if by == "outcome" else _chosen(BY_CLOSING, options, "month")
    keys = list(outcomes(ctx, where, split.group))
    name = _names(ctx, split, keys)
    labels = {"won": str(_("Won")), "lost": str(_("Lost"))}
    rows = []
    for key in sorted(keys, key=lambda k: (k is None, {"won": "0", "lost": "1"}.get(k, str(name(k))))):
        here = and_also(where, split.narrow(key))
        won, lost = cycle_histogram(ctx, and_also(here, WON)), cycle_histogram(ctx, and_also(here, LOST))
        rows.append(
            {
                "label": labels.get(key, name(key)) if by == "outcome" else name(key),
                **_cycle_figures(won, lost),
                "drill": drill(here, CLOSED),
            }
        )
    all_won, all_lost = cycle_histogram(ctx, and_also(where, WON)), cycle_histogram(ctx, and_also(where, LOST))
    return ReportResult(
        (
            ReportColumn("label", split.label),
            ReportColumn("closed", _("Closed"), "integer", total=True),
            ReportColumn("mean", _("Average"), "days", total=True),
            ReportColumn("median", _("Median"), "days", total=True),
            ReportColumn("mean_won", _("Average of won"), "days", total=True),
            ReportColumn("median_won", _("Median of won"), "days", total=True),
            ReportColumn("mean_lost", _("Average of lost"), "days", total=True),
            ReportColumn("median_lost", _("Median of lost"), "days", total=True),
        ),
        rows,
        totals=_cycle_figures(all_won, all_lost),
        chart="columns",
        chart_value="mean",
        notes=(_("Days from the day a deal was opened to the day it was closed; open deals do not count."),),
        drill_model=Deal,
    )


def _cycle_figures(won: Mapping[int, int], lost: Mapping[int, int]) -> dict[str, Any]:
    both = {days: won.get(days, 0) + lost.get(days, 0) for days in {*won, *lost}}
    return {
        "closed": sum(both.values()),
        "mean": mean_of(both),
        "median": median_of(both),
        "mean_won": mean_of(won),
        "median_won": median_of(won),
        "mean_lost": mean_of(lost),
        "median_lost": median_of(lost),
    }


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of the funnel: how many deals reached it, were lost at it, stand at it, and went on from it."""

    code: str
    label: str
    reached: int
    lost: int
    here: int
    goes_on: Decimal | None
    reasons: Sequence[tuple[str, int]] = ()
    is_weakest: bool = False
    drill: Mapping[str, str] | None = None


def funnel_steps(ctx: Context, where: Filter | None) -> tuple[list[Step], int]:
    """The steps of one pipeline, and how many deals were won: the pipeline that the filter names, else the default."""
    pipeline_id = _pipeline_of(where) or DEALS.default_pipeline(ctx)
    narrowed = and_also(where, Compare("pipeline", "eq", pipeline_id) if pipeline_id is not None else None)
    stations = DEALS.stages(ctx, Deal(pipeline_id=pipeline_id))
    codes = [station.name for station in stations if not station.closes]
    counts: dict[tuple[str, str], int] = {}
    for row in aggregate(ctx, _deals(ctx), narrowed, ("furthest_stage", "outcome"), ("count",)):
        counts[row["furthest_stage"], row["outcome"]] = row["count"]
    reasons = _lost_reasons(ctx, narrowed)
    steps = []
    for place, code in enumerate(codes):
        reached = sum(count for (stage, _outcome), count in counts.items() if stage in codes[place:])
        further = sum(count for (stage, _outcome), count in counts.items() if stage in codes[place + 1 :])
        won_here = counts.get((code, "won"), 0)
        lost = counts.get((code, "lost"), 0)
        steps.append(
            Step(
                code=code,
                label=next(str(s.label) for s in stations if s.name == code),
                reached=reached,
                lost=lost,
                here=counts.get((code, "open"), 0),
                goes_on=share(further + won_here, further + won_here + lost),
                reasons=reasons.get(code, ()),
                drill=drill(narrowed, Compare("furthest_stage", "in", tuple(codes[place:]))),
            )
        )
    measured = [step for step in steps if step.goes_on is not None and step.reached - step.here >= LEAST_LEFT]
    weakest = min(measured, key=lambda step: step.goes_on or 0, default=None)
    won = sum(count for (_stage, outcome), count in counts.items() if outcome == "won")
    return [replace(step, is_weakest=step is weakest and step.lost > 0) for step in steps], won


def _pipeline_of(where: Filter | None) -> int | None:
    """The pipeline that a filter names at its top."""
    parts = getattr(where, "parts", (where,))
    for part in parts:
        if isinstance(part, Compare) and part.path in ("pipeline", "pipeline_id") and part.operator == "eq":
            return int(part.value)
    return None


def _lost_reasons(ctx: Context, where: Filter | None) -> dict[str, list[tuple[str, int]]]:
    """By furthest stage the reasons of the losses there, the most frequent first."""
    rows = aggregate(ctx, _deals(ctx), and_also(where, LOST), ("furthest_stage", "lost_reason"), ("count",))
    ids = {row["lost_reason"] for row in rows if row["lost_reason"] is not None}
    table = LostReason.__tablename__
    known = titles(ctx, {table: ids})[table]
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: -row["count"]):
        if row["lost_reason"] in known:
            found[row["furthest_stage"]].append((known[row["lost_reason"]], row["count"]))
    return found


def funnel(ctx: Context, where: Filter | None, options: Options) -> ReportResult:
    """How many deals reached each stage, went on, or were lost there, and why."""
    steps, won = funnel_steps(ctx, where)
    rows: list[dict[str, Any]] = [
        {
            "label": step.label,
            "reached": step.reached,
            "here": step.here,
            "lost": step.lost,
            "goes_on": step.goes_on,
            "reasons": ", ".join(f"{reason} {count}" for reason, count in step.reasons[:3]),
            "tone": "bad" if step.is_weakest else "",
            "drill": step.drill,
        }
        for step in steps
    ]
    rows.append(
        {
            "label": str(_("Won")), "reached": won, "here": 0, "lost": 0, "goes_on": None, "reasons": "", "tone": "ok",
            "drill": drill(where, WON),
        }
    )  # fmt: skip
    weakest = next((step for step in steps if step.is_weakest), None)
    notes: list[Text] = []
    if weakest is not None:
        notes.append(_("Weakest step: {stage}.", stage=weakest.label))
    notes.append(_("A deal that was created at a closed stage counts as having passed every open one."))
    return ReportResult(
        (
            ReportColumn("label", _("Stage")),
            ReportColumn("reached", _("Reached"), "integer"),
            ReportColumn("here", _("Still open here"), "integer", total=True),
            ReportColumn("lost", _("Lost here"), "integer", total=True),
            ReportColumn("goes_on", _("Go on"), "percent"),
            ReportColumn("reasons", _("Main reasons for losing")),
        ),
        rows,
        totals={"here": sum(s.here for s in steps), "lost": sum(s.lost for s in steps)},
        chart="funnel",
        chart_value="reached",
        notes=tuple(notes),
        drill_model=Deal,
    )


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a ranking; ``rank`` is None below the least number of closed deals."""

    key: Any
    label: str
    rank: int | None
    won: int
    closed: int
    rate: Decimal | None
    value: Decimal


def ranked(ctx: Context, where: Filter | None, split: Split, *, order: str = "value") -> tuple[list[Ranked], Sums]:
    """People, teams, products or regions by what they won; order is value, won or rate."""
    by_group = outcomes(ctx, where, split.group)
    value = sums(ctx, and_also(where, WON), split.group)
    name = _names(ctx, split, by_group)
    lines = [
        Ranked(key, name(key), None, won, won + lost, share(won, won + lost), value.values.get(key, Decimal(0)))
        for key, (won, lost) in by_group.items()
    ]
    measure: Callable[[Ranked], Any] = {
        "won": lambda line: line.won,
        "rate": lambda line: line.rate or Decimal(0),
    }.get(order, lambda line: line.value)
    enough = [line for line in lines if line.closed >= LEAST_CLOSED and line.key is not None]
    enough.sort(key=lambda line: (-measure(line), line.label))
    rest = sorted((line for line in lines if line not in enough), key=lambda line: (line.key is None, line.label))
    numbered = [replace(line, rank=place) for place, line in enumerate(enough, start=1)]
    return [*numbered, *rest], value


def ranking(ctx: Context, where: Filter | None, options: Options) -> ReportResult:
    """Who and what sells, with the number of deals that each figure stands on."""
    split = _chosen(BY_PEOPLE, options, "person")
    lines, value = ranked(ctx, where, split, order=options.get("order", "value"))
    rows = [
        {
            "rank": line.rank,
            "label": line.label,
            "closed": line.closed,
            "won": line.won,
            "rate": line.rate,
            "value": line.value,
            "average": (line.value / line.won).quantize(CENT, ROUND_HALF_UP) if line.won else None,
            "drill": drill(where, CLOSED, split.narrow(line.key)),
        }
        for line in lines
    ]
    won, closed = sum(line.won for line in lines), sum(line.closed for line in lines)
    unranked = sum(line.rank is None and line.key is not None for line in lines)
    notes = list(value.notes)
    if unranked:
        notes.append(
            _("{count} not ranked: fewer than {least} closed deals say too little.", count=unranked, least=LEAST_CLOSED)
        )
    return ReportResult(
        (
            ReportColumn("rank", _("Rank"), "integer"),
            ReportColumn("label", split.label),
            ReportColumn("closed", _("Closed"), "integer", total=True),
            ReportColumn("won", _("Won"), "integer", total=True),
            ReportColumn("rate", _("Win rate"), "percent", total=True),
            ReportColumn("value", _("Won value"), "money", total=True),
            ReportColumn("average", _("Average won"), "money", total=True),
        ),
        rows,
        totals={
            "closed": closed,
            "won": won,
            "rate": share(won, closed),
            "value": value.value,
            "average": (value.value / won).quantize(CENT, ROUND_HALF_UP) if won else None,
        },
        chart="bars",
        chart_value={"won": "won", "rate": "rate"}.get(options.get("order", ""), "value"),
        notes=tuple(notes),
        drill_model=Deal,
        currency=value.currency,
    )
