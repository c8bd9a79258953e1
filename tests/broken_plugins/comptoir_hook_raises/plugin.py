"""Raises while contributing."""

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [1 / 0]
