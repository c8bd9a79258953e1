"""Marks its statement, and sets what the server keeps."""

from sqlalchemy import update

from comptoir.base.models import Contact
from comptoir.toolkit import Manifest, hookimpl

manifest = Manifest("Broken")


@hookimpl
def on_records_saved(ctx):
    with ctx.bulk("nobody needs versions"):
        ctx.session.execute(update(Contact).values(version=1))
