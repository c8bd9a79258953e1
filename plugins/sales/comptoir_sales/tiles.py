"""What sales shows on the dashboard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from babel.dates import format_date

from comptoir.toolkit import (
    Answer,
    Compare,
    Context,
    Dimension,
    Figure,
    Filter,
    Formats,
    Kpi,
    Measure,
    Pivot,
    Tile,
    _,
    and_also,
    ngettext,
    run_pivot,
)
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


# -- figures that several tiles share, asked once a page ------------------------------------------------------------------


def _pivot(ctx: Context, *measures: Measure, **asked: Any) -> Answer:
    return ctx.once(
        ("sales.figures", measures, tuple(sorted(asked.items(), key=lambda pair: pair[0]))),
        lambda: run_pivot(ctx, Pivot(ctx.registry.record_type(Deal), measures, **asked)),
    )


def _closed_by(ctx: Context, options: Options, rows: Dimension) -> Answer:
    """What was closed within the period, by people or products: the same figures as the ranking shows."""
    return _pivot(
        ctx, reports.WON_VALUE, reports.WON_COUNT, reports.CLOSED_COUNT, reports.RATE, reports.CYCLE_OF_WON,
        rows=rows, where=and_also(reports.CLOSED, closed_within(options)),
        least=(reports.CLOSED_COUNT, reports.LEAST_CLOSED),
    )  # fmt: skip


def _closed_by_month(ctx: Context) -> Answer:
    """What was closed in each month, whatever the period."""
    return _pivot(
        ctx, reports.WON_VALUE, reports.CLOSED_COUNT, reports.RATE, rows=reports.CLOSED_MONTH, where=reports.CLOSED
    )


def _open(ctx: Context) -> Answer:
    """What is open now, by stage and pipeline."""
    return _pivot(
        ctx, reports.COUNT, reports.VALUE, reports.WEIGHTED, rows=reports.STAGE, columns=reports.PIPELINE,
        where=reports.OPEN,
    )  # fmt: skip


def _money(formats: Formats, answer: Answer, figure: Figure, *, whole: bool | None = None) -> str:
    """A sum in every currency it has, the one of most deals first; they are never added up."""
    amounts = figure if isinstance(figure, Mapping) else {answer.currency: figure or 0}
    ordered = sorted(amounts, key=lambda currency: (currency != answer.currency, currency))
    return " + ".join(formats.money(amounts[currency], currency, whole=whole) for currency in ordered)


def _main(answer: Answer, figure: Figure) -> Decimal:
    """A sum in the currency that most deals have, for bars."""
    return Decimal((figure.get(answer.currency, 0) if isinstance(figure, Mapping) else figure) or 0)


# -- tiles ------------------------------------------------------------------------------------------------------------------


def kpis(ctx: Context, options: Options) -> Sequence[Kpi]:
    """Won, open pipeline, win rate and cycle."""
    formats, period = _formats(ctx), closed_within(options)
    closed = _closed_by(ctx, options, reports.PERSON)
    standing = _open(ctx)
    median = _pivot(ctx, reports.MEDIAN_OF_WON, where=and_also(reports.WON, period)).totals["median_won"]
    won, number, rate, mean = (closed.totals[name] for name in ("value", "won", "rate", "mean_won"))
    return [
        Kpi(
            _("Won"),
            _money(formats, closed, won),
            ngettext("{count} deal", "{count} deals", _whole(number)).format(count=formats.integer(_whole(number))),
            series=_won_by_month(ctx),
            url=_address(reports.WON, period),
        ),
        Kpi(
            _("Open pipeline"),
            _money(formats, standing, standing.totals["value"]),
            _(
                "{weighted} weighted, {count} deals",
                weighted=_money(formats, standing, standing.totals["weighted"], whole=True),
                count=formats.integer(_whole(standing.totals["count"])),
            ),
            url=_address(reports.OPEN),
        ),
        Kpi(
            _("Win rate"),
            formats.percent(rate) if isinstance(rate, Decimal) else "–",
            _("of {count} closed", count=formats.integer(_whole(closed.totals["closed"]))),
            url=_report("sales.win_rate", options),
        ),
        Kpi(
            _("Days to win"),
            formats.decimal(mean) if isinstance(mean, Decimal) else "–",
            _("median {days}", days=formats.decimal(median)) if isinstance(median, Decimal) else "",
            url=_report("sales.cycle", options),
        ),
    ]


def _whole(figure: Figure) -> int:
    return figure if isinstance(figure, int) else 0


def _report(name: str, options: Options) -> str:
    """The report that stands behind a tile, of the same period."""
    period = PERIODS.get(options.get("period", ""))
    return f"/reports/{name}?period={period}" if period else f"/reports/{name}"


def _won_by_month(ctx: Context) -> tuple[float, ...]:
    """The last months' won values, for the small line."""
    found = _closed_by_month(ctx)
    return tuple(float(_main(found, line.figures["value"])) for line in found.lines if line.key)[-MONTHS:]


