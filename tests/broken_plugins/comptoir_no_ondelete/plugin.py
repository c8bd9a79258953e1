"""Does not say what happens when the row that it points at goes."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "no_ondelete_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name", title=True, required=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("base_contact.id"))


@hookimpl
def contribute():
    return [Thing]
