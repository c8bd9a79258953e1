"""Records that go for good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from comptoir.db.record import Record
from comptoir.errors import Conflict, RuleViolation
from comptoir.i18n import _
from comptoir.records.history import entry_row, write_history
from comptoir.records.search import forget
from comptoir.records.write.refusal import gather
from comptoir.records.write.save import ref_of
from comptoir.values import FieldChange

if TYPE_CHECKING:
    from comptoir.context import Context


def delete(ctx: Context, records: Iterable[Record]) -> None:
    """Delete records for good; refused where other records still point at them."""
    batch = list(records)
    if not batch:
        return
    for model in {type(record) for record in batch}:
        ctx.require(ctx.registry.record_type(model).permission("delete"), [r for r in batch if type(r) is model])
    gather(ctx.each_hook("check_deletion", ctx=ctx, records=batch))
    refs = [ref_of(ctx, record) for record in batch]
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
        raise Conflict(_("Somebody changed or deleted it meanwhile. Load it again.")) from None
    forget(ctx, refs)
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
