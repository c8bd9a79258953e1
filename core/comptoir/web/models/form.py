"""A form, the conflict that it may end in, and what a move or an action asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comptoir.web.models.input import FieldInput, FormError
from comptoir.web.models.shell import Module


@dataclass(frozen=True, slots=True)
class LineInput:
    """One repeatable line, such as a phone number; ``id`` is empty for a line that was just added."""

    index: str
    fields: tuple[FieldInput, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class LineSet:
    """Labelled repeatable lines inside a section; ``blank`` is copied by the browser to add one."""

    name: str
    label: str
    lines: tuple[LineInput, ...]
    blank: LineInput
    add_label: str
    width: int = 12


@dataclass(frozen=True, slots=True)
class FormSection:
    title: str
    fields: tuple[FieldInput, ...]
    lines: tuple[LineSet, ...] = ()
    module: Module | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ConflictField:
    """A field that somebody else changed meanwhile: both values, one to take."""

    name: str
    label: str
    yours: str
    theirs: str
    yours_value: str = ""
    theirs_value: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    who: str
    when: str
    fields: tuple[ConflictField, ...]
    version: int


@dataclass(frozen=True, slots=True)
class FormPage:
    title: str
    url: str
    sections: tuple[FormSection, ...]
    cancel_url: str
    submit_label: str
    version: int | None = None
    errors: tuple[FormError, ...] = ()
    conflict: Conflict | None = None
    draft_key: str = ""
    keep: tuple[tuple[str, str], ...] = ()
    second_submit: str = ""


@dataclass(frozen=True, slots=True)
class AskForm:
    """What a move or an action asks for; with ``steps``, which moves there are."""

    title: str
    subject: str
    url: str
    fields: tuple[FieldInput, ...] = ()
    steps: tuple[StageStep, ...] = ()
    keep: tuple[tuple[str, str], ...] = ()
    danger: bool = False
    cancel_url: str = ""
    errors: tuple[FormError, ...] = ()


@dataclass(frozen=True, slots=True)
class StageStep:
    """One stage of a record: where it stands, and whether one may go there from here.

    A move that asks for something leads to a form at ``asks_url`` instead of happening at once.
    """

    key: str
    label: str
    state: Literal["", "done", "now"] = ""
    outcome: Literal["", "won", "lost"] = ""
    asks_url: str = ""
    reachable: bool = False
