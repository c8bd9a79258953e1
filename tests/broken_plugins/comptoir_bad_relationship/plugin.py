"""Relates to a class that does not exist."""

from sqlalchemy.orm import Mapped, relationship

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "bad_relationship_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name", title=True, required=True)
    other = relationship("NoSuchClass")


@hookimpl
def contribute():
    return [Thing]
