"""New and changed records, as one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError

from comptoir.context import unrestricted
from comptoir.db.fields import fields_of
from comptoir.db.gate import ANY, KEPT, changed_columns
from comptoir.db.light import is_light, lines_of
from comptoir.db.record import Record
from comptoir.errors import Conflict, NotAllowed, Overtaken
from comptoir.i18n import _
from comptoir.records.changes import Change, change_of, held_extensions
from comptoir.records.history import entry_row, write_history
from comptoir.records.search import index_changes
from comptoir.records.summaries import Tally, touches_summaries
from comptoir.records.write.checks import check
from comptoir.records.write.refusal import put_back_when_refused
from comptoir.records.write.stages import Chosen
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context


def save(ctx: Context, records: Iterable[Record], *, action: str | None = None) -> list[Change]:
    """Create or change records as one batch; returns what changed, without the records that did not.

    A changed stage is a move: its transition's right, questions and hooks apply.  Raises `RuleViolations` with everything
    that is wrong, `NotAllowed` where a right is missing and `Conflict` where somebody else was faster.  ``action`` names the
    deed in the history where it is not created, changed or moved.
    """
    return write_batch(ctx, list(records), action=action)


def write_batch(
    ctx: Context, batch: Sequence[Record], *, action: str | None = None, chosen: Chosen | None = None
) -> list[Change]:
    """`save`, with the transitions that some of the records were sent through by name."""
    with put_back_when_refused(batch):
        changes = _compare(batch)
        if not changes:
            return []
        _require_rights(ctx, changes)
        _stamp(ctx, changes)
        ctx.hooks.prepare_records(ctx=ctx, changes=changes)
        for change in changes:
            change.compare_again()
        changes = [change for change in changes if change.is_new or change.fields]
        if not changes:
            return []
        _touch(ctx, changes)
        prepared = {change.record: _rows_of(change) for change in changes}
        moves = check(ctx, changes, chosen or {})
    tally = Tally(unrestricted(ctx, "summaries"))
    counted = [change for change in changes if change.is_new or touches_summaries(change.record)]
    tally.leave(change.record for change in counted if not change.is_new)
    _flush(ctx, changes, prepared)
    refs = [ref_of(ctx, change.record, changed=_told_fields(change)) for change in changes]
    index_changes(ctx, changes)
    tally.enter(change.record for change in counted)
    tally.write()
    moved = {move.record for move in moves}
    rows = [
        _history_row(ctx, ref, change, action or ("moved" if change.record in moved else None))
        for ref, change in zip(refs, changes, strict=True)
    ]
    write_history(ctx, rows)
    ctx.hooks.on_records_saved(ctx=ctx, changes=changes)
    for move in moves:
        ctx.hooks.on_transition(ctx=ctx, record=move.record, transition=move.transition)
    ctx.after_commit("after_records_committed", refs)
    return changes


def archive(ctx: Context, records: Iterable[Record]) -> None:
    """Put records away: they leave the lists and stay readable; `restore` brings them back."""
    batch = [record for record in records if record.archived_at is None]
    for record in batch:
        record.archived_at = ctx.now()
    save(ctx, batch, action="archived")


def restore(ctx: Context, records: Iterable[Record]) -> None:
    """Bring archived records back into the lists."""
    batch = [record for record in records if record.archived_at is not None]
    for record in batch:
        record.archived_at = None
    save(ctx, batch, action="restored")


def _compare(records: Sequence[Record]) -> list[Change]:
    changes = (change_of(record) for record in records)
    return [change for change in changes if change.is_new or change.fields]


def _require_rights(ctx: Context, changes: Sequence[Change]) -> None:
    grouped: dict[tuple[type[Record], bool], list[Change]] = defaultdict(list)
    for change in changes:
        grouped[type(change.record), change.is_new].append(change)
    for (model, is_new), group in grouped.items():
        declared = ctx.registry.record_type(model)
        if is_new:
            ctx.require(declared.permission("create"))
        else:
            ctx.require(declared.permission("write"), [change.record for change in group])
        locked = declared.locked_fields(ctx.actor.grants)
        if locked and not ctx.actor.is_system:
            for change in group:
                for name in change.fields:
                    if name in locked and change.fields[name].after != fields_default(declared, name):
                        raise NotAllowed(_("Your role may not change {field}.", field=declared.fields[name].label))


def fields_default(declared: Any, name: str) -> Any:
    """The value that a new record has in a field by itself."""
    return declared.fields[name].default


def _stamp(ctx: Context, changes: Sequence[Change]) -> None:
    """Owner, team, author and time; who has no owner gets the one that a plugin chooses, else its creator."""
    now, actor = ctx.now(), ctx.actor
    for change in changes:
        record = change.record
        if change.is_new:
            record.created_at = now
            record.created_by = actor.id
            declared = ctx.registry.record_type(type(record))
            if record.owner_id is None and declared.has_owner:
                record.owner_id = ctx.hooks.choose_owner(ctx=ctx, record=record) or actor.id
            if record.team_id is None and declared.has_owner and record.owner_id is not None:
                record.team_id = ctx.team_of(record.owner_id)
        elif change.touches("owner_id") and not change.touches("team_id") and record.owner_id is not None:
            record.team_id = ctx.team_of(record.owner_id) or record.team_id


def _touch(ctx: Context, changes: Sequence[Change]) -> None:
    """Author and time of the change, for what is still changed once everything was prepared."""
    for change in changes:
        change.record.updated_at = ctx.now()
        change.record.updated_by = ctx.actor.id
        if not change.is_new:  # even at the same instant: a change of lines or of an extension is a new version too
            flag_modified(change.record, "updated_at")


def _rows_of(change: Change) -> dict[Any, Collection[str]]:
    """What a change may write: the record with its extensions and lines, each with the columns that differ by now."""
    record = change.record
    if is_light(record):
        return dict.fromkeys((record, *lines_of(record)), ANY)
    rows: dict[Any, Collection[str]] = {record: ANY if change.is_new else changed_columns(record) | KEPT}
    for extension in held_extensions(record):
        rows[extension] = changed_columns(extension) if inspect(extension).persistent else ANY
    for name, described in fields_of(type(record)).items():
        if described.kind.lined and name in change.fields:
            history = inspect(record).attrs[name].history
            rows.update(
                dict.fromkeys((*(history.added or ()), *(history.unchanged or ()), *(history.deleted or ())), ANY)
            )
    return rows


def _flush(ctx: Context, changes: Sequence[Change], prepared: Mapping[Record, Mapping[Any, Collection[str]]]) -> None:
    """Write just what was there when the checks began: what a check set by mistake is refused with its name."""
    session = ctx.session
    rows = {row: names for of_record in prepared.values() for row, names in of_record.items()}
    light: dict[type[Record], list[Record]] = defaultdict(list)
    try:
        for change in changes:
            _number_lines(change.record)
            if is_light(change.record) and all(map(is_light, lines_of(change.record))):
                light[type(change.record)].append(change.record)
            else:
                session.add(change.record)
        with session.announced(rows):
            for records in light.values():
                session.insert(records)
            session.flush()
        extensions = [
            (change.record, extension)
            for change in changes
            for extension in held_extensions(change.record)
            if inspect(extension).persistent or any("." in name for name in change.fields)
        ]
        if extensions:
            for record, extension in extensions:
                extension.record_id = record.id
            session.add_all([extension for _record, extension in extensions])
            with session.announced(rows):
                session.flush()
    except StaleDataError:
        raise Overtaken(
            _("Somebody changed it while you were editing. Compare both versions and save again.")
        ) from None
    except IntegrityError as error:
        raise Conflict(
            _("The change clashes with what another person saved a moment ago. Load it again and retry."),
            code="core.clash",
        ) from error


def _number_lines(record: Record) -> None:
    for name, described in fields_of(type(record)).items():
        if described.kind.lined and name in record.__dict__:
            for position, line in enumerate(getattr(record, name)):
                if line.position != position:
                    line.position = position


def ref_of(ctx: Context, record: Record, *, changed: tuple[str, ...] = ()) -> RecordRef:
    """The reference by which history, outbox and links name a record."""
    return RecordRef(ctx.registry.record_type(type(record)).name, record.id, changed)


def _told_fields(change: Change) -> tuple[str, ...]:
    return tuple(name for name in change.fields if name not in ("updated_at", "created_at"))


def _history_row(ctx: Context, ref: RecordRef, change: Change, action: str | None) -> dict[str, Any]:
    return entry_row(
        record_type=ref.record_type,
        record_id=ref.record_id,
        action=action or ("created" if change.is_new else "changed"),
        at=change.record.updated_at,
        actor=ctx.actor,
        fields=[value for name, value in change.fields.items() if name not in ("updated_at", "created_at")],
    )
