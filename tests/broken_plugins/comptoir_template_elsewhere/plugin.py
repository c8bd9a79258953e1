"""Renders a panel with another plugin's template."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, Panel, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [
        Panel("template_elsewhere.box", Contact, "Box", "sales/box.html", lambda ctx, record: {}, "base.contact.read")
    ]
