"""``POST …/bulk``: up to a thousand operations on one record type in one transaction; all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import select

from comptoir.context import Context
from comptoir.db.record import Record
from comptoir.errors import ComptoirError, PreconditionFailed, PreconditionRequired, RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.kinds import MAX_ID
from comptoir.records import write
from comptoir.rest.call import Answer, Call
from comptoir.rest.resources import Resource

LIMIT = 1_000
OPERATIONS = ("create", "update", "delete", "archive", "restore")
_KEYS = {"create": {"op", "values"}, "update": {"op", "id", "version", "values"}}
_PLAIN_KEYS = {"op", "id", "version"}


@dataclass(slots=True)
class Operation:
    """One step of the batch, its values already in Python types."""

    index: int
    op: str
    id: int | None = None
    version: int | None = None
    values: dict[str, Any] | None = None
    record: Record | None = None

    @property
    def place(self) -> str:
        """Where its errors are shown: ``operations.3``."""
        return f"operations.{self.index}"

    @property
    def is_saved(self) -> bool:
        """Whether it goes through `save`, together with its neighbours."""
        return self.op in ("create", "update")


def run_bulk(call: Call, resource: Resource) -> Answer:
    """Check every operation, then do them in order, neighbours of one kind as one batch."""
    call.check_parameters()
    operations = _read(call, resource)
    _load(call, resource, operations)
    for (kind, _saved), group in groupby(operations, key=lambda o: ("save" if o.is_saved else o.op, o.is_saved)):
        _apply(call, resource, kind, list(group))
    counts = {op: sum(1 for o in operations if o.op == op) for op in OPERATIONS}
    return Answer({"data": [_result(o) for o in operations], "meta": {"counts": counts}})


def _read(call: Call, resource: Resource) -> list[Operation]:
    body = call.body_object()
    listed = body.get("operations")
    if not isinstance(listed, list) or set(body) != {"operations"}:
        raise RuleViolation(
            "core.invalid", _('Send {{"operations": [{{"op": "create", "values": {{…}}}}, …]}}.'), field="operations"
        )
    if not 0 < len(listed) <= LIMIT:
        raise RuleViolation(
            "core.too_many", _("One request takes 1 to {limit} operations.", limit=f"{LIMIT:,}"), field="operations"
        )
    violations: list[RuleViolation] = []
    operations: list[Operation] = []
    for index, content in enumerate(listed):
        try:
            operations.append(_operation(call, resource, index, content))
        except RuleViolation as violation:
            violations.append(violation)
        except RuleViolations as several:
            violations += several.violations
        if len(violations) > LIMIT:
            break
    if violations:
        raise RuleViolations(violations)
    return operations


def _operation(call: Call, resource: Resource, index: int, content: Any) -> Operation:
    place = f"operations.{index}"
    if not isinstance(content, dict) or content.get("op") not in OPERATIONS:
        raise RuleViolation(
            "core.invalid", _("Give an object with “op”: one of {known}.", known=", ".join(OPERATIONS)), field=place
        )
    op = content["op"]
    unknown = sorted(set(content) - _KEYS.get(op, _PLAIN_KEYS))
    if unknown:
        raise RuleViolation(
            "core.invalid",
            _("“{op}” takes no “{name}”.", op=op, name=unknown[0][:60]),
            field=f"{place}.{unknown[0][:60]}",
        )
    operation = Operation(index, op)
    if op != "create":
        operation.id = _whole(content.get("id"), f"{place}.id")
        operation.version = _whole(content["version"], f"{place}.version") if "version" in content else None
        if operation.version is None and call.context.settings.require_versions:
            raise PreconditionRequired(
                _("Operation {index} names no version. Give each the “version” that you have seen.", index=index)
            )
    if operation.is_saved:
        values = content.get("values")
        if not isinstance(values, dict):
            raise RuleViolation("core.invalid", _("Give an object."), field=f"{place}.values")
        prefix = f"{place}.values."
        if op == "create":
            operation.record = resource.built(call, values, prefix)
        else:
            operation.values = resource.values(call, values, prefix)
    return operation


def _whole(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_ID:
        raise RuleViolation("core.not_a_number", _("Give a whole number."), field=place)
    return value


def _load(call: Call, resource: Resource, operations: Sequence[Operation]) -> None:
    """Fetch the records of all operations in one query; a record may take part once."""
    wanted: dict[int, Operation] = {}
    violations: list[RuleViolation] = []
    for operation in operations:
        if operation.id is None:
            continue
        if operation.id in wanted:
            violations.append(
                RuleViolation(
                    "core.twice", _("Record {id} takes part twice.", id=operation.id), field=f"{operation.place}.id"
                )
            )
        wanted[operation.id] = operation
    model, session = resource.declared.model, call.context.session
    found = {record.id: record for record in session.scalars(select(model).where(model.id.in_(list(wanted))))}
    for record_id, operation in wanted.items():
        record = found.get(record_id)
        if record is None:
            violations.append(
                RuleViolation(
                    "core.unknown_reference",
                    _("There is no record {id} here, or you may not see it.", id=record_id),
                    field=f"{operation.place}.id",
                )
            )
        elif operation.version is not None and operation.version != record.version:
            raise PreconditionFailed(
                _("Somebody changed record {id} meanwhile. Load it again and send the batch once more.", id=record_id),
                current={f"{operation.place}.version": record.version},
            )
        operation.record = record
    if violations:
        raise RuleViolations(violations)


def _apply(call: Call, resource: Resource, kind: str, group: list[Operation]) -> None:
    """Do neighbouring operations as one batch; where that is refused, find out which of them are to blame."""
    try:
        # a savepoint, so that a refusal leaves the records as they were loaded
        with call.context.session.begin_nested():
            _run(call, resource, kind, group)
    except (RuleViolation, RuleViolations) as refusal:
        if len(group) == 1:
            raise _placed(group[0], refusal) from None
        raise RuleViolations(_blamed(call, resource, kind, group, refusal)) from None


def _run(call: Call, resource: Resource, kind: str, group: Sequence[Operation]) -> None:
    ctx, records = call.context, []
    for operation in group:
        assert operation.record is not None
        if operation.values is not None:
            ctx.require(resource.declared.permission("write"), [operation.record])
            write.assign(call.context, operation.record, operation.values)
        records.append(operation.record)
    works: dict[str, Callable[[Context, list[Record]], object]] = {
        "save": write.save,
        "delete": write.delete,
        "archive": write.archive,
        "restore": write.restore,
    }
    works[kind](ctx, records)


def _blamed(
    call: Call, resource: Resource, kind: str, group: Sequence[Operation], refusal: RuleViolation | RuleViolations
) -> list[RuleViolation]:
    """The violations of each operation alone; the whole refusal where none is wrong by itself.

    What succeeds here is rolled back with the request.
    """
    found: list[RuleViolation] = []
    for operation in group:
        try:
            with call.context.session.begin_nested():
                _run(call, resource, kind, [operation])
        except (RuleViolation, RuleViolations) as alone:
            found += _placed(operation, alone).violations
        except ComptoirError:
            break
    whole = refusal.violations if isinstance(refusal, RuleViolations) else [refusal]
    return found or list(whole)


def _placed(operation: Operation, refusal: RuleViolation | RuleViolations) -> RuleViolations:
    several = refusal.violations if isinstance(refusal, RuleViolations) else [refusal]
    place = f"{operation.place}.values" if operation.is_saved else operation.place
    return RuleViolations(
        RuleViolation(v.code, v.message, field=f"{place}.{v.field}" if v.field else operation.place) for v in several
    )


def _result(operation: Operation) -> dict[str, Any]:
    record = operation.record
    assert record is not None
    result: dict[str, Any] = {"op": operation.op, "id": operation.id or record.id}
    if operation.op != "delete":
        result["version"] = record.version
    return result
