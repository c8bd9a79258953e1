"""Pipelines with their stages, leads and deals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped

from comptoir.base.models import SOURCES
from comptoir.toolkit import (
    Choice,
    Context,
    Public,
    Record,
    RecordType,
    Stage,
    Summary,
    Transition,
    Workflow,
    _,
    boolean,
    choice,
    computed,
    currency,
    date,
    email,
    fold,
    integer,
    kinds,
    long_text,
    moment,
    money,
    percent,
    phone,
    reference,
    stage,
    text,
)

REOPEN = "sales.deal.reopen"
"""The permission to take a deal out of a closed stage."""

STAGE_KINDS = (Choice("open", _("Open"), "run"), Choice("won", _("Won"), "ok"), Choice("lost", _("Lost"), "bad"))


class Pipeline(Record):
    """A sequence of stages that deals go through."""

    __tablename__ = "sales_pipeline"
    __record__ = RecordType(
        _("Pipeline"), _("Pipelines"), path="pipelines", icon="board", visible=Public(), timeline=False
    )

    name: Mapped[str] = text(_("Name"), required=True, title=True, search=True, unique=True)
    is_default: Mapped[bool] = boolean(_("Default"))
    ask_lost_reason: Mapped[bool] = boolean(
        _("Ask why a deal is lost"), default=True, help=_("Imports and jobs are never asked.")
    )


class PipelineStage(Record):
    """A station of a pipeline; deals hold its ``code``, so that renaming it moves nothing."""

    __tablename__ = "sales_stage"
    __table_args__ = (UniqueConstraint("pipeline_id", "code"),)
    __record__ = RecordType(_("Stage"), _("Stages"), path="stages", icon="board", visible=Public(), timeline=False)

    name: Mapped[str] = text(_("Name"), length=60, required=True, title=True, search=True)
    code: Mapped[str | None] = text(_("Code"), length=60, help=_("Made from the name when left empty."))
    pipeline_id: Mapped[int | None] = reference(_("Pipeline"), "sales_pipeline", ondelete="CASCADE")
    sequence: Mapped[int | None] = integer(_("Order"), minimum=0, maximum=1_000_000)
    kind: Mapped[str] = choice(_("Kind"), STAGE_KINDS, default="open", required=True)
    probability: Mapped[Decimal | None] = percent(_("Chance of winning"))
    idle_days: Mapped[int | None] = integer(_("Days before a deal counts as idle"), minimum=1, maximum=3650)


class LostReason(Record):
    """Why a deal did not come about."""

    __tablename__ = "sales_lost_reason"
    __record__ = RecordType(
        _("Lost reason"), _("Lost reasons"), path="lost-reasons", icon="x", visible=Public(), timeline=False
    )

    name: Mapped[str] = text(_("Name"), length=80, required=True, title=True, search=True, unique=True)


class LeadWorkflow(Workflow):
    """A lead's statuses; converting is an action, because it makes a contact and a deal."""

    field = "status"


NEW = Stage("new", _("New"))
WORKING = Stage("working", _("In progress"))
CONVERTED = Stage("converted", _("Converted"), closes=True, won=True)
DROPPED = Stage("dropped", _("Dropped"), closes=True, won=False)

LEADS = LeadWorkflow(
    NEW,
    WORKING,
    CONVERTED,
    DROPPED,
    transitions=(
        Transition("start", _("Start"), "working", ("new",)),
        Transition("drop", _("Drop"), "dropped", ("new", "working")),
        Transition("reopen", _("Take up again"), "working", ("dropped",)),
    ),
)


@dataclass(frozen=True, slots=True)
class _Stations:
    """A pipeline's stages in order, and whether it asks people for the reason of a loss."""

    ask_lost_reason: bool
    stages: tuple[Stage, ...] = ()


def _moves(stations: Sequence[Stage], asks: tuple[str, ...], elsewhere: Sequence[str]) -> Iterator[Transition]:
    """Every move within a pipeline, and into it; the first won and lost stage give their moves the plain names."""
    own_codes = tuple(s.name for s in stations if not s.closes)
    open_codes = (*own_codes, *(code for code in elsewhere if code not in own_codes))
    closed_codes = tuple(s.name for s in stations if s.closes)
    plain = {"won": True, "lost": False}
    for station in stations:
        if not station.closes:
            first = station.name == own_codes[0]
            yield Transition(station.name, station.label, station.name, open_codes)
            name = "reopen" if first else f"reopen_{station.name}"
            label = _("Reopen") if first else _("Reopen at {stage}", stage=station.label)
            yield Transition(name, label, station.name, closed_codes, REOPEN)
            continue
        name = next((n for n, won in plain.items() if won is station.won), station.name)
        plain.pop(name, None)
        asked = () if station.won else asks
        offered = () if station.won or asks else ("lost_reason_id",)
        yield Transition(name, station.label, station.name, open_codes, asks=asked, offers=offered)
        yield Transition(name, station.label, station.name, closed_codes, REOPEN, asked, offered)