def pipeline(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The open stages of the default pipeline with their values."""
    pipeline_id = DEALS.default_pipeline(ctx)
    stations = [s for s in DEALS.stages(ctx, Deal(pipeline_id=pipeline_id)) if not s.closes]
    found = _open(ctx)
    place = next((n for n, heading in enumerate(found.headings) if heading.key == pipeline_id), None)
    by_stage = {line.key: line.cells[place] for line in found.lines} if place is not None else {}
    narrowed = and_also(reports.OPEN, Compare("pipeline", "eq", pipeline_id) if pipeline_id else None)
    return {
        "stages": [
            {
                "label": str(station.label),
                "count": _whole(by_stage[station.name]["count"]) if station.name in by_stage else 0,
                "bar": _main(found, by_stage[station.name]["value"]) if station.name in by_stage else Decimal(0),
                "value": _money(
                    _formats(ctx), found, by_stage[station.name]["value"] if station.name in by_stage else 0, whole=True
                ),
                "url": _address(narrowed, Compare("stage", "eq", station.name)),
            }
            for station in stations
        ],
    }


def win_rate(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The win rate of each of the last months that had closings."""
    lines = [line for line in _closed_by_month(ctx).lines if line.key][-MONTHS:]
    return {
        "labels": [_month(ctx, str(line.key)) for line in lines],
        "rates": [float(rate) if isinstance(rate := line.figures["rate"], Decimal) else 0.0 for line in lines],
        "closed": sum(_whole(line.figures["closed"]) for line in lines),
    }


def _month(ctx: Context, label: str) -> str:
    """``2026-11`` in the reader's short form; the year where it begins."""
    year, _sep, month = label.partition("-")
    name: str = format_date(dt.date(int(year), int(month), 1), "LLL", locale=ctx.actor.language)
    return f"{name} {year[2:]}" if month == "01" else name


def funnel(ctx: Context, options: Options) -> Mapping[str, Any]:
    """Where deals are lost: of those closed within the period, as the report of that name counts them."""
    steps, won = reports.funnel_steps(ctx, and_also(reports.CLOSED, closed_within(options)))
    return {
        "steps": steps if any(step.reached for step in steps) else [],
        "won": won,
        "url": _report("sales.funnel", options),
    }


def people(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The people by what they won within the period."""
    return {
        **_ranked(ctx, _closed_by(ctx, options, reports.PERSON), 8),
        "least": reports.LEAST_CLOSED,
    }


def products(ctx: Context, options: Options) -> Mapping[str, Any]:
    """The products by what was won with them within the period."""
    return _ranked(ctx, _closed_by(ctx, options, reports.PRODUCT), 6)


def _ranked(ctx: Context, found: Answer, most: int) -> dict[str, Any]:
    """The first lines of a ranking with the length of their bars."""
    formats = _formats(ctx)
    lines = [line for line in found.lines if line.key is not None][:most]
    best = max((_main(found, line.figures["value"]) for line in lines), default=Decimal(0))
    return {
        "lines": [
            {
                "label": line.label,
                "rank": line.rank,
                "closed": line.figures["closed"],
                "won": line.figures["won"],
                "rate": line.figures["rate"],
                "bar": _main(found, line.figures["value"]),
                "value": _money(formats, found, line.figures["value"], whole=True),
                "share": int((100 * _main(found, line.figures["value"]) / best).to_integral_value()) if best else 0,
                "url": _address(line.drill),
            }
            for line in lines
        ],
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
