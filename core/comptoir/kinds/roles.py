"""What a field is for besides its value: pages, search and the API look for the role of a field, never for its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from comptoir.i18n import Text, _
from comptoir.kinds.calendar import Calendar, Moment
from comptoir.kinds.choice import Country, Listed, StageOf
from comptoir.kinds.kind import Field
from comptoir.kinds.text import Email, Phone, Tags
from comptoir.kinds.text import Text as Line


@dataclass(frozen=True, slots=True)
class Role:
    """Which fields can carry it, and how they are called where another is refused."""

    fits: Callable[[Field], bool]
    wanted: Text


def _leads_on(field: Field) -> bool:
    return field.target is not None or field.kind.points_anywhere


ROLES: Mapping[str, Role] = {
    "face": Role(lambda f: f.title or isinstance(f.kind, Listed), _("the title or a choice")),
    "status": Role(lambda f: isinstance(f.kind, Listed | StageOf), _("a choice or a stage")),
    "tags": Role(lambda f: isinstance(f.kind, Tags), _("a list of words")),
    "subtitle": Role(lambda f: not _leads_on(f) and not f.kind.lined, _("a field with a value of its own")),
    "place": Role(lambda f: isinstance(f.kind, Line | Country), _("a text or a country")),
    "dial": Role(lambda f: isinstance(f.kind, Phone), _("a phone number")),
    "mail": Role(lambda f: isinstance(f.kind, Email), _("an e-mail address")),
    "about": Role(_leads_on, _("a reference or a record of any type")),
    "happened": Role(lambda f: isinstance(f.kind, Moment) and f.required, _("a moment that is required")),
    "body": Role(lambda f: not _leads_on(f) and not f.kind.lined, _("a field with a value of its own")),
    "due": Role(lambda f: isinstance(f.kind, Calendar) and f.computed is None, _("a day or a moment")),
    "done": Role(lambda f: isinstance(f.kind, Moment) and f.computed is None, _("a moment")),
}
"""What each means stands in the guide for plugins, under “Roles”."""
OF_LINES = ("dial", "mail")
"""The roles that a field of a line can have for its record."""
