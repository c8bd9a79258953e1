"""The modules page and its plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comptoir.web.models.shell import Choice, Module, Tone


@dataclass(frozen=True, slots=True)
class ModuleRow:
    name: str
    title: str
    icon: str
    version: str
    author: str
    description: str
    state: Literal["enabled", "paused", "available", "not_entitled", "quarantined"]
    state_label: str
    state_tone: Tone = ""
    requires: tuple[str, ...] = ()
    adds: str = ""
    warning: str = ""
    switch_url: str = ""
    locked: bool = False
    update: str = ""
    uninstall_url: str = ""
    back_url: str = ""
    data_url: str = ""
    """Where an administrator reads and exports what a module keeps while it is paused."""


@dataclass(frozen=True, slots=True)
class ModulesPage:
    installed: tuple[ModuleRow, ...]
    available: tuple[ModuleRow, ...]
    filters: tuple[Choice, ...] = ()
    query: str = ""
    licence: str = ""
    seats: str = ""
    seats_percent: int = 0


@dataclass(frozen=True, slots=True)
class Restorable:
    """An export that an earlier uninstall left, offered with what it holds."""

    file: str
    label: str
    holds: str
    refused: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class PlanPage:
    """What switching a module will change, before it changes anything."""

    title: str
    text: str
    url: str
    submit_label: str
    keep_label: str
    also: tuple[tuple[Module, str], ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    refused: str = ""
    danger: bool = False
    cancel_url: str = ""
    error: str = ""
    exports: tuple[Restorable, ...] = ()
