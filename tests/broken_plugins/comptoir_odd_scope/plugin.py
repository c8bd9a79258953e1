"""Grants a permission within a scope that does not exist."""

from comptoir.toolkit import Manifest, RoleTemplate, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [RoleTemplate("odd_scope.agent", "Agent", {"base.contact.read": "galaxy"})]
