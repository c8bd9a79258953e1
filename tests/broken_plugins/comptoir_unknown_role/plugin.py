"""Gives a field a role that nobody knows."""

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "unknown_role_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name", title=True, role="headline")


@hookimpl
def contribute():
    return [Thing]
