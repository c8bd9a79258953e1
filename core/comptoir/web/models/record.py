"""The page of one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from comptoir.kinds import Cell
from comptoir.web.models.form import StageStep
from comptoir.web.models.input import FieldInput
from comptoir.web.models.shell import NOTHING, Action, Module, Tone
from comptoir.web.models.table import Table


@dataclass(frozen=True, slots=True)
class Pair:
    """A labelled value of a record page."""

    label: str
    cells: tuple[Cell, ...]
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
    note: str = ""
    tone: Tone = ""
    url: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    current: bool = False
    count: str = ""
    module: Module | None = None


@dataclass(frozen=True, slots=True)
class PanelView:
    """A box on a record page: labelled values, a table, or what a plugin's template made.

    ``failed`` takes the place of a plugin's panel that raised; the page stays up.
    """

    title: str
    pairs: tuple[Pair, ...] = ()
    table: Table | None = None
    html: Markup = NOTHING
    width: Literal["half", "full"] = "half"
    count: str = ""
    edit_url: str = ""
    actions: tuple[Action, ...] = ()
    module: Module | None = None
    empty: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    day: str
    time: str
    iso: str
    title: str
    icon: str = "note"
    tone: str = ""
    actor: str = ""
    body: str = ""
    card: bool = False
    changes: tuple[tuple[str, str, str], ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class ComposerView:
    """One kind of thing that can be written onto the timeline, as it was typed where it was refused."""

    name: str
    label: str
    icon: str
    url: str
    placeholder: str
    submit_label: str
    fields: tuple[FieldInput, ...] = ()
    body_name: str = "body"
    typed: str = ""
    error: str = ""
    draft_key: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class MetaLine:
    text: str
    icon: str = ""
    person: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class RecordPage:
    title: str
    url: str
    status: Cell | None = None
    tags: tuple[str, ...] = ()
    act: Cell | None = None
    """What is planned next."""
    meta: tuple[MetaLine, ...] = ()
    square: bool = False
    icon: str = ""
    actions: tuple[Action, ...] = ()
    more: tuple[Action, ...] = ()
    steps: tuple[StageStep, ...] = ()
    version: int = 0
    facts: tuple[Fact, ...] = ()
    tabs: tuple[Tab, ...] = ()
    panels: tuple[PanelView, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    timeline_next_url: str = ""
    composers: tuple[ComposerView, ...] = ()
    archived: bool = False
    rest_url: str = ""
    whole_url: str = ""
    is_rest: bool = False
