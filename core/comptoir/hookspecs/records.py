"""A record's life: prepared, checked, saved, committed; moved, deleted.

Hooks receive whole batches, because an import of fifty thousand contacts is one call, not fifty thousand.
The order within one save is prepare, check, flush, on, commit, after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    from comptoir.context import Context
    from comptoir.db.record import Record
    from comptoir.db.workflow import Transition
    from comptoir.records.changes import Change
    from comptoir.values import RecordRef


@hookspec
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    """Fill in derived values before they are checked.  The only place to modify the records.

    Example: ``for order in of_type(changes, Order): order.total = services.total(order)``
    """


@hookspec
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    """Refuse a change by raising `RuleViolation` or `RuleViolations`; all plugins' violations are shown at once.

    Example: ``raise RuleViolation("sales.price_expired", _("The price list has ended."), field="price")``
    """


@hookspec
def on_records_saved(ctx: Context, changes: Sequence[Change]) -> None:
    """Write what must stand or fall with the change.  Identifiers are known; not yet committed.

    Example: ``services.reserve_stock(ctx, of_type(changes, OrderLine))``
    """


@hookspec
def after_records_committed(ctx: Context, refs: Sequence[RecordRef]) -> None:
    """Tell the outside world.  Runs from the outbox in its own transaction, at least once, each plugin by itself.

    Each ref names the fields that changed, and in ``cause`` the deferred work that led to it (empty where a person
    acted): look at both before you write anything back.

    Example: ``services.queue_push(ctx, [ref for ref in refs if "erp.push_contact" not in ref.cause])``
    """


@hookspec
def check_deletion(ctx: Context, records: Sequence[Record]) -> None:
    """Refuse a deletion by raising `RuleViolation`.

    Example: ``raise RuleViolation("sales.has_orders", _("This contact has open orders."))``
    """


@hookspec
def on_records_deleted(ctx: Context, refs: Sequence[RecordRef]) -> None:
    """Remove what the database cascade cannot reach.

    Example: ``files.forget(ctx, refs)``
    """


@hookspec
def check_transition(ctx: Context, record: Record, transition: Transition) -> None:
    """Refuse a stage change by raising `RuleViolation`.

    Example: ``if transition.name == "invoice": services.require_stock(ctx, record)``
    """


@hookspec
def on_transition(ctx: Context, record: Record, transition: Transition) -> None:
    """React to a stage change in the same transaction.

    Example: ``if transition.target == "paid": services.settle(ctx, record)``
    """
