"""The inputs of forms, filters and dialogs."""

from __future__ import annotations

from dataclasses import dataclass

from comptoir.kinds import FieldKind
from comptoir.web.models.shell import Module


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class FieldInput:
    """One input.  A reference shows ``display`` and sends ``value``; its candidates come from ``search_url``."""

    name: str
    label: str
    kind: FieldKind = "text"
    value: str = ""
    width: int = 6
    required: bool = False
    readonly: bool = False
    hint: str = ""
    error: str = ""
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    display: str = ""
    search_url: str = ""
    prefix: str = ""
    suffix: str = ""
    autocomplete: str = "off"
    maximum_length: int = 0
    module: Module | None = None
    autofocus: bool = False
    rows: int = 4
    key: str = ""
    """Tells inputs apart that share a name because they stand in several forms of one page."""
    shown_by: str = ""
    shown_for: tuple[str, ...] = ()
    """The choice that this input depends on, and the values for which it is asked."""
    is_away: bool = False
    """Whether that choice has another value now."""
    suggestions: tuple[str, ...] = ()
    """Values offered while one types."""

    @property
    def id(self) -> str:
        """The element's id: the name with brackets and dots flattened."""
        return "f-" + (self.key or self.name).replace("[", "-").replace("]", "").replace(".", "-")


@dataclass(frozen=True, slots=True)
class FormError:
    message: str
    field_id: str = ""
