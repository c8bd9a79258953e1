"""Contributes something that is neither a model nor a contribution."""

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return ["sales.deals"]