class DealWorkflow(Workflow):
    """The stages of each pipeline, read from its rows once per unit of work."""

    def stages(self, ctx: Context, record: Record | None = None) -> Sequence[Stage]:
        """The stages of the deal's pipeline; without a deal those of all pipelines, the default one's first."""
        pipelines = self._pipelines(ctx)
        if isinstance(record, Deal) and record.pipeline_id in pipelines:
            return pipelines[record.pipeline_id].stages
        merged: dict[str, Stage] = {}
        for pipeline in pipelines.values():
            for station in pipeline.stages:
                merged.setdefault(station.name, station)
        return tuple(merged.values())

    def transitions(self, ctx: Context, record: Record | None = None) -> Sequence[Transition]:
        """Any open stage from any other; ``won``, ``lost``; back from a closed stage with ``sales.deal.reopen``."""
        stations = self.stages(ctx, record)
        asks: tuple[str, ...] = ()
        if isinstance(record, Deal) and not ctx.actor.is_system and self.asks_lost_reason(ctx, record.pipeline_id):
            asks = ("lost_reason_id",)
        elsewhere = [s.name for s in self.stages(ctx) if not s.closes]
        return tuple(_moves(stations, asks, elsewhere))

    def stage(self, ctx: Context, name: str, record: Record | None = None) -> Stage | None:
        """The stage with this code, else the one whose label reads the same whatever its case and accents."""
        stations = self.stages(ctx, record)
        wanted = fold(name)
        return next(
            (s for s in stations if s.name == name), next((s for s in stations if fold(str(s.label)) == wanted), None)
        )

    def default_pipeline(self, ctx: Context) -> int | None:
        """The id of the pipeline that new deals enter."""
        return next(iter(self._pipelines(ctx)), None)

    def asks_lost_reason(self, ctx: Context, pipeline_id: int | None) -> bool:
        """Whether people are asked for the reason of a loss in this pipeline."""
        held = self._pipelines(ctx).get(pipeline_id or 0)
        return held is not None and held.ask_lost_reason

    def forget(self, ctx: Context) -> None:
        """Read the rows again at the next question; called when a pipeline or stage was saved."""
        ctx.forget("sales.pipelines")

    def _pipelines(self, ctx: Context) -> dict[int, _Stations]:
        """By pipeline id, the default one first."""
        return ctx.once("sales.pipelines", lambda: _read_pipelines(ctx))


def _read_pipelines(ctx: Context) -> dict[int, _Stations]:
    """Stages are names, so they are read for whoever sees a deal."""
    of_pipeline = (PipelineStage.pipeline_id == Pipeline.id) & PipelineStage.archived_at.is_(None)
    rows = ctx.bookkeeping("stages of pipelines").execute(
        select(
            Pipeline.id,
            Pipeline.ask_lost_reason,
            PipelineStage.code,
            PipelineStage.name,
            PipelineStage.kind,
            PipelineStage.probability,
            PipelineStage.idle_days,
        )
        .outerjoin(PipelineStage, of_pipeline)
        .where(Pipeline.archived_at.is_(None))
        .order_by(Pipeline.is_default.desc(), Pipeline.id, PipelineStage.sequence, PipelineStage.id)
    )
    held: dict[int, _Stations] = {}
    for pipeline_id, asks, code, name, kind, probability, idle_days in rows:
        stations = held.setdefault(pipeline_id, _Stations(asks))
        if name is not None:
            won = {"won": True, "lost": False}.get(kind)
            station = Stage(code or name, name, kind != "open", won, probability, idle_days)
            held[pipeline_id] = replace(stations, stages=(*stations.stages, station))
    return held


DEALS = DealWorkflow()

CLOSED = ("outcome", ("won", "lost"))
SUMMARIES = (
    *(
        summary
        for closed in ("closed_on:month", "closed_on:week")
        for summary in (
            Summary(("product_id", closed, "outcome", "currency"), ("amount", "cycle_days"), CLOSED),
            Summary(("owner_id", closed, "outcome", "currency"), ("amount", "cycle_days"), CLOSED),
            Summary(("cycle_days", closed, "outcome"), among=CLOSED),
            Summary(("pipeline_id", "furthest_stage", "outcome", "lost_reason_id", closed), among=CLOSED),
        )
    ),
    Summary(("pipeline_id", "stage", "outcome", "currency", "probability"), ("amount",), ("outcome", ("open",))),
)
"""What the dashboard asks, by month and by week: people, products, the median of days and the funnel; and what is open."""


