"""A page at an address that cannot be."""

from comptoir.toolkit import Manifest, View, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [View("calls/<int:id>", lambda visit: "", "base.contact.read")]
