"""Raises while contributing."""

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute_jobs():
    return [1 / 0]
