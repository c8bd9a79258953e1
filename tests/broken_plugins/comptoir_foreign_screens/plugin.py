"""Redefines another plugin's screens."""

from comptoir.base.models import Contact
from comptoir.toolkit import Form, List, Manifest, Screens, Section, hookimpl

manifest = Manifest("Broken")


@hookimpl
def contribute():
    return [Screens(Contact, List(Contact.name), Form(Section("Mine", Contact.name)))]
