"""Adds a record to the session and leaves it there."""

from comptoir.base.models import Contact, Task
from comptoir.toolkit import Manifest, changes_of, hookimpl

manifest = Manifest("Broken")


@hookimpl
def on_records_saved(ctx, changes):
    for contact, _change in changes_of(changes, Contact):
        ctx.session.add(Task(title="Say hello", contact_id=contact.id))
