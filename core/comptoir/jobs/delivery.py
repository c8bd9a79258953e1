"""Hooks named ``after_*``, called from the outbox: each plugin by itself, in its own transaction, at least once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from comptoir.contributions import DeferredWork
from comptoir.jobs.outbox import CHAIN_BUDGET, Deferred, enqueue_many, module_of
from comptoir.values import RecordRef

if TYPE_CHECKING:
    from comptoir.context import Context

FAILED_HOOK = "after_job_failed"


def announce_failure(
    connection: Connection,
    plugins: Sequence[str],
    name: str,
    reason: str,
    incident: int | str,
    *,
    now: datetime,
    cause: Sequence[str] = (),
) -> None:
    """Leave ``after_job_failed`` for each of the plugins, once for each incident."""
    enqueue_many(
        connection,
        [
            Deferred(
                name=FAILED_HOOK,
                args={"plugin": plugin, "name": name, "reason": reason},
                module=module_of(plugin),
                key=f"{FAILED_HOOK}:{plugin}:{incident}",
            )
            for plugin in plugins
        ],
        now=now,
        cause=cause[1 - CHAIN_BUDGET :],  # a failure is always told; what its hooks set off belongs to the chain
    )


def implementers(hooks: Any, hook: str) -> list[str]:
    """The plugins that implement the hook, as the relay names them."""
    return [implementation.plugin_name for implementation in getattr(hooks, hook).get_hookimpls()]


def label(name: str, args: Mapping[str, Any]) -> str:
    """What work is called in a chain of causes: its name, and for a hook the plugin that hears of it."""
    return f"{name} ({args['plugin']})" if name in CORE_WORK else name


def _delivery(hook: str, load: Callable[[Context, dict[str, Any]], dict[str, Any]]) -> DeferredWork:
    def deliver(ctx: Context, args: dict[str, Any]) -> None:
        values = {"ctx": ctx, **load(ctx, args)}
        for implementation in getattr(ctx.hooks, hook).get_hookimpls():
            if implementation.plugin_name == args["plugin"]:
                implementation.function(**{name: values[name] for name in implementation.argnames})

    return DeferredWork(hook, deliver)


def _load_refs(ctx: Context, args: dict[str, Any]) -> dict[str, Any]:
    cause = ctx.cause[:-1]  # the last is this delivery
    # work that an earlier version left names no fields
    refs = [
        RecordRef(record_type, record_id, tuple(*changed), cause) for record_type, record_id, *changed in args["refs"]
    ]
    return {"refs": refs}


def _load_failure(_ctx: Context, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": args["name"], "reason": args["reason"]}


CORE_WORK: Mapping[str, DeferredWork] = {
    "after_records_committed": _delivery("after_records_committed", _load_refs),
    FAILED_HOOK: _delivery(FAILED_HOOK, _load_failure),
}
"""The deferred work that the core does itself; a plugin's comes from the registry."""
