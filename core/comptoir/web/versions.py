"""Which version of a record a page has shown: a deed on one that somebody changed since is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from flask import request

from comptoir.db.record import Record
from comptoir.errors import Conflict
from comptoir.i18n import _, ngettext
from comptoir.web.ids import id_of

R = TypeVar("R", bound=Record)


def of_form(record: Record) -> tuple[tuple[str, str], ...]:
    """The field that a form about a record carries along."""
    return (("version", str(record.version)),)


def check_seen(record: Record) -> None:
    """Raise `Conflict` unless the form was made from the present version of the record."""
    if request.form.get("version", "") != str(record.version):
        raise Conflict(_("Somebody changed it meanwhile. This is how it stands now."))


def mark_of(record: Record) -> str:
    """What a selected row sends: ``7-3`` is the third version of record 7."""
    return f"{record.id}-{record.version}"


def marked(texts: Iterable[str]) -> dict[int, str]:
    """Ids by their seen version, as selected rows send them; what is no mark is left out."""
    found: dict[int, str] = {}
    for text in texts:
        spelled, _dash, version = text.partition("-")
        if (record_id := id_of(spelled)) is not None:
            found[record_id] = version
    return found


def check_all_seen(records: Iterable[R], seen: dict[int, str]) -> None:
    """Raise `Conflict` where some of the selected records have changed since they were listed."""
    changed = [record for record in records if seen.get(record.id) != str(record.version)]
    if changed:
        raise Conflict(
            ngettext(
                "Somebody changed {count} of these records meanwhile. Look at the list again.",
                "Somebody changed {count} of these records meanwhile. Look at the list again.",
                len(changed),
            )
        )
