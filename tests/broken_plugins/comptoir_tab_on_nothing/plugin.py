"""Hangs a tab on a column that is no reference."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, Tab, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Tab("tab_on_nothing.tab", Contact, "Tab", Contact, Contact.name, (Contact.name,), "base.contact.read")]
