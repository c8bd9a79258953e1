"""Is called like a field of the contact that it extends."""

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import Extension, Manifest, extends, hookimpl, integer

manifest = Manifest("Broken")


class Counted(Extension[Contact]):
    __tablename__ = "city_contact"

    record_id: Mapped[int] = extends("base_contact")
    size: Mapped[int] = integer("Size", default=0)


@hookimpl
def contribute():
    return [Counted]
