"""The one write path: every screen, API call, import, job and service changes records through these functions.

One save is one batch: prepare_* → field rules → check_* → flush → history → on_* → outbox; the unit of work commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import LoaderCallableStatus, object_session
from sqlalchemy.orm.attributes import flag_modified, set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from comptoir.db.fields import Field, Kind, fields_of
from comptoir.db.record import Record, module_of
from comptoir.db.types import fold
from comptoir.db.workflow import Transition, Workflow
from comptoir.errors import ComptoirError, Conflict, NotAllowed, NotFound, Overtaken, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.changes import Change, change_of, held_extensions
from comptoir.records.history import entry_row, write_history
from comptoir.records.validate import check_value, is_id, reader_of, violations_of
from comptoir.values import FieldChange, RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context

SEARCH_KEY_LENGTH = 2000


def save(ctx: Context, records: Iterable[Record], *, action: str | None = None) -> list[Change]:
    """Create or change records as one batch; returns what changed, without the records that did not.

    Raises `RuleViolations` with everything that is wrong, `NotAllowed` where a right is missing and `Conflict` where
    somebody else was faster.  ``action`` names the deed in the history where it is not created or changed.
    """
    batch = list(records)
    with ctx.session.no_autoflush, _put_back_when_refused(batch):
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
        _check(ctx, changes)
    _flush(ctx, changes)
    refs = [_ref(ctx, change.record, changed=_told_fields(change)) for change in changes]
    write_history(ctx, [_history_row(ctx, ref, change, action) for ref, change in zip(refs, changes, strict=True)])
    ctx.hooks.on_records_saved(ctx=ctx, changes=changes)
    ctx.after_commit("after_records_committed", refs)
    return changes


def delete(ctx: Context, records: Iterable[Record]) -> None:
    """Delete records for good; refused where other records still point at them."""
    batch = list(records)
    if not batch:
        return
    for model in {type(record) for record in batch}:
        ctx.require(ctx.registry.record_type(model).permission("delete"), [r for r in batch if type(r) is model])
    _gather(ctx.each_hook("check_deletion", ctx=ctx, records=batch))
    refs = [_ref(ctx, record) for record in batch]
    titles = [ctx.registry.record_type(type(r)).title_of(r) for r in batch]
    try:
        with ctx.session.begin_nested():
            for record in batch:
                ctx.session.delete(record)
            ctx.session.flush()
    except IntegrityError:
        raise RuleViolation(
            "core.still_used",
            _("Other records point at {title}. Archive it instead, or move those records first.", title=titles[0]),
        ) from None
    except StaleDataError:
        raise Overtaken(_("Somebody changed or deleted it meanwhile. Load it again.")) from None
    now = ctx.now()
    write_history(
        ctx,
        [
            entry_row(
                record_type=ref.record_type,
                record_id=ref.record_id,
                action="deleted",
                at=now,
                actor=ctx.actor,
                fields=[FieldChange("title", title, None)],
            )
            for ref, title in zip(refs, titles, strict=True)
        ],
    )
    ctx.hooks.on_records_deleted(ctx=ctx, refs=refs)
    ctx.after_commit("after_records_committed", refs)


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


def move(ctx: Context, record: Record, transition: str, values: Mapping[str, Any] | None = None) -> Transition:
    """Take a record through a transition of its workflow; ``values`` are the fields that the transition asks for."""
    declared = ctx.registry.record_type(type(record))
    workflow = declared.declaration.workflow
    if workflow is None:
        raise NotFound(_("{label} has no stages.", label=declared.declaration.label))
    ctx.require(declared.permission("write"), [record])
    here = getattr(record, workflow.field)
    candidates = [t for t in workflow.transitions(ctx, record) if t.name == transition]
    if not candidates:
        raise NotFound(_("There is no transition {name}.", name=transition))
    chosen = next((t for t in candidates if t.applies_to(here)), None)
    if chosen is None:
        allowed = ", ".join(t.name for t in workflow.moves_from(ctx, record)) or "–"
        raise RuleViolation(
            "core.wrong_stage",
            _(
                "{transition} does not start at this stage. From here: {allowed}.",
                transition=transition,
                allowed=allowed,
            ),
            field=workflow.field,
        )
    if chosen.permission is not None:
        ctx.require(chosen.permission, [record])
    given = dict(values or {})
    missing = [
        RuleViolation("core.required", _("Fill in {label}.", label=declared.fields[name].label), field=name)
        for name in chosen.asks
        if given.get(name) in (None, "") and getattr(record, name) in (None, "")
    ]
    if missing:
        raise RuleViolations(missing)
    with ctx.session.no_autoflush, _put_back_when_refused([record]):
        for name, value in given.items():
            setattr(record, name, value)
        _gather(ctx.each_hook("check_transition", ctx=ctx, record=record, transition=chosen))
        setattr(record, workflow.field, chosen.target)
    with ctx.moving(record, chosen):
        save(ctx, [record], action="moved")
    ctx.hooks.on_transition(ctx=ctx, record=record, transition=chosen)
    return chosen


@contextmanager
def _put_back_when_refused(records: Sequence[Record]) -> Iterator[None]:
    """What was refused must not be written by the next flush of the same unit of work: records are as they were read."""
    try:
        yield
    except ComptoirError:
        for record in records:
            session = object_session(record)
            if session is None:
                continue
            for extension in record.__dict__.pop("_extensions", {}).values():
                _put_back(extension)
            for name, described in fields_of(type(record)).items():
                if described.kind is Kind.LINES and name in record.__dict__:
                    for line in getattr(record, name):
                        _put_back(line)
                    session.expire(record, [name])
            _put_back(record)
        raise


def _put_back(row: Any) -> None:
    state: Any = inspect(row)
    if state.pending:
        state.session.expunge(row)
    for name, before in list(state.committed_state.items()) if state.persistent else ():
        if before is LoaderCallableStatus.NO_VALUE or name not in state.mapper.column_attrs:
            state.session.expire(row, [name])
        else:
            set_committed_value(row, name, before)


# -- the phases ---------------------------------------------------------------------------------------------------------


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


def _check(ctx: Context, changes: Sequence[Change]) -> None:
    violations: list[RuleViolation] = []
    for change in changes:
        record = change.record
        names = None if change.is_new else [n for n in change.fields if "." not in n]
        violations += violations_of(record, names)
        for extension in held_extensions(record):
            violations += violations_of(extension, prefix=f"{module_of(type(extension))}.")
        if change.is_new:
            violations += _unknown_stage(ctx, record)
        elif not ctx.is_moving(record):
            violations += _unpermitted_move(ctx, change)
        if change.is_new or touches_search_key(change):
            record.search_key = search_key(record)
    violations += _missing_references(ctx, changes)
    violations += _duplicates(ctx, changes)
    _gather(ctx.each_hook("check_records", ctx=ctx, changes=changes), violations)


def _unknown_stage(ctx: Context, record: Record) -> list[RuleViolation]:
    """A new record stands at a stage that there is; workflows whose stages are rows check that themselves."""
    workflow = ctx.registry.record_type(type(record)).declaration.workflow
    if workflow is None or type(workflow).stages is not Workflow.stages:
        return []
    stage, known = getattr(record, workflow.field), [stage.name for stage in workflow.stages(ctx, record)]
    if stage is None or stage in known:
        return []
    return [
        RuleViolation(
            "core.unknown_stage",
            _("There is no stage {stage}. Choose one of {known}.", stage=str(stage)[:60], known=", ".join(known)),
            field=workflow.field,
        )
    ]


def _unpermitted_move(ctx: Context, change: Change) -> list[RuleViolation]:
    """A stage that is set directly must be one that a transition without questions leads to."""
    workflow = ctx.registry.record_type(type(change.record)).declaration.workflow
    if workflow is None or workflow.field not in change.fields:
        return []
    moved = change.fields[workflow.field]
    for transition in workflow.transitions(ctx, change.record):
        if transition.target == moved.after and transition.applies_to(moved.before or ""):
            if transition.permission is not None:
                ctx.require(transition.permission, [change.record])
            return [
                RuleViolation("core.required", _("Fill in {name}.", name=name), field=name)
                for name in transition.asks
                if getattr(change.record, name) in (None, "")
            ]
    return [
        RuleViolation(
            "core.wrong_stage",
            _("It cannot move from {before} to {after}.", before=moved.before, after=moved.after),
            field=workflow.field,
        )
    ]


def _missing_references(ctx: Context, changes: Sequence[Change]) -> list[RuleViolation]:
    """References to rows that are not there or that the actor may not see: both read the same."""
    wanted: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        for name, described, value in _references(ctx, change):
            if is_id(value):
                wanted[str(described.target)][value].append(name)
    found: list[RuleViolation] = []
    for table_name, ids in wanted.items():
        if table_name in ("core_user", "core_team") and ctx.knows(table_name, set(ids)):
            continue
        table = ctx.registry.table(table_name)
        seen = set(ctx.session.execute(select(table.c.id).where(table.c.id.in_(list(ids)))).scalars())
        for record_id, names in ids.items():
            if record_id not in seen:
                found += [
                    RuleViolation(
                        "core.unknown_reference",
                        _("There is no record {id} here, or you may not see it.", id=record_id),
                        field=name,
                    )
                    for name in names
                ]
    return found


def _references(ctx: Context, change: Change) -> Iterator[tuple[str, Field, Any]]:
    """The changed references of a record, its extensions and its lines: field, declaration, value."""
    declared = ctx.registry.record_type(type(change.record))
    for name, changed in change.fields.items():
        described = declared.fields.get(name)
        if described is None:
            continue
        if described.kind is Kind.REFERENCE:
            yield name, described, changed.after
        elif described.kind is Kind.LINES and described.line is not None:
            for inner, of_line in fields_of(described.line).items():
                if of_line.kind is Kind.REFERENCE:
                    for position, line in enumerate(changed.after or ()):
                        yield f"{name}.{position}.{inner}", of_line, line[inner]


def _duplicates(ctx: Context, changes: Sequence[Change]) -> list[RuleViolation]:
    """Values of unique fields that another record has already, in the batch or in the database."""
    found: list[RuleViolation] = []
    seen: dict[tuple[type, str], dict[Any, Record]] = defaultdict(dict)
    for change in changes:
        model = type(change.record)
        for name, described in fields_of(model).items():
            if not described.unique or name not in change.fields:
                continue
            value = getattr(change.record, name)
            if value in (None, "") or any(check_value(described, value, name)):
                continue
            if value in seen[model, name]:
                found.append(_taken(described, name, value))
            seen[model, name][value] = change.record
    for (model, name), by_value in seen.items():
        column = getattr(model, name)
        rows = ctx.system_session.execute(select(model.id, column).where(column.in_(list(by_value))))
        for record_id, value in rows:
            if by_value[value].id != record_id:
                found.append(_taken(fields_of(model)[name], name, value))
    return found


def _taken(described: Any, name: str, value: Any) -> RuleViolation:
    return RuleViolation(
        "core.not_unique",
        _("{label} “{value}” is taken. Choose another.", label=described.label, value=value),
        field=name,
    )


def _flush(ctx: Context, changes: Sequence[Change]) -> None:
    session = ctx.session
    try:
        for change in changes:
            for position_holder, described in fields_of(type(change.record)).items():
                if described.kind is Kind.LINES and position_holder in change.record.__dict__:
                    for position, line in enumerate(getattr(change.record, position_holder)):
                        line.position = position
        session.add_all([change.record for change in changes])
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


def _gather(outcomes: Iterable[Any], violations: list[RuleViolation] | None = None) -> None:
    """Run checks one by one, keep all violations, raise them together; any other error passes through."""
    found = list(violations or [])
    for outcome in outcomes:
        try:
            outcome()
        except RuleViolation as violation:
            found.append(violation)
        except RuleViolations as several:
            found.extend(several.violations)
    if len(found) == 1:
        raise RuleViolations(found) if violations is not None else found[0]
    if found:
        raise RuleViolations(found)


def _ref(ctx: Context, record: Record, *, changed: tuple[str, ...] = ()) -> RecordRef:
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


def touches_search_key(change: Change) -> bool:
    """Whether the change may alter what the record is found by."""
    declared = fields_of(type(change.record))
    return any(
        described.search or described.kind is Kind.LINES
        for described in (declared[name] for name in change.fields if name in declared)
    )


@cache
def searched_fields(model: type) -> tuple[str, ...]:
    """The search fields of a model that every reader sees."""
    return tuple(name for name, field in fields_of(model).items() if field.search and field.read is None)


def search_key(record: Record) -> str:
    """The folded text by which a record is found: its search fields and those of its lines, as far as every reader sees them."""
    parts: list[str] = []
    value_of = reader_of(record)
    for name, described in fields_of(type(record)).items():
        if described.kind is Kind.LINES:
            searched = searched_fields(described.line) if described.line is not None else ()
            for line in (value_of(name) or ()) if searched else ():
                parts += [str(value) for value in map(reader_of(line), searched) if value]
        elif described.search and described.read is None and (value := value_of(name)):
            parts.append(str(value))
    return fold(" ".join(parts))[:SEARCH_KEY_LENGTH]


__all__ = ["ComptoirError", "archive", "delete", "move", "restore", "save", "search_key"]
