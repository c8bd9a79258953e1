"""Demands a field of records that have no row in its side table."""

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import Extension, Manifest, extends, hookimpl, text

manifest = Manifest("Broken")


class ThingContact(Extension[Contact]):
    __tablename__ = "required_extension_contact"
    record_id: Mapped[int] = extends("base_contact")
    size: Mapped[str] = text("Size", required=True)


@hookimpl
def contribute():
    return [ThingContact]
