"""Wants days apart in a summary."""

import datetime as dt

from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, Summary, date, hookimpl, text

manifest = Manifest("Broken")


class Thing(Record):
    __tablename__ = "odd_summary_thing"
    __record__ = RecordType("Thing", "Things", path="things", summaries=(Summary(("day",), ("name",)),))
    name: Mapped[str] = text("Name", title=True)
    day: Mapped[dt.date | None] = date("Day")


@hookimpl
def contribute():
    return [Thing]
