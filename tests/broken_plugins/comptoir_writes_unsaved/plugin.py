"""Changes a saved record and does not save it."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl, of_type

manifest = Manifest("Broken")


@hookimpl
def on_records_saved(changes):
    for contact in of_type(changes, Contact):
        contact.sector = "Food"
