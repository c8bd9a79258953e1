"""The reports of sales: measures and groupings of deals, declared; the funnel is computed here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.toolkit import (
    Average,
    Compare,
    Context,
    Count,
    Dimension,
    Filter,
    Median,
    Ratio,
    Report,
    ReportColumn,
    ReportResult,
    Sum,
    Text,
    Weighted,
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
HUNDRED = Decimal(100)

CLOSED_MONTH = Dimension(Deal.closed_on, "month", _("Month closed"), "month")
CLOSED_QUARTER = Dimension(Deal.closed_on, "quarter", _("Quarter closed"), "quarter")
OPENED_MONTH = Dimension(Deal.opened_on, "month", _("Month opened"), "opened")
EXPECTED_MONTH = Dimension(Deal.expected_close_on, "month", _("Expected month"), "month")
STAGE = Dimension(Deal.stage, name="stage")
OUTCOME = Dimension(Deal.outcome, name="outcome")
PIPELINE = Dimension("pipeline", name="pipeline")
PERSON = Dimension("owner", label=_("Person"), name="person")
TEAM = Dimension("team", label=_("Team"), name="team")
REGION = Dimension("team.parent", label=_("Region"), name="region")
PRODUCT = Dimension("product", name="product")
CUSTOMER = Dimension("contact", label=_("Customer"), name="customer")
SECTOR = Dimension("contact.sector", label=_("Sector"), name="sector")
LOST_REASON = Dimension("lost_reason", name="reason")
CURRENCY = Dimension(Deal.currency, name="currency")

PEOPLE = (PERSON, TEAM, PRODUCT, REGION)
CLOSING = (CLOSED_MONTH, CLOSED_QUARTER, *PEOPLE, CUSTOMER, SECTOR, CURRENCY)

COUNT = Count("count", _("Deals"))
CLOSED_COUNT = Count("closed", _("Closed"), where=CLOSED)
WON_COUNT = Count("won", _("Won"), where=WON)
LOST_COUNT = Count("lost", _("Lost"), where=LOST)
RATE = Ratio("rate", _("Win rate"), "percent", of=WON_COUNT, to=CLOSED_COUNT)
VALUE = Sum("value", _("Value"), column=Deal.amount)
WEIGHTED = Weighted("weighted", _("Weighted"), column=Deal.amount, by=Deal.probability)
WON_VALUE = Sum("value", _("Won value"), where=WON, column=Deal.amount)
AVERAGE_WON = Ratio("average", _("Average won"), "money", of=WON_VALUE, to=WON_COUNT, percent=False)
CYCLE_OF_WON = Average("mean_won", _("Average of won"), "days", WON, Deal.cycle_days)
MEDIAN_OF_WON = Median("median_won", _("Median of won"), "days", WON, Deal.cycle_days)


def drill(*filters: Filter | None) -> dict[str, str]:
    """The query of the list that shows exactly these records."""
    return dict(to_pairs(and_also(*filters)))


def share(part: int, whole: int) -> Decimal | None:
    """A share of a hundred with two decimals; None of nothing."""
    return (HUNDRED * part / whole).quantize(Decimal("0.01"), ROUND_HALF_UP) if whole else None


# -- where deals are lost -------------------------------------------------------------------------------------------------


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
    deals = ctx.registry.record_type(Deal)
    rows = aggregate(ctx, deals, narrowed, ("furthest_stage", "outcome", "lost_reason"), ("count",))
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counts[row["furthest_stage"], row["outcome"]] += row["count"]
    reasons = _lost_reasons(ctx, [row for row in rows if row["outcome"] == "lost"])
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


def _lost_reasons(ctx: Context, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, int]]]:
    """By furthest stage the reasons of the losses there, the most frequent first."""
    ids = {row["lost_reason"] for row in rows if row["lost_reason"] is not None}
    table = LostReason.__tablename__
    known = titles(ctx, {table: ids})[table]
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: -row["count"]):
        if row["lost_reason"] in known:
            found[row["furthest_stage"]].append((known[row["lost_reason"]], row["count"]))
    return found


def funnel(ctx: Context, where: Filter | None) -> ReportResult:
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
    stands = any(step.here for step in steps)
    notes.append(_("A deal that was created at a closed stage counts as having passed every open one."))
    return ReportResult(
        (
            ReportColumn("label", _("Stage")),
            ReportColumn("reached", _("Reached"), "integer"),
            *([ReportColumn("here", _("Still open here"), "integer", total=True)] if stands else []),
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


REPORTS = (
    Report(
        "sales.pipeline",
        _("Pipeline by stage and month"),
        _("What is open, where it stands and when it is expected."),
        Deal,
        "sales.deal.read",
        rows=(STAGE, EXPECTED_MONTH, OPENED_MONTH, PIPELINE, PERSON, TEAM, PRODUCT),
        columns=(EXPECTED_MONTH, OPENED_MONTH, PERSON, CURRENCY),
        measures=(COUNT, VALUE, WEIGHTED),
        where=OPEN,
        period=Deal.expected_close_on,
        chart="columns",
        draws="value",
        order=10,
    ),
    Report(
        "sales.win_rate",
        _("Win rate"),
        _("Won deals of those that were closed."),
        Deal,
        "sales.deal.read",
        rows=CLOSING,
        columns=(CLOSED_QUARTER, PERSON, TEAM, PRODUCT),
        measures=(CLOSED_COUNT, WON_COUNT, LOST_COUNT, RATE, WON_VALUE),
        where=CLOSED,
        period=Deal.closed_on,
        chart="line",
        draws="rate",
        order=20,
    ),
    Report(
        "sales.cycle",
        _("Cycle length"),
        _("Days from the day a deal was opened to the day it was closed; open deals do not count."),
        Deal,
        "sales.deal.read",
        rows=(OUTCOME, *CLOSING),
        columns=(OUTCOME, CLOSED_QUARTER),
        measures=(
            CLOSED_COUNT,
            Average("mean", _("Average"), "days", CLOSED, Deal.cycle_days),
            Median("median", _("Median"), "days", CLOSED, Deal.cycle_days),
            CYCLE_OF_WON,
            MEDIAN_OF_WON,
            Average("mean_lost", _("Average of lost"), "days", LOST, Deal.cycle_days),
            Median("median_lost", _("Median of lost"), "days", LOST, Deal.cycle_days),
        ),
        where=CLOSED,
        period=Deal.closed_on,
        chart="columns",
        draws="mean",
        order=30,
    ),
    Report(
        "sales.funnel",
        _("Where deals are lost"),
        _("How many closed deals reached each stage and went on from there."),
        Deal,
        "sales.deal.read",
        where=CLOSED,
        period=Deal.closed_on,
        run=funnel,
        order=40,
    ),
    Report(
        "sales.ranking",
        _("Ranking"),
        _("Who and what sells."),
        Deal,
        "sales.deal.read",
        rows=PEOPLE,
        columns=(CLOSED_QUARTER, PRODUCT),
        measures=(CLOSED_COUNT, WON_COUNT, RATE, WON_VALUE, AVERAGE_WON),
        where=CLOSED,
        period=Deal.closed_on,
        sort="-value",
        draws="value",
        least=(CLOSED_COUNT, LEAST_CLOSED),
        order=50,
    ),
    Report(
        "sales.stages",
        _("Days at each stage"),
        _("How long deals stand where, and who moves them on; from the history."),
        Deal,
        "sales.deal.read",
        rows=(
            Dimension("at_stage", name="stage"),
            Dimension("next_stage", name="next"),
            Dimension("moved_by", name="by"),
            Dimension("left_at", "month", _("Month left"), "left"),
            PERSON,
            TEAM,
            PRODUCT,
        ),
        columns=(Dimension("next_stage", name="next"), Dimension("left_at", "month", _("Month left"), "left")),
        measures=(
            Count("count", _("Stays")),
            Average("mean", _("Average"), "days", column="days"),
            Median("median", _("Median"), "days", column="days"),
        ),
        period=Deal.opened_on,
        chart="bars",
        draws="median",
        source="stays",
        order=60,
    ),
)
