"""A module with scheduled and deferred work whose effects are rows."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from comptoir.context import Context
from comptoir.contributions import Backoff, Contribution, DeferredWork, Job, Manifest, Progress, Step, Steps
from comptoir.errors import RuleViolation
from comptoir.hookspecs.marker import hookimpl
from comptoir.jobs.outbox import defer
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


# -- work in steps --------------------------------------------------------------------------------------------------


def service(request: Any, key: str) -> Any:
    """The system outside; a test puts its own in this place."""
    line = http.client.HTTPConnection("127.0.0.1", request["port"], timeout=5)
    try:
        line.request("POST", "/", json.dumps(request), {"Idempotency-Key": key})
        answer = line.getresponse()
        if answer.status != 200:
            raise OSError(f"the service answered {answer.status}")
    finally:
        line.close()
    return answer.status


def ask(request: Any, key: str) -> Any:
    return service(request, key)


def plan_push(_ctx: Context, progress: Progress) -> Any:
    return None if progress.args.get("gone") else dict(progress.args)


def conclude_push(ctx: Context, progress: Progress, answer: Any) -> None:
    note(ctx, f"pushed {progress.args['number']}")
    if progress.args.get("echo"):
        defer(ctx, "shop.push", progress.args, record=RecordRef("shop.thing", progress.args["record"]))


def plan_page(_ctx: Context, progress: Progress) -> Any:
    return {"after": progress.kept.get("last", 0)}


def conclude_page(ctx: Context, progress: Progress, answer: Any) -> bool:
    note(ctx, f"page {answer['numbers']}")
    progress.kept["last"] = answer["numbers"][-1]
    progress.done += len(answer["numbers"])
    progress.total = answer["of"]
    return bool(progress.done < answer["of"])


def fill(ctx: Context, progress: Progress) -> bool:
    progress.total = progress.args.get("total", 3)
    shelf = progress.done + 1
    if shelf in progress.args.get("locked", []) and "open" not in doors:
        raise OSError(f"shelf {shelf} is locked")
    note(ctx, f"filled {shelf}")
    return bool(shelf < progress.total)


doors: set[str] = set()
QUICK = Backoff(timedelta(seconds=0.2), timedelta(seconds=1), timedelta(seconds=60))
PUSH = Step(plan_push, ask, conclude_push, limit=timedelta(seconds=2))


def echo(ctx: Context, args: dict[str, Any]) -> None:
    note(ctx, f"echo {len(ctx.cause)}")
    defer(ctx, "shop.echo", args)


@hookimpl
def contribute() -> list[Contribution]:
    return [
        Job("shop.count", count, Every(minutes=15), title="Count the shelves"),
        Job("shop.restock", schedule=Every(minutes=15), steps=Steps(Step(fill))),
        Job("shop.breathe", lambda ctx: note(ctx, "breathed"), Every(seconds=1)),
        DeferredWork("shop.tell", tell),
        DeferredWork("shop.stumble", stumble),
        DeferredWork("shop.fall", fall),
        DeferredWork("shop.echo", echo),
        DeferredWork("shop.push", steps=Steps(PUSH), backoff=QUICK),
        DeferredWork("shop.push_twice", steps=Steps(PUSH, PUSH), backoff=QUICK),
        DeferredWork("shop.sync", steps=Steps(Step(plan_page, ask, conclude_page))),
        DeferredWork("shop.fill", steps=Steps(Step(fill))),
    ]


@hookimpl
def after_records_committed(ctx: Context, refs: Sequence[RecordRef]) -> None:
    note(ctx, f"committed {', '.join(map(str, refs))}")


@hookimpl
def after_job_failed(ctx: Context, name: str, reason: str) -> None:
    note(ctx, f"{name} failed: {reason}")
