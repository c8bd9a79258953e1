"""What sales shows on the dashboard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.dates import format_date

from comptoir.toolkit import Compare, Context, Filter, Formats, Kpi, Tile, _, and_also, ngettext
from comptoir_sales import reports
from comptoir_sales.models import DEALS, Deal

PERIODS = {"week": "this_week", "month": "this_month", "quarter": "this_quarter", "year": "this_year"}
"""The dashboard's periods as the query language says them; any other shows all time."""

Options = Mapping[str, str]
MONTHS = 12


def closed_within(options: Options) -> Filter | None:
    """The deals that were closed within the dashboard's period."""
    period = PERIODS.get(options.get("period", ""))
    return Compare("closed_on", "within", period) if period is not None else None


def _formats(ctx: Context) -> Formats:
    return Formats(ctx.actor.language, ctx.timezone, ctx.settings.currency, ctx.now())


def _address(*filters: Filter | None) -> str:
    return "/sales/deals?" + "&".join(f"{name}={value}" for name, value in reports.drill(*filters).items())


def kpis(ctx: Context, options: Options) -> Sequence[Kpi]:
    """Won, open pipeline, win rate and cycle."""
    formats, period = _formats(ctx), closed_within(options)
    won = reports.sums(ctx, and_also(reports.WON, period))
    opened = reports.sums(ctx, reports.OPEN)
    counts = reports.outcomes(ctx, period, "outcome")
    closed = sum(sum(pair) for pair in counts.values())
    rate = reports.share(won.count, closed)
    days = reports.cycle_histogram(ctx, and_also(reports.WON, period))
    mean, median = reports.mean_of(days), reports.median_of(days)
    return [
        Kpi(
            _("Won"),
            formats.money(won.value, won.currency),
            ngettext("{count} deal", "{count} deals", won.count).format(count=formats.integer(won.count)),
            series=_won_by_month(ctx),
            url=_address(reports.WON, period),
        ),
        Kpi(
            _("Open pipeline"),
            formats.money(opened.value, opened.currency),
            _(
                "{weighted} weighted, {count} deals",
                weighted=formats.money(opened.weighted_value, opened.currency, whole=True),
                count=formats.integer(opened.count),
            ),
            url=_address(reports.OPEN),
        ),
        Kpi(
            _("Win rate"),
            formats.percent(rate) if rate is not None else "–",
            _("of {count} closed", count=formats.integer(closed)),
            url="/reports/sales.win_rate",
        ),
        Kpi(
            _("Days to win"),
            formats.decimal(mean) if mean is not None else "–",
            _("median {days}", days=formats.decimal(median)) if median is not None else "",
            url="/reports/sales.cycle",
        ),
    ]


def _won_by_month(ctx: Context) -> tuple[float, ...]:
    """The last months' won values, for the small line."""
    found = reports.sums(ctx, reports.WON, reports.CLOSED_MONTH.group)
    return tuple(float(found.values.get(key, 0)) for key in sorted(k for k in found.counts if k)[-MONTHS:])


def pipeline(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The open stages of the default pipeline with their values."""
    pipeline_id = DEALS.default_pipeline(ctx)
    stations = [s for s in DEALS.stages(ctx, Deal(pipeline_id=pipeline_id)) if not s.closes]
    narrowed = and_also(reports.OPEN, Compare("pipeline", "eq", pipeline_id) if pipeline_id else None)
    found = reports.sums(ctx, narrowed, "stage")
    return {
        "currency": found.currency,
        "stages": [
            {
                "label": str(station.label),
                "count": found.counts.get(station.name, 0),
                "value": found.values.get(station.name, Decimal(0)),
                "url": _address(narrowed, Compare("stage", "eq", station.name)),
            }
            for station in stations
        ],
    }


def win_rate(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The win rate of each of the last months that had closings."""
    found = reports.outcomes(ctx, None, reports.CLOSED_MONTH.group)
    months = sorted(key for key in found if key)[-MONTHS:]
    return {
        "labels": [_month(ctx, month) for month in months],
        "rates": [float(reports.share(found[m][0], sum(found[m])) or 0) for m in months],
        "closed": sum(sum(found[m]) for m in months),
    }


def _month(ctx: Context, label: str) -> str:
    """``2026-11`` in the reader's short form; the year where it begins."""
    year, _sep, month = label.partition("-")
    name: str = format_date(dt.date(int(year), int(month), 1), "LLL", locale=ctx.actor.language)
    return f"{name} {year[2:]}" if month == "01" else name


def funnel(ctx: Context, options: Options) -> Mapping[str, Any]:
    """Where deals are lost: of those opened or closed within the period."""
    steps, won = reports.funnel_steps(ctx, and_also(reports.CLOSED, closed_within(options)))
    return {"steps": steps if any(step.reached for step in steps) else [], "won": won}


def people(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The people by what they won within the period."""
    lines, value = reports.ranked(ctx, closed_within(options), reports.PERSON)
    best = max((line.value for line in lines), default=Decimal(0))
    shares = {
        line.key: int((100 * line.value / best).quantize(Decimal(1), ROUND_HALF_UP)) if best else 0 for line in lines
    }
    return {
        "lines": [line for line in lines if line.key is not None][:8],
        "shares": shares,
        "currency": value.currency,
        "least": reports.LEAST_CLOSED,
    }


def products(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The products by what was won with them within the period."""
    lines, value = reports.ranked(ctx, closed_within(options), reports.PRODUCT)
    best = sorted((line for line in lines if line.won and line.key is not None), key=lambda line: -line.value)
    return {
        "lines": [
            (line, _address(reports.WON, closed_within(options), reports.PRODUCT.narrow(line.key))) for line in best[:6]
        ],
        "currency": value.currency,
    }


TILES = (
    Tile("sales.figures", _("Sales"), "sales.deal.read", kpis=kpis, order=10),
    Tile("sales.funnel", _("Where deals are lost"), "sales.deal.read", "sales/funnel.html", funnel, width=7, order=20),
    Tile("sales.stages", _("Pipeline by stage"), "sales.deal.read", "sales/pipeline.html", pipeline, width=5, order=21),
    Tile("sales.people", _("People"), "sales.deal.read", "sales/people.html", people, width=7, order=30),
    Tile("sales.products", _("Products"), "sales.deal.read", "sales/products.html", products, width=7, order=50),
    Tile(
        "sales.win_rate", _("Win rate by month"), "sales.deal.read", "sales/win_rate.html", win_rate, width=5, order=60
    ),
)
