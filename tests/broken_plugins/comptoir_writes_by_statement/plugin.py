"""Changes records by a statement that nobody follows."""

from sqlalchemy import update

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def on_records_saved(ctx):
    ctx.session.execute(update(Contact).values(sector="Food"))
