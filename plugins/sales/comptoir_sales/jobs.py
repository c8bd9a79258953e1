"""Scheduled work of sales."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select

from comptoir.base.models import Task
from comptoir.toolkit import Context, RecordRef, _, record_name, save
from comptoir_sales.models import Deal, PipelineStage

BATCH = 500


def find_idle_deals(ctx: Context) -> int:
    """Give each deal's owner a task when it rests longer than its stage allows; once per rest.  Returns how many."""
    limited = select(PipelineStage).where(PipelineStage.kind == "open", PipelineStage.idle_days.is_not(None))
    created = 0
    for stage in ctx.session.scalars(limited.order_by(PipelineStage.id)).all():
        resting = select(Deal).where(
            Deal.pipeline_id == stage.pipeline_id,
            Deal.stage == stage.code,
            Deal.archived_at.is_(None),
            Deal.owner_id.is_not(None),
            Deal.stage_since < ctx.now() - dt.timedelta(days=stage.idle_days or 0),
        )
        deals = ctx.session.scalars(resting.order_by(Deal.id)).all()
        for start in range(0, len(deals), BATCH):
            created += _remind(ctx, deals[start : start + BATCH])
    return created


def _remind(ctx: Context, deals: Sequence[Deal]) -> int:
    about = {deal.id: RecordRef(record_name(Deal), deal.id) for deal in deals}
    known = select(Task.about, Task.created_at).where(Task.about.in_(about.values()))
    reminded: dict[int, dt.datetime] = {}
    for deal, created_at in ctx.session.execute(known):
        if deal is not None:
            reminded[deal.record_id] = max(created_at, reminded.get(deal.record_id, created_at))
    tasks = [
        Task(
            title=str(_("Idle: {deal}", deal=deal.name))[:255],
            due_on=ctx.today(),
            owner_id=deal.owner_id,
            contact_id=deal.contact_id,
            about=about[deal.id],
        )
        for deal in deals
        if deal.stage_since is not None and (deal.id not in reminded or reminded[deal.id] <= deal.stage_since)
    ]
    save(ctx, tasks)
    return len(tasks)
