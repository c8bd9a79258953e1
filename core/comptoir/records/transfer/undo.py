"""Undoing an import: what it created is deleted, what it changed is as before; what others have touched since is left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from comptoir.access.security_log import IMPORT_UNDONE, record_event
from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.db.gate import KEPT
from comptoir.db.record import Record
from comptoir.db.workflow import Transition
from comptoir.errors import ComptoirError, Conflict
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.history import HistoryEntry
from comptoir.records.transfer.importing import Turn
from comptoir.records.transfer.runs import UNDOING, UNDONE, ImportRun, as_import, keep
from comptoir.records.write.assign import assign
from comptoir.records.write.deletion import delete, plan_deletion
from comptoir.records.write.save import write_batch
from comptoir.records.write.undo import way_back

if TYPE_CHECKING:
    from comptoir.context import Context

SOME = 100
"""Entries of the history that one transaction goes back."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, in records; ``left`` are those that somebody else changed, deleted or used since."""

    deleted: int = 0
    restored: int = 0
    left: int = 0

    def __add__(self, other: Undone) -> Undone:
        return Undone(self.deleted + other.deleted, self.restored + other.restored, self.left + other.left)


@dataclass(frozen=True, slots=True)
class _Touched:
    """A record, and what the import did to it, the oldest first."""

    record: Record
    entries: Sequence[HistoryEntry]

    @property
    def is_new(self) -> bool:
        return self.entries[0].action == "created"


def undo_import(turn: Turn, run: ImportRun, *, progress: Callable[[Undone], None] | None = None) -> Undone:
    """Take an import back in many short transactions, by the same rules as any change; what was killed goes on.

    An import that is still under way ends with it.
    """
    if run.state == UNDONE:
        raise Conflict(_("Import {number} was undone already.", number=run.id))
    turns, total = as_import(turn, run), Undone()
    if run.state != UNDOING:

        def begin(ctx: Context) -> int:
            history = unrestricted(ctx, "imports")
            last = history.scalar(select(func.max(HistoryEntry.id)).where(HistoryEntry.import_id == run.id)) or 0
            keep(ctx, run, state=UNDOING, undo_from=last, undone_to=last + 1)
            return last

        last = turns(begin)
        run.state, run.undo_from, run.undone_to = UNDOING, last, last + 1
    while run.undone_to:

        def go_back(ctx: Context) -> tuple[Undone, int]:
            done, reached = _undo_some(ctx, run)
            keep(ctx, run, undone_to=reached)
            return done, reached

        done, run.undone_to = turns(go_back)
        total += done
        if progress is not None:
            progress(total)

    def end(ctx: Context) -> None:
        keep(ctx, run, state=UNDONE, ended_at=ctx.now())
        record_event(
            unrestricted(ctx, "security log"), IMPORT_UNDONE, about=run.record_type, deleted=total.deleted,
            restored=total.restored, left=total.left, number=run.id,
        )  # fmt: skip

    turns(end)
    run.state = UNDONE
    return total


def _undo_some(ctx: Context, run: ImportRun) -> tuple[Undone, int]:
    """Go some entries back; what was done, and the entry that was reached, 0 at the end."""
    query = select(HistoryEntry).where(HistoryEntry.import_id == run.id, HistoryEntry.id < (run.undone_to or 0))
    entries = unrestricted(ctx, "imports").scalars(query.order_by(HistoryEntry.id.desc()).limit(SOME)).all()
    if not entries:
        return Undone(), 0
    touched: list[_Touched] = []
    left = 0
    for entry in entries:
        later, earlier = _around(ctx, run, entry)
        if any(other.import_id == run.id and other.id <= (run.undo_from or 0) for other in later):
            continue  # went with the record's last entry
        declared = ctx.registry.record_types.get(entry.record_type)
        record = ctx.session.get(declared.model, entry.record_id) if declared is not None else None
        if record is None or later or any(other.import_id != run.id for other in earlier):
            left += 1
        else:
            touched.append(_Touched(record, [*earlier, entry]))
    return _undo(ctx, touched) + Undone(left=left), entries[-1].id


def _around(ctx: Context, run: ImportRun, entry: HistoryEntry) -> tuple[list[HistoryEntry], list[HistoryEntry]]:
    """What happened to a record after an entry, and before it since the import's first entry of it."""
    record = (HistoryEntry.record_type == entry.record_type, HistoryEntry.record_id == entry.record_id)
    session = unrestricted(ctx, "imports")
    first = select(func.min(HistoryEntry.id)).where(HistoryEntry.import_id == run.id, *record).scalar_subquery()
    found = session.scalars(select(HistoryEntry).where(*record, HistoryEntry.id >= first).order_by(HistoryEntry.id))
    others = [other for other in found if other.id != entry.id]
    return [other for other in others if other.id > entry.id], [other for other in others if other.id < entry.id]


def _undo(ctx: Context, touched: Sequence[_Touched]) -> Undone:
    """Take records back, all at once or, where that is refused, one by one; the newest comes first, as others may name it."""
    if not touched:
        return Undone()
    created = [each.record for each in touched if each.is_new]
    try:
        with ctx.savepoint():
            changed = [each for each in touched if not each.is_new]
            chosen: dict[Record, Transition] = {}
            for each in changed:
                chosen |= _put_back(ctx, each)
            write_batch(ctx, [each.record for each in changed], action="undone", chosen=chosen)
            _refuse_used(ctx, created)
            delete(ctx, created)
    except ComptoirError:
        if len(touched) == 1:
            return Undone(left=1)
        total = Undone()
        for each in touched:
            total += _undo(ctx, [each])
        return total
    return Undone(deleted=len(created), restored=len(touched) - len(created))


def _refuse_used(ctx: Context, records: Sequence[Record]) -> None:
    if not records:
        return
    plan = plan_deletion(ctx.as_system("undo of an import"), records)
    if plan.doomed or plan.staying:
        raise Conflict(_("Other records point at it since."))


def _put_back(ctx: Context, touched: _Touched) -> dict[Record, Transition]:
    """Give a record the values from before the import; the move that this is, where its stage is among them."""
    record = touched.record
    declared: DeclaredType = ctx.registry.record_type(type(record))
    before: dict[str, Any] = {}
    for entry in reversed(touched.entries):
        before |= {name: value for name, (value, _after) in entry.changes.items()}
    values = {}
    for name, value in before.items():
        described = declared.fields.get(name)
        if described is not None and not described.server and name not in KEPT:
            values[name] = _from_json(described, value)
    workflow = declared.declaration.workflow
    stage = before.get(workflow.field) if workflow is not None else None
    back = {record: way_back(ctx, record, workflow, stage)} if workflow is not None and stage is not None else {}
    assign(ctx, record, values)
    return back


def _from_json(described: Any, value: Any) -> Any:
    """A value of the history as it was in the record."""
    if described.kind.lined:
        inner = fields_of(described.line)
        return [
            {name: _from_json(inner[name], one) for name, one in line.items() if name in inner} for line in value or ()
        ]
    return None if value is None else described.kind.from_json(described, value)
