"""Two extensions of one record bring a field of the same name."""

from sqlalchemy.orm import Mapped

from comptoir.base.models import Contact
from comptoir.toolkit import Extension, Manifest, extends, hookimpl, integer

manifest = Manifest("Broken")


class First(Extension[Contact]):
    __tablename__ = "twin_extensions_first"

    record_id: Mapped[int] = extends("base_contact")
    size: Mapped[int] = integer("Size", default=0)


class Second(Extension[Contact]):
    __tablename__ = "twin_extensions_second"

    record_id: Mapped[int] = extends("base_contact")
    size: Mapped[int] = integer("Size", default=0)


@hookimpl
def contribute():
    return [First, Second]
