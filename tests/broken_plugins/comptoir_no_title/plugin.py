"""Has a record that nothing names."""

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "no_title_thing"
    __record__ = RecordType("Thing", "Things", path="things")
    name: Mapped[str] = text("Name")


@hookimpl
def contribute():
    return [Thing]
