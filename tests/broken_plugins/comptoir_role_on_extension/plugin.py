"""Decides what another plugin's records look like."""

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import Extension, Manifest, extends, hookimpl, text

manifest = Manifest("Broken")


class ThingContact(Extension[Contact]):
    __tablename__ = "role_on_extension_contact"
    record_id: Mapped[int] = extends("base_contact")
    district: Mapped[str | None] = text("District", role="place")


@hookimpl
def contribute():
    return [ThingContact]
