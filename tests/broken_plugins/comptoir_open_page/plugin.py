"""A page that does not say who may see it."""

from comptoir.toolkit import Manifest, View, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [View("/calls", lambda visit: "")]
