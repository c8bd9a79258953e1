"""Puts a table into another plugin's name space."""

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "elsewhere_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name", title=True, required=True)


@hookimpl
def contribute():
    return [Thing]
