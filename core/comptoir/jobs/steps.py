"""Long and outside work as many short transactions: none is open while another system is called.

Each turn begins by taking its row under the fence, so nothing is kept of a worker whose lease has ended. A call is
planned first, with its request and a fresh idempotency key; whoever goes on after a crash sends the same two again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeVar
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from comptoir.context import Context, unrestricted
from comptoir.contributions import Progress, Step, Steps
from comptoir.errors import PluginError
from comptoir.i18n import Text, _
from comptoir.jobs.models import LEASED, QueuedWork
from comptoir.jobs.queue import Work, give_back

T = TypeVar("T")
End = Literal["done", "cancelled", "handed over"]
Turn = Callable[[Callable[[Context], T]], T]


class LeaseEnded(Exception):
    """Somebody else may do the work by now: nothing of it may be kept here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that is planned: what to ask, under which key."""

    step: Step
    request: Any
    key: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The work has left the queue, or this worker."""

    how: End
    why: Text | None = None


class Course:
    """One piece of work on its way through its steps, in the hands of one worker."""

    def __init__(
        self,
        work: Work,
        steps: Steps,
        lease: timedelta,
        *,
        transaction: Callable[[Callable[[Context], Any]], Any],
        conclude: Callable[[Context, Ended], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._work = work
        self._steps = steps.steps
        self._lease = lease
        self._transaction = transaction
        self._conclude = conclude
        self._stopping = stopping

    def run(self) -> Ended:
        """Take turn after turn until the work has ended; what a step raises passes through."""
        while True:
            turn: Asked | Ended | None = self._transaction(self._plan)
            if isinstance(turn, Asked):
                assert turn.step.call is not None
                answer = turn.step.call(turn.request, turn.key)
                turn = self._transaction(partial(self._take_in, step=turn.step, answer=answer))
            if isinstance(turn, Ended):
                return turn
            if self._stopping():
                ended: Ended = self._transaction(self._hand_over)
                return ended

    def _plan(self, ctx: Context) -> Asked | Ended | None:
        row = self._hold(ctx)
        if row.cancelled_by is not None:
            return self._end(ctx, Ended("cancelled", cancelled(row)))
        if row.step >= len(self._steps):  # a newer version of the plugin has fewer of them
            return self._end(ctx, Ended("done"))
        step = self._steps[row.step]
        if row.intent is not None:
            if step.call is None:
                name = self._work.name
                raise PluginError(
                    self._work.module,
                    _("{name} was asking outside when its steps changed. Cancel it and start it anew.", name=name),
                )
            self._save(ctx, step.limit)
            return Asked(step, row.intent["request"], row.intent["key"])
        progress = _progress(row)
        planned = step.plan(ctx, progress)
        if step.call is None:
            return self._go_on(ctx, row, progress, again=bool(planned))
        if planned is None:
            progress.done = max(progress.done, row.done)
            return self._go_on(ctx, row, progress, again=False, counts=False)
        intent = {"request": planned, "key": uuid4().hex}
        self._save(ctx, step.limit, intent=intent, total=progress.total, kept=progress.kept)
        return Asked(step, planned, intent["key"])

    def _take_in(self, ctx: Context, step: Step, answer: Any) -> Ended | None:
        row = self._hold(ctx)
        progress = _progress(row)
        again = step.conclude(ctx, progress, answer) if step.conclude is not None else False
        return self._go_on(ctx, row, progress, again=bool(again))

    def _go_on(
        self, ctx: Context, row: QueuedWork, progress: Progress, *, again: bool, counts: bool = True
    ) -> Ended | None:
        """Keep where the work stands now; the end of the last step is the end of the work, in the same transaction."""
        if counts and progress.done == row.done:
            progress.done += 1
        step = row.step + (not again)
        self._save(
            ctx, intent=None, step=step, done=progress.done, total=progress.total, kept=progress.kept,
            attempts=1, crashes=0, failing_since=None, error=None,
        )  # fmt: skip
        return self._end(ctx, Ended("done")) if step >= len(self._steps) else None

    def _hand_over(self, ctx: Context) -> Ended:
        self._hold(ctx)
        give_back(unrestricted(ctx, "jobs"), self._work)
        ended = Ended("handed over", _("The worker was told to stop; another one goes on."))
        self._conclude(ctx, ended)
        return ended

    def _end(self, ctx: Context, ended: Ended) -> Ended:
        self._conclude(ctx, ended)
        _execute(unrestricted(ctx, "jobs"), delete(QueuedWork).where(QueuedWork.id == self._work.id))
        return ended

    def _hold(self, ctx: Context) -> QueuedWork:
        """The row, locked until the transaction ends; raises `LeaseEnded` where it is another's by now."""
        until = ctx.now() + self._lease
        held = update(QueuedWork).where(
            QueuedWork.id == self._work.id,
            QueuedWork.state == LEASED,
            QueuedWork.worker == self._work.worker,
            QueuedWork.fence == self._work.fence,
            QueuedWork.leased_until > ctx.now(),
        )
        if _execute(unrestricted(ctx, "jobs"), held.values(leased_until=until)) != 1:
            raise LeaseEnded
        wanted = select(QueuedWork).where(QueuedWork.id == self._work.id)
        row = unrestricted(ctx, "jobs").scalars(wanted.execution_options(populate_existing=True)).one()
        unrestricted(ctx, "jobs").expunge(row)  # what a step does must not write it
        return row

    def _save(self, ctx: Context, more: timedelta = timedelta(), **values: Any) -> None:
        kept = update(QueuedWork).where(QueuedWork.id == self._work.id)
        _execute(unrestricted(ctx, "jobs"), kept.values(leased_until=ctx.now() + self._lease + more, **values))


def cancelled(row: QueuedWork) -> Text:
    """Who ended the work and how far it had come; of an open call nobody knows whether it was heard."""
    if row.intent is not None:
        return _(
            "Cancelled by {who} after {done}. What it last asked of another system may have been done there.",
            who=row.cancelled_by,
            done=far(row.done, row.total),
        )
    return _("Cancelled by {who} after {done}.", who=row.cancelled_by, done=far(row.done, row.total))


def far(done: int, total: int | None) -> str:
    """How far work has come: ``40 / 100``, or ``40`` where nobody knows of how much."""
    return f"{done} / {total}" if total is not None else str(done)


def _progress(row: QueuedWork) -> Progress:
    return Progress(row.args, row.done, row.total, dict(row.kept or {}))


def _execute(session: Session, statement: Any) -> int:
    done = session.execute(statement, execution_options={"synchronize_session": False})
    count: int = done.rowcount  # type: ignore[attr-defined]
    return count
