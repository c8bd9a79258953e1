"""Deeds on the rows that are selected in a list, each with the way to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Response, request

from comptoir.context import Context
from comptoir.db.record import Record
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import Text, _, ngettext
from comptoir.records.declared import DeclaredType
from comptoir.records.query import load_many
from comptoir.records.write import archive, assign, restore, save
from comptoir.web.addresses import own_path
from comptoir.web.frame import redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.input import FieldInput
from comptoir.web.models.list import BulkAction
from comptoir.web.models.shell import Toast
from comptoir.web.pages.list.view import ListView
from comptoir.web.session import Visit
from comptoir.web.versions import check_all_seen, mark_of, marked

LIMIT = 500
"""Rows that one deed takes."""
Undo = tuple[tuple[str, str], ...]


def deeds(view: ListView, *, in_bin: bool) -> Iterator[BulkAction]:
    """What the reader may do with selected rows."""
    declared = view.declared
    if not view.grants.scope(declared.permission("write")):
        return
    if declared.has_owner and "owner_id" in declared.fields and "owner_id" not in declared.locked_fields(view.grants):
        owner = FieldInput(
            "owner_id", str(_("Owner")), "reference", width=12, required=True, search_url="/base/users/options"
        )
        yield BulkAction("assign", str(_("Assign")), "user", fields=(owner,))
    if in_bin:
        yield BulkAction("restore", str(_("Restore")), "undo")
    else:
        asked = str(_("They leave the lists. Restore brings them back."))
        yield BulkAction("archive", str(_("Move to the bin")), "trash", "danger", confirm=asked)


def change_many(visit: Visit, declared: DeclaredType) -> Response:
    """Do it, and go back to the page that sent the form."""
    seen = marked(request.form.getlist("ids")[:LIMIT])
    if not seen:
        raise RuleViolation("core.nothing_selected", _("Select at least one row first."))
    records = load_many(visit.context, declared.model, list(seen))
    check_all_seen(records, seen)
    text, undo = _do(visit.context, records, request.form.get("action", ""))
    if undo:
        undo += tuple(("ids", mark_of(record)) for record in records)
    here = own_path(request.form.get("next", ""), declared.url, below=declared.url)
    return redirect_with(here, Toast(str(text), f"{declared.url}/bulk" if undo else "", undo))


def _do(ctx: Context, records: Sequence[Record], deed: str) -> tuple[Text, Undo]:
    count = len(records)
    match deed:
        case "archive":
            archive(ctx, records)
            said = ngettext("{count} record moved to the bin", "{count} records moved to the bin", count)
            return said, (("action", "restore"),)
        case "restore":
            restore(ctx, records)
            return ngettext("{count} record restored", "{count} records restored", count), (("action", "archive"),)
        case "assign":
            undo = _assign(ctx, records)
            return ngettext("{count} record assigned", "{count} records assigned", count), undo
    raise NotFound(_("There is no such deed."))


def _assign(ctx: Context, records: Sequence[Record]) -> Undo:
    owner = id_of(request.form.get("owner_id", ""))
    if owner is None:
        raise RuleViolation("core.required", _("Choose the new owner from the list."), field="owner_id")
    before = {record.owner_id for record in records}
    for record in records:
        assign(ctx, record, {"owner_id": owner})
    save(ctx, records)
    if len(before) > 1 or None in before:
        return ()
    return (("action", "assign"), ("owner_id", str(before.pop())))
