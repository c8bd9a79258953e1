"""What everything that a plugin contributes has in common: it checks itself, and knows for whom it is."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from comptoir.access.permissions import Grants
from comptoir.i18n import Text, _

Column = Any
"""A mapped attribute (``Deal.amount``), a reference's attribute (``Deal.contact_id``) or an extension's."""


class Contribution:
    """One thing that a plugin adds to a deployment, as a frozen value in the list that `contribute` returns."""

    __slots__ = ()

    @property
    def only_once(self) -> Hashable:
        """What no second value of this class may share within the plugin; None where everything may stand twice."""
        return None

    def faults(self, plugin: str) -> Iterator[Text]:
        """What is wrong with it in a plugin of this name: sentences for its author that say what to mend."""
        yield from ()

    def is_for(self, grants: Grants) -> bool:
        """Whether somebody with these rights sees it: everybody, unless it states a permission."""
        permission: str | None = getattr(self, "permission", None)
        return permission is None or grants.scope(permission) is not None


class NamedContribution(Contribution):
    """A contribution that others refer to by its name, such as ``sales.deals``."""

    __slots__ = ()
    name: str

    @property
    def only_once(self) -> Hashable:
        """Its name."""
        return self.name

    def faults(self, plugin: str) -> Iterator[Text]:
        """Names begin with the plugin's own, so that two plugins cannot clash."""
        if not self.name.startswith(f"{plugin}."):
            yield _(
                "{kind}: the name {label} must begin with “{name}.”",
                kind=type(self).__name__,
                label=self.name,
                name=plugin,
            )


def template_faults(plugin: str, template: str) -> Iterator[Text]:
    """A template that lies outside the plugin's own folder."""
    if not template.startswith(f"{plugin}/"):
        yield _("The template {template} must lie in {name}/.", template=template, name=plugin)
