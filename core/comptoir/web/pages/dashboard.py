"""The start page: figures and tiles from the modules."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from flask import Blueprint, Response, current_app, render_template, request
from markupsafe import Markup

from comptoir.contributions import Kpi, Tile
from comptoir.errors import ComptoirError
from comptoir.i18n import Text, _
from comptoir.records.views import SavedView
from comptoir.registry.deadlines import Inside
from comptoir.registry.plugin import Plugin
from comptoir.web import charts
from comptoir.web.addresses import url_with
from comptoir.web.frame import module_of, page, redirect_with
from comptoir.web.models.report import DashboardPage, KpiView, TileView
from comptoir.web.models.shell import Choice, Module
from comptoir.web.pages.report import page as reports
from comptoir.web.session import Visit, visited

pages = Blueprint("dashboard", __name__)
log = logging.getLogger("comptoir.web")

UNSHOWN = _("This tile could not be shown. The log says why.")
PERIODS: tuple[tuple[str, Text], ...] = (
    ("week", _("Week")),
    ("month", _("Month")),
    ("quarter", _("Quarter")),
    ("year", _("Year")),
    ("all", _("All time")),
)


@pages.get("/")
@visited
def start(visit: Visit) -> Response:
    """The dashboard, or the page that a plugin chose as home."""
    home = visit.context.hooks.choose_home(ctx=visit.context)
    if home and home != "/" and "dashboard" not in request.args:
        return redirect_with(home)
    registry, grants = visit.registry, visit.context.actor.grants
    period = request.args.get("period", "all")
    if period not in dict(PERIODS):
        period = "all"
    options = {"period": period}
    kpis: list[KpiView] = []
    shown: list[TileView] = []
    for plugin, tile in registry.offered(Tile, grants):
        module = module_of(registry, plugin.name)
        if tile.kpis is not None:
            kpis += _kpis(visit, plugin, tile, module, options)
        else:
            shown.append(_tile(visit, plugin, tile, module, options))
    shown += [_kept(visit, kept) for kept in reports.tiles(visit)]
    title = str(_("Dashboard"))
    model = DashboardPage(
        title, tuple(kpis[:6]), tuple(shown),
        tuple(Choice(str(label), url_with("/", [("period", name)]), name == period) for name, label in PERIODS),
    )  # fmt: skip
    return page("dashboard.html", model, crumbs=[title])


def _kpis(
    visit: Visit, plugin: Plugin, tile: Tile, module: Module | None, options: dict[str, str]
) -> Iterator[KpiView]:
    assert tile.kpis is not None
    try:
        with visit.context.reading(), Inside(plugin):
            found: list[Kpi] = list(tile.kpis(visit.context, options))
    except Exception:
        if current_app.debug:
            raise
        log.exception("the figures %s failed", tile.name)
        yield KpiView(str(tile.title), "–", str(UNSHOWN), module=module)
        return
    for kpi in found:
        tone = kpi.tone if kpi.tone in {"ok", "warn", "bad"} else ""
        yield KpiView(
            str(kpi.label), kpi.value, str(kpi.note), "up" if tone == "ok" else ("down" if tone == "bad" else ""),
            tone, charts.sparkline(kpi.series), kpi.url, module,  # type: ignore[arg-type]
        )  # fmt: skip


def _kept(visit: Visit, kept: SavedView) -> TileView:
    """A report that the reader put here."""
    try:
        return reports.tile(visit, kept)
    except ComptoirError as refused:
        return TileView(kept.name, 6, failed=str(refused), url=f"/reports/saved/{kept.id}")


def _tile(visit: Visit, plugin: Plugin, tile: Tile, module: Module | None, options: dict[str, str]) -> TileView:
    try:
        with visit.context.reading(), Inside(plugin):
            values = tile.values(visit.context, options) if tile.values is not None else {}
            html = Markup(render_template(tile.template, formats=visit.formats, **values))  # noqa: S704
    except Exception:
        if current_app.debug:
            raise
        log.exception("the tile %s failed", tile.name)
        return TileView(str(tile.title), tile.width, module=module, failed=str(UNSHOWN))
    return TileView(str(tile.title), tile.width, html=html, module=module)
