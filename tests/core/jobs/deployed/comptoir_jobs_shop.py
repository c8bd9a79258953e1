"""A module with scheduled and deferred work whose effects are rows."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from comptoir.context import Context
from comptoir.contributions import DeferredWork, Job, Manifest
from comptoir.errors import RuleViolation
from comptoir.hookspecs.marker import hookimpl
from comptoir.jobs.queue import Recoverable
from comptoir.schedules import Every
from comptoir.values import RecordRef

manifest = Manifest(title="Shop")

effects = sa.Table("effect", sa.MetaData(), sa.Column("label", sa.String(200)), sa.Column("process", sa.Integer))


def note(ctx: Context, label: str) -> None:
    ctx.bookkeeping("test").execute(effects.insert(), {"label": label, "process": os.getpid()})


def count(ctx: Context) -> None:
    logging.getLogger("comptoir_jobs_shop").warning("counting 3 shelves")
    note(ctx, "counted")


def tell(ctx: Context, args: dict[str, Any]) -> None:
    note(ctx, f"told {args['number']}")


def stumble(ctx: Context, args: dict[str, Any]) -> None:
    """Leaves an effect that must not last, then fails as it is told to."""
    note(ctx, "stumbled")
    match args.get("how"):
        case "rule":
            raise RuleViolation("shop.closed", "The shop is closed.")
        case "later":
            raise Recoverable("The ERP did not answer within 30 s.", retry_after=timedelta(minutes=15))
        case "exit":
            raise SystemExit("enough")
        case _:
            raise OSError("no route\nto host")


def fall(ctx: Context, args: dict[str, Any]) -> None:
    """Takes its process down, the first time."""
    note(ctx, "fell")
    try:
        Path(args["mark"]).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def contribute_jobs() -> list[Job]:
    return [
        Job("shop.count", count, Every(minutes=15), title="Count the shelves"),
        Job("shop.breathe", lambda ctx: note(ctx, "breathed"), Every(seconds=1)),
    ]


@hookimpl
def contribute_deferred_work() -> list[DeferredWork]:
    return [DeferredWork("shop.tell", tell), DeferredWork("shop.stumble", stumble), DeferredWork("shop.fall", fall)]


@hookimpl
def after_records_committed(ctx: Context, refs: Sequence[RecordRef]) -> None:
    note(ctx, f"committed {', '.join(map(str, refs))}")


@hookimpl
def after_job_failed(ctx: Context, name: str, reason: str) -> None:
    note(ctx, f"{name} failed: {reason}")