class Lead(Record):
    """Somebody who may want something; converting makes a contact and a deal of it."""

    __tablename__ = "sales_lead"
    __record__ = RecordType(_("Lead"), _("Leads"), path="leads", icon="spark", workflow=LEADS)

    name: Mapped[str] = text(_("Subject"), required=True, title=True, search=True)
    status: Mapped[str] = stage(_("Status"), default="new")
    company: Mapped[str | None] = text(_("Company"), search=True, role="subtitle")
    person: Mapped[str | None] = text(_("Person"), search=True, personal=True)
    phone: Mapped[str | None] = phone(_("Phone"), index=True, search=True, role="dial")
    email: Mapped[str | None] = email(_("E-mail"), search=True, role=("mail", "subtitle"))
    source: Mapped[str | None] = choice(_("Source"), SOURCES)
    product_id: Mapped[int | None] = reference(_("Product"), "catalog_product", ondelete="SET NULL")
    amount: Mapped[Decimal | None] = money(_("Expected value"), minimum=0)
    currency: Mapped[str | None] = currency(_("Currency"))
    need: Mapped[str | None] = long_text(_("What they need"))
    contact_id: Mapped[int | None] = reference(_("Contact"), "base_contact", ondelete="SET NULL", role="about")
    deal_id: Mapped[int | None] = reference(_("Deal"), "sales_deal", ondelete="SET NULL")


def weigh(amount: Decimal | None, probability: Decimal | None) -> Decimal | None:
    """What a deal is worth by its chance of winning; nothing where either is unknown."""
    if amount is None or probability is None:
        return None
    return (amount * probability / 100).quantize(Decimal("0.01"))


class Deal(Record):
    """A possible sale on its way through a pipeline."""

    __tablename__ = "sales_deal"
    __table_args__ = (
        Index("ix_sales_deal_lane_updated", "pipeline_id", "stage", "updated_at"),
        Index("ix_sales_deal_lane_closed", "pipeline_id", "stage", "closed_on"),
        Index("ix_sales_deal_outcome_closed", "outcome", "closed_on"),
        Index("ix_sales_deal_archived_updated", "archived_at", "updated_at"),
    )
    __record__ = RecordType(_("Deal"), _("Deals"), path="deals", icon="board", workflow=DEALS, summaries=SUMMARIES)

    name: Mapped[str | None] = text(
        _("Name"), title=True, search=True, help=_("Made from customer and product when left empty.")
    )
    contact_id: Mapped[int | None] = reference(
        _("Customer"), "base_contact", ondelete="RESTRICT", expected=True, role="about"
    )
    product_id: Mapped[int | None] = reference(_("Product"), "catalog_product", ondelete="SET NULL")
    pipeline_id: Mapped[int | None] = reference(_("Pipeline"), "sales_pipeline", ondelete="RESTRICT", index=False)
    stage: Mapped[str] = stage(_("Stage"))
    amount: Mapped[Decimal | None] = money(_("Value"), minimum=0)
    currency: Mapped[str | None] = currency(_("Currency"))
    probability: Mapped[Decimal | None] = percent(_("Chance of winning"))
    weighted = computed(_("Weighted value"), kinds.Money(), weigh, "amount", "probability", currency="currency")
    expected_close_on: Mapped[dt.date | None] = date(_("Expected close"), index=True)
    opened_on: Mapped[dt.date | None] = date(_("Opened"), index=True)
    closed_on: Mapped[dt.date | None] = date(_("Closed"), index=True)
    lost_reason_id: Mapped[int | None] = reference(_("Lost reason"), "sales_lost_reason", ondelete="SET NULL")
    reference: Mapped[str | None] = text(_("Your number"), length=80, index=True, search=True)
    notes: Mapped[str | None] = long_text(_("Notes"))
    outcome: Mapped[str] = choice(_("Outcome"), STAGE_KINDS, default="open", server=True)
    furthest_stage: Mapped[str | None] = text(_("Furthest stage"), length=60, server=True)
    """The last open stage that the deal reached, by code; a deal that is won has reached all of them."""
    stage_since: Mapped[dt.datetime | None] = moment(_("In this stage since"), server=True)
    cycle_days: Mapped[int | None] = integer(_("Days to close"), server=True)


ALL = (Pipeline, PipelineStage, LostReason, Lead, Deal)
