"""Demonstration data: loaded through the modules' own seeds, remembered row by row, removed without trace."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import delete, insert, select, update

from comptoir.access.permissions import Actor, system_actor
from comptoir.context import Context, unrestricted
from comptoir.db.gate import opened
from comptoir.db.search import forget_entries
from comptoir.deployment import Deployment
from comptoir.edge import perform
from comptoir.records.history import HistoryEntry
from comptoir.records.summaries import forget_summaries
from comptoir.registry.models import DemoRecord, ModuleRow


def load_demo(deployment: Deployment, *, actor: Actor | None = None) -> int:
    """Let every enabled module that has none yet create its demonstration data; returns how many records there are."""

    def load(ctx: Context) -> int:
        session = unrestricted(ctx, "demonstration data")
        last = session.scalar(select(HistoryEntry.id).order_by(HistoryEntry.id.desc()).limit(1)) or 0
        rows = {row.name: row for row in session.scalars(select(ModuleRow))}
        implementations = {i.plugin_name: i for i in ctx.hooks.seed_demo.get_hookimpls()}
        for name in ctx.registry.plugins:
            if name in implementations and not rows[name].has_demo:
                implementations[name].function(ctx=ctx)
                rows[name].has_demo = True
        session.flush()
        created = session.execute(
            select(HistoryEntry.record_type, HistoryEntry.record_id)
            .where(HistoryEntry.id > last, HistoryEntry.action == "created")
            .order_by(HistoryEntry.id)
        ).all()
        if created:
            session.execute(insert(DemoRecord), [{"record_type": kind, "record_id": id_} for kind, id_ in created])
        return len(created)

    return perform(deployment, system_actor(actor.name if actor else "comptoir demo"), load)


def remove_demo(deployment: Deployment) -> int:
    """Delete every demonstration record with its history, newest first; records that people made stay."""

    def remove(ctx: Context) -> int:
        session = unrestricted(ctx, "demonstration data")
        marks = session.execute(
            select(DemoRecord.record_type, DemoRecord.record_id).order_by(DemoRecord.id.desc())
        ).all()
        by_type: dict[str, list[int]] = defaultdict(list)
        for record_type, record_id in marks:
            by_type[record_type].append(record_id)
        for record_type, ids in by_type.items():
            declared = ctx.registry.record_types.get(record_type)
            if declared is None:
                continue
            table: Any = declared.table
            for start in range(0, len(ids), 500):
                chunk = ids[start : start + 500]
                with opened("demonstration data"):
                    session.execute(delete(table).where(table.c.id.in_(chunk)))
                forget_entries(session.connection(), record_type, chunk)
                session.execute(
                    delete(HistoryEntry).where(
                        HistoryEntry.record_type == record_type, HistoryEntry.record_id.in_(chunk)
                    )
                )
        forget_summaries(session)
        session.execute(delete(DemoRecord))
        session.execute(update(ModuleRow).values(has_demo=False))
        return len(marks)

    return perform(deployment, system_actor("comptoir demo"), remove)
