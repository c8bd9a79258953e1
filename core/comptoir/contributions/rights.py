"""The module itself, the rights that it declares and the roles that it brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from comptoir.contributions.contribution import NamedContribution
from comptoir.i18n import Text, _

ACTIONS = (("read", _("See")), ("create", _("Create")), ("write", _("Edit")), ("delete", _("Delete")))
"""The permissions that every record type has, by verb."""

SCOPES = ("own", "team", "all")
"""Scopes of a permission, from the narrowest to the widest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A module as an administrator sees it; ``core`` is the range of core versions it works with."""

    title: Text
    summary: Text = ""
    category: str = ""
    icon: str = "puzzle"
    author: str = "Comptoir"
    core: str = ">=0.1"
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Permission(NamedContribution):
    """A right that roles can hold; declaring it grants nothing to anyone."""

    name: str
    label: Text


@dataclass(frozen=True, slots=True)
class RoleTemplate(NamedContribution):
    """A ready-made role, copied when the module is first enabled; values are scopes (own, team, all)."""

    name: str
    label: Text
    permissions: Mapping[str, str] = field(default_factory=dict)
    description: Text = ""

    def faults(self, plugin: str) -> Iterator[Text]:
        """Its name, and scopes that there are not."""
        yield from NamedContribution.faults(self, plugin)
        for permission, scope in self.permissions.items():
            if scope not in SCOPES:
                yield _(
                    "The role {role} grants {permission} with scope {scope}; use own, team or all.",
                    role=self.name,
                    permission=permission,
                    scope=scope,
                )
