"""Jobs and the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from comptoir.web.models.shell import Action, Choice, Module


@dataclass(frozen=True, slots=True)
class JobRow:
    name: str
    title: str
    module: Module
    schedule: str
    last: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    history: Markup
    took: str
    next: str
    url: str
    run_url: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class JobRun:
    started: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    result: str
    took: str


@dataclass(frozen=True, slots=True)
class JobDetails:
    title: str
    module: Module
    subtitle: str
    close_url: str
    pairs: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...] = ()
    problem: str = ""
    problem_text: str = ""
    runs: tuple[JobRun, ...] = ()
    log: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkRow:
    """Work in the queue; ``actions`` are what an administrator can do about it now."""

    number: int
    name: str
    module: Module
    state: str
    tone: Literal["ok", "warn", "bad", "run", "off"]
    progress: str
    since: str
    next: str
    problem: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class JobsPage:
    rows: tuple[JobRow, ...]
    clock: str
    clock_tone: Literal["ok", "bad"]
    filters: tuple[Choice, ...] = ()
    query: str = ""
    summary: str = ""
    details: JobDetails | None = None
    works: tuple[WorkRow, ...] = ()
    works_summary: str = ""
