"""Implements a hook that does not exist."""

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute_modles():
    return []
