"""The list of a record type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comptoir.kinds import Cell
from comptoir.web.models.input import FieldInput
from comptoir.web.models.shell import Action, Choice, Empty, Module, Pager, Tone
from comptoir.web.models.table import Column, Row


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows under one heading of a grouped list, with the totals of the whole group."""

    label: str
    count: str
    rows: tuple[Row, ...]
    totals: tuple[Cell, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class ViewForm:
    """How the view that is shown may be changed: the form in its dialog, and what else its menu offers."""

    url: str
    dialog: str
    name: str
    shared: bool
    fields: tuple[tuple[str, str], ...]
    menu: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class ViewTab:
    label: str
    url: str
    current: bool = False
    count: str = ""
    icon: str = ""
    tone: Tone = ""
    form: ViewForm | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """One filter in force, with the address of the list without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class FilterOption:
    label: str
    value: str
    checked: bool = False
    count: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """A group of the filter panel: boxes to tick, or from/to inputs when ``kind`` is a range."""

    label: str
    name: str
    kind: Literal["options", "dates", "numbers"] = "options"
    options: tuple[FilterOption, ...] = ()
    from_name: str = ""
    from_value: str = ""
    to_name: str = ""
    to_value: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class ChoosableColumn:
    key: str
    label: str
    shown: bool
    locked: bool = False
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class BulkAction:
    """A deed on the selected rows.  ``fields`` are asked in a dialog before it runs."""

    name: str
    label: str
    icon: str = ""
    tone: Literal["", "danger"] = ""
    confirm: str = ""
    fields: tuple[FieldInput, ...] = ()


@dataclass(frozen=True, slots=True)
class ListPage:
    title: str
    url: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    groups: tuple[RowGroup, ...] = ()
    totals: tuple[Cell, ...] = ()
    totals_url: str = ""
    saved: tuple[ViewTab, ...] = ()
    changing: ViewForm | None = None
    """How the saved view that is shown may be changed."""
    save_view_url: str = ""
    here: str = ""
    """The address of this list with its filters, to return to."""
    changed: bool = False
    reset_url: str = ""
    query: str = ""
    search_hint: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    facets: tuple[Facet, ...] = ()
    filters: tuple[FilterGroup, ...] = ()
    filters_url: str = ""
    in_panel: tuple[tuple[str, str], ...] = ()
    group_choices: tuple[Choice, ...] = ()
    sort_choices: tuple[Choice, ...] = ()
    views: tuple[Choice, ...] = ()
    chooser: tuple[ChoosableColumn, ...] = ()
    columns_url: str = ""
    pager: Pager | None = None
    bulk: tuple[BulkAction, ...] = ()
    bulk_url: str = ""
    new_url: str = ""
    empty: Empty | None = None
    avatars: bool = True
    export_url: str = ""
    bin_url: str = ""
    in_bin: bool = False
