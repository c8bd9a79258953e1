"""Reports, and the dashboard that gathers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from comptoir.web.models.input import FieldInput, Option
from comptoir.web.models.list import Facet
from comptoir.web.models.shell import NOTHING, Choice, Empty, Module, NavGroup, Tone
from comptoir.web.models.table import Table


@dataclass(frozen=True, slots=True)
class KpiView:
    label: str
    value: str
    note: str = ""
    direction: Literal["", "up", "down"] = ""
    tone: Tone = ""
    spark: Markup = NOTHING
    url: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class TileView:
    title: str
    width: int = 6
    html: Markup = NOTHING
    chart: Markup = NOTHING
    table: Table | None = None
    note: str = ""
    count: str = ""
    url: str = ""
    empty: str = ""
    failed: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class DashboardPage:
    title: str
    kpis: tuple[KpiView, ...] = ()
    tiles: tuple[TileView, ...] = ()
    periods: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A report: what is chosen, what filters, its chart and its table.

    ``choosers`` are the inputs of its form, ``keep`` what the form carries along, ``in_panel`` what the panel of filters holds.
    """

    title: str
    url: str
    chart: Markup = NOTHING
    table: Table | None = None
    choosers: tuple[FieldInput, ...] = ()
    measures: tuple[Option, ...] = ()
    charts: tuple[Choice, ...] = ()
    facets: tuple[Facet, ...] = ()
    filters_url: str = ""
    in_panel: tuple[tuple[str, str], ...] = ()
    keep: tuple[tuple[str, str], ...] = ()
    exports: tuple[Choice, ...] = ()
    save_url: str = ""
    saved_name: str = ""
    saved_shared: bool = False
    query: str = ""
    note: str = ""
    trouble: str = ""
    reports: tuple[NavGroup, ...] = ()
    empty: Empty | None = None
    module: Module | None = None
