"""Deletes records past their checks."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl, of_type

manifest = Manifest("Broken")


@hookimpl
def on_records_saved(ctx, changes):
    for contact in of_type(changes, Contact):
        ctx.session.delete(contact)
