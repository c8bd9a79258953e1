"""A module that hears of every change, and writes back where a test asks it to; one tile and one panel fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text

from comptoir.base.models import Contact
from comptoir.context import Context
from comptoir.contributions import Contribution, Fact, Kpi, Manifest, Panel, Tile
from comptoir.hookspecs.marker import hookimpl
from comptoir.records.write import save
from comptoir.values import RecordRef

manifest = Manifest(title="Echo")
heard: list[RecordRef] = []
writes_back = False


@hookimpl
def after_records_committed(ctx: Context, refs: Sequence[RecordRef]) -> None:
    heard.extend(refs)
    if writes_back:
        contacts = [ctx.session.get_one(Contact, ref.record_id) for ref in refs]
        for contact in contacts:
            contact.city = f"{contact.city}!"
        save(ctx, contacts)


def stumble(ctx: Context) -> None:
    ctx.bookkeeping("test").execute(text("SELECT * FROM nowhere"))


def figures(ctx: Context, _options: Mapping[str, str]) -> list[Kpi]:
    stumble(ctx)
    return []


def count(ctx: Context) -> int:
    return 4000 + (ctx.session.scalar(select(func.count()).select_from(Contact)) or 0)


def more_figures(ctx: Context, _options: Mapping[str, str]) -> list[Kpi]:
    return [Kpi("Echoes counted", str(count(ctx)))]


def values(ctx: Context, _record: Any) -> Mapping[str, Any]:
    stumble(ctx)
    return {}


@hookimpl
def contribute() -> list[Contribution]:
    return [
        Tile("echo.figures", "Echo", "base.contact.read", kpis=figures, order=1),
        Tile("echo.more", "More", "base.contact.read", kpis=more_figures, order=2),
        Fact("echo.count", Contact, "Echoes counted", lambda ctx, _record: str(count(ctx)), "base.contact.read"),
        Panel("echo.panel", Contact, "Echoes", "echo/panel.html", values, "base.contact.read", order=1),
    ]
