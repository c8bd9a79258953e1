"""Modifies a record where it may only look."""

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl, of_type

manifest = Manifest("Broken")


@hookimpl
def check_records(changes):
    for contact in of_type(changes, Contact):
        contact.job_title = "Checked"
