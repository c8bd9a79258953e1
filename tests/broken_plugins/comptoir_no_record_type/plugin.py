"""Forgets to declare what its record is called."""

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "no_record_type_thing"
    name: Mapped[str] = text("Name", title=True, required=True)


@hookimpl
def contribute():
    return [Thing]
