"""Asks a hook for an argument that it does not give."""

from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def on_login(ctx, password):
    pass
