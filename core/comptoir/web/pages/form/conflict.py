"""Somebody else was faster: what is stored beside what was typed."""

from __future__ import annotations

from comptoir.i18n import _
from comptoir.web.models.form import Conflict, ConflictField
from comptoir.web.pages.cells import Cells, look_up_titles, value_of
from comptoir.web.pages.form.inputs import input_text
from comptoir.web.pages.form.view import RecordForm


def conflict(form: RecordForm) -> Conflict:
    """The fields in which the stored record and what was typed differ, both as text and as input values."""
    visit, declared, record = form.visit, form.declared, form.record
    mine = form.sent.values if form.sent is not None else {}
    theirs = {name: value_of(record, declared, name) for name in mine}
    differing = {name: declared.fields[name] for name in mine if mine[name] != theirs[name]}
    wanted: dict[str, set[int]] = {"core_user": {record.updated_by}} if record.updated_by else {}
    for name, described in differing.items():
        for value in (mine[name], theirs[name]):
            if (referred := described.kind.refers_to(described, value)) is not None:
                wanted.setdefault(referred[0], set()).add(referred[1])
    known = look_up_titles(visit, wanted)
    cells = Cells(visit, declared, known)
    return Conflict(
        known.get(("core_user", record.updated_by or 0), str(_("Somebody"))),
        visit.formats.moment(record.updated_at),
        tuple(
            ConflictField(
                name, str(described.label),
                cells.cell(name, described, mine).text, cells.cell(name, described, theirs).text,
                input_text(visit, described, mine[name]), input_text(visit, described, theirs[name]),
            )
            for name, described in differing.items()
        ),
        record.version,
    )  # fmt: skip
