"""Reports that people keep under a name, for themselves or for everyone who may see their records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, ForeignKey, String, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.context import unrestricted
from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import Json, UtcDateTime
from comptoir.errors import NotFound, RuleViolation
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.context import Context

MAX_NAME = 80
MAX_PAIRS = 60
MAX_KEPT = 200
"""How many reports one person keeps."""


class SavedReport(Base):
    """A report with everything chosen: ``report`` is what it was made of, ``query`` the parameters of its address."""

    __tablename__ = "core_report"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    owner_id: Mapped[int] = mapped_column(Id, ForeignKey("core_user.id", ondelete="CASCADE"), index=True)
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    report: Mapped[str] = mapped_column(String(120))
    query: Mapped[list[list[str]]] = mapped_column(Json())
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of its address."""
        return [(name, value) for name, value in self.query]


def saved_reports(ctx: Context) -> Sequence[SavedReport]:
    """The actor's own reports and those that others share, by name; whether their records may be read is for the caller."""
    return (
        unrestricted(ctx, "saved reports")
        .scalars(
            select(SavedReport)
            .where(or_(SavedReport.owner_id == ctx.actor.id, SavedReport.shared))
            .order_by(SavedReport.name, SavedReport.id)
        )
        .all()
    )


def saved_report(ctx: Context, report_id: int) -> SavedReport:
    """One of `saved_reports`; `NotFound` where it belongs to somebody who does not share it."""
    found = unrestricted(ctx, "saved reports").get(SavedReport, report_id)
    if found is None or not (found.shared or found.owner_id == ctx.actor.id):
        raise NotFound(_("There is no saved report {id} here.", id=report_id))
    return found


def save_report(
    ctx: Context, name: str, report: str, pairs: Sequence[tuple[str, str]], *, shared: bool = False
) -> SavedReport:
    """Keep a report under a name; one of the actor's own of that name is replaced."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise RuleViolation(
            "core.required", _("Give the report a name of at most {limit} characters.", limit=MAX_NAME), field="name"
        )
    if ctx.actor.id is None:
        raise RuleViolation("core.required", _("Only a person keeps reports."), field="name")
    if len(pairs) > MAX_PAIRS:
        raise RuleViolation("core.too_many_filters", _("A saved report has fewer filters."), field="name")
    session = unrestricted(ctx, "saved reports")
    own = session.scalars(select(SavedReport).where(SavedReport.owner_id == ctx.actor.id)).all()
    kept = next((other for other in own if other.name == name), None)
    if kept is None:
        if len(own) >= MAX_KEPT:
            raise RuleViolation(
                "core.too_many", _("You keep {limit} reports already. Delete some first.", limit=MAX_KEPT), field="name"
            )
        kept = SavedReport(name=name, owner_id=ctx.actor.id, created_at=ctx.now())
        session.add(kept)
    kept.shared, kept.report, kept.query = shared, report, [list(pair) for pair in pairs]
    session.flush()
    return kept


def delete_report(ctx: Context, report_id: int) -> None:
    """Throw one's own saved report away; an administrator also a shared one of somebody else."""
    found = saved_report(ctx, report_id)
    if found.owner_id != ctx.actor.id and not ctx.actor.grants.administrator:
        raise RuleViolation("core.not_yours", _("This report belongs to somebody else. Save your own from it."))
    unrestricted(ctx, "saved reports").delete(found)
    unrestricted(ctx, "saved reports").flush()
