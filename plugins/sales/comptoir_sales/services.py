"""The rules of pipelines and deals."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Change,
    Context,
    Record,
    RuleViolation,
    Stage,
    _,
    changes_of,
    fold,
    save,
)
from comptoir_catalog.models import Product
from comptoir_sales.models import DEALS, Deal, Lead, LostReason, Pipeline, PipelineStage

CLOSING_SEQUENCE = 900
"""Closing stages stand from here on, so that open stages find room before them."""
STEP = 10
CERTAIN, HOPELESS = Decimal(100), Decimal(0)


# -- pipelines and stages ---------------------------------------------------------------------------------------------


def create_default_pipeline(ctx: Context) -> None:
    """The pipeline and the lost reasons that a new deployment begins with."""
    if ctx.session.scalar(select(func.count()).select_from(Pipeline)):
        return
    pipeline = Pipeline(name=str(_("Sales")), is_default=True)
    save(ctx, [pipeline])
    stages = (
        (_("Prospecting"), "open", 10, 21),
        (_("Engaging"), "open", 40, 21),
        (_("Offer sent"), "open", 60, 14),
        (_("Negotiation"), "open", 80, 14),
        (_("Won"), "won", 100, None),
        (_("Lost"), "lost", 0, None),
    )
    save(
        ctx,
        [
            PipelineStage(
                name=str(name),
                code=slug(name.message),
                pipeline_id=pipeline.id,
                kind=kind,
                probability=Decimal(chance),
                idle_days=idle,
            )
            for name, kind, chance, idle in stages
        ],
    )
    reasons = (
        _("No answer"), _("No budget"), _("Price"), _("Chose a competitor"), _("Not a fit"), _("Delivery term"),
        _("Postponed"),
    )  # fmt: skip
    save(ctx, [LostReason(name=str(reason)) for reason in reasons])


def slug(name: str) -> str:
    """A code made from a name: ``Offer sent`` gives ``offer_sent``."""
    return re.sub(r"[^\w]+", "_", fold(name)).strip("_")[:60]


def prepare_stages(ctx: Context, changes: Sequence[Change]) -> None:
    """A stage without a pipeline joins the default one; open stages line up before the closing ones."""
    last: dict[tuple[int | None, bool], int] = {}
    for stage, change in changes_of(changes, PipelineStage):
        if stage.pipeline_id is None:
            stage.pipeline_id = DEALS.default_pipeline(ctx)
        if not stage.code and isinstance(stage.name, str):
            stage.code = slug(stage.name) or None
        if stage.probability is None and stage.kind != "open":
            stage.probability = CERTAIN if stage.kind == "won" else HOPELESS
        if stage.sequence is None and change.is_new:
            key = (stage.pipeline_id, stage.kind == "open")
            if key not in last:
                last[key] = _last_sequence(ctx, *key)
            stage.sequence = last[key] = last[key] + STEP


def _last_sequence(ctx: Context, pipeline_id: int | None, is_open: bool) -> int:
    kinds = PipelineStage.kind == "open" if is_open else PipelineStage.kind != "open"
    query = select(func.max(PipelineStage.sequence)).where(PipelineStage.pipeline_id == pipeline_id, kinds)
    found: int | None = ctx.bookkeeping("stages of pipelines").scalar(query)
    return found if found is not None else (0 if is_open else CLOSING_SEQUENCE)


def stage_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Codes are unique within a pipeline; a stage where deals stand keeps its code, its pipeline and its place in use."""
    seen: set[tuple[int | None, str | None]] = set()
    for stage, change in changes_of(changes, PipelineStage):
        if change.touches("pipeline_id", "code"):
            query = select(PipelineStage.id).where(
                PipelineStage.pipeline_id == stage.pipeline_id, PipelineStage.code == stage.code
            )
            taken = ctx.bookkeeping("stages of pipelines").scalars(query).first()
            if (taken is not None and taken != stage.id) or (stage.pipeline_id, stage.code) in seen:
                yield RuleViolation(
                    "sales.stage_exists", _("The pipeline has a stage of this name. Choose another."), field="name"
                )
            seen.add((stage.pipeline_id, stage.code))
        if stage.pipeline_id is None:
            yield RuleViolation("sales.no_pipeline", _("Create a pipeline first."), field="pipeline_id")
        if change.is_new or not change.touches("code", "pipeline_id", "kind", "archived_at"):
            continue
        held = {name: change.fields[name].before for name in ("code", "pipeline_id") if change.touches(name)}
        if deals_at(ctx, held.get("pipeline_id", stage.pipeline_id), held.get("code", stage.code)):
            yield RuleViolation(
                "sales.stage_in_use",
                _("Deals stand at this stage. Move them first, or change only its name, order and chance."),
                field=next(n for n in ("code", "pipeline_id", "kind", "archived_at") if change.touches(n)),
            )


def deals_at(ctx: Context, pipeline_id: int | None, code: str | None) -> int:
    """How many deals stand at a stage, whoever they belong to."""
    query = select(func.count()).where(Deal.pipeline_id == pipeline_id, Deal.stage == code)
    return ctx.bookkeeping("stages of pipelines").scalar(query) or 0


def stages_in_use(ctx: Context, stages: Sequence[PipelineStage]) -> Iterator[RuleViolation]:
    """A stage where deals stand cannot go."""
    for stage in stages:
        if deals_at(ctx, stage.pipeline_id, stage.code):
            yield RuleViolation("sales.stage_in_use", _("Deals stand at “{stage}”. Move them first.", stage=stage.name))


def follow_stages(ctx: Context, changes: Sequence[Change]) -> None:
    """Later questions for stages read the new rows."""
    DEALS.forget(ctx)


def follow_pipelines(ctx: Context, changes: Sequence[Change]) -> None:
    """One pipeline is the default; later questions for stages read the new rows."""
    DEALS.forget(ctx)
    for pipeline, change in changes_of(changes, Pipeline):
        if pipeline.is_default and change.touches("is_default"):
            others = select(Pipeline).where(Pipeline.id != pipeline.id, Pipeline.is_default.is_(True))
            for other in ctx.session.scalars(others).all():
                other.is_default = False
                save(ctx, [other])


# -- deals ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Names:
    """What the records that deals without a name or value point at are called and cost."""

    contacts: Mapping[int, str]
    products: Mapping[int, Any]

    @classmethod
    def of(cls, ctx: Context, deals: Sequence[Deal]) -> _Names:
        unnamed = [deal for deal in deals if not deal.name]
        unvalued = [deal for deal in deals if not deal.name or deal.amount is None or not deal.currency]
        contact_ids = {deal.contact_id for deal in unnamed if isinstance(deal.contact_id, int)}
        product_ids = {deal.product_id for deal in unvalued if isinstance(deal.product_id, int)}
        contacts: dict[int, str] = {}
        products: dict[int, Any] = {}
        if contact_ids:
            query = select(Contact.id, Contact.name).where(Contact.id.in_(contact_ids))
            contacts = dict(ctx.session.execute(query).all())
        if product_ids:
            priced = select(Product.id, Product.name, Product.price, Product.currency).where(
                Product.id.in_(product_ids)
            )
            products = {row.id: row for row in ctx.session.execute(priced)}
        return cls(contacts, products)


def prepare_deals(ctx: Context, changes: Sequence[Change]) -> None:
    """Pipeline, stage, name, currency, days and what follows from the stage.

    A deal that is created at a closed stage is taken to have passed every open one.  An open deal without a value is
    valued at its product's list price.
    """
    deals = list(changes_of(changes, Deal))
    if not deals:
        return
    names = _Names.of(
        ctx, [deal for deal, change in deals if change.is_new or change.touches("name", "amount", "product_id")]
    )
    for deal, change in deals:
        if deal.pipeline_id is None:
            deal.pipeline_id = _before(change, "pipeline_id") or DEALS.default_pipeline(ctx)
        stations = DEALS.stages(ctx, deal)
        station = _station(ctx, deal, stations)
        if station is not None:
            deal.stage = station.name
            if change.is_new or (change.touches("stage") and _before(change, "stage") != station.name):
                _enter(ctx, deal, change, station, stations)
            elif station.closes and deal.closed_on is None:
                deal.closed_on = _before(change, "closed_on") or ctx.today()
        if change.is_new or change.touches("opened_on"):
            _open(ctx, deal, change)
        _fill_in(ctx, deal, names)
        if _are_days(deal.opened_on, deal.closed_on) and deal.outcome != "open":
            deal.cycle_days = (deal.closed_on - deal.opened_on).days  # type: ignore[operator]
        else:
            deal.cycle_days = None


def _before(change: Change, name: str) -> Any:
    return change.fields[name].before if name in change.fields else None


def _are_days(*values: object) -> bool:
    return all(isinstance(value, dt.date) for value in values)


def _station(ctx: Context, deal: Deal, stations: Sequence[Stage]) -> Stage | None:
    """The stage that the deal names by code or label; the first one where it names none."""
    wanted: object = deal.stage
    if wanted is None or wanted == "":
        return next(iter(stations), None)
    return DEALS.stage(ctx, wanted, deal) if isinstance(wanted, str) else None


def _enter(ctx: Context, deal: Deal, change: Change, station: Stage, stations: Sequence[Stage]) -> None:
    """What entering a stage means for the deal."""
    was_closed = not change.is_new and deal.outcome != "open"
    deal.outcome = "open" if not station.closes else "won" if station.won else "lost"
    if deal.stage_since is None or not change.is_new:
        deal.stage_since = ctx.now()
    if not change.touches("probability") or deal.probability is None or station.closes:
        deal.probability = station.probability
        if station.closes and deal.probability is None:
            deal.probability = CERTAIN if station.won else HOPELESS
    if station.closes:
        if deal.closed_on is None:
            deal.closed_on = ctx.today()
    elif was_closed:
        deal.closed_on = None
    if deal.outcome != "lost":
        deal.lost_reason_id = None
    _remember_furthest(deal, station, [s.name for s in stations if not s.closes])


def _remember_furthest(deal: Deal, station: Stage, open_codes: Sequence[str]) -> None:
    if not open_codes:
        return
    if station.closes:
        if station.won or deal.furthest_stage not in open_codes:
            deal.furthest_stage = open_codes[-1]
        return
    reached = open_codes.index(deal.furthest_stage) if deal.furthest_stage in open_codes else -1
    deal.furthest_stage = open_codes[max(reached, open_codes.index(station.name))]


def _open(ctx: Context, deal: Deal, change: Change) -> None:
    """A deal always has the day on which it was opened; it is not later than that of its closing."""
    if deal.opened_on is None:
        today = ctx.today()
        closed_on = deal.closed_on if _are_days(deal.closed_on) else None
        deal.opened_on = _before(change, "opened_on") or min(today, closed_on or today)


def _fill_in(ctx: Context, deal: Deal, names: _Names) -> None:
    product = names.products.get(deal.product_id or 0)
    is_unvalued = deal.amount is None and deal.outcome == "open"
    if is_unvalued and product is not None and deal.currency in (None, "", product.currency):
        deal.amount = product.price
    if not deal.currency:
        deal.currency = (product.currency if product is not None else None) or ctx.settings.currency
    if not deal.name:
        parts = (names.contacts.get(deal.contact_id or 0), product.name if product is not None else None)
        deal.name = ", ".join(part for part in parts if part)[:255] or deal.reference or str(_("Deal"))


def deal_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Stages are those of the pipeline; a deal closes after it opened, and only at a closing stage."""
    for deal, change in changes_of(changes, Deal):
        stations = DEALS.stages(ctx, deal)
        placed = change.is_new or change.touches("stage", "pipeline_id")
        if not stations:
            yield RuleViolation("sales.no_stages", _("Create a pipeline with stages first."), field="pipeline_id")
            continue
        if placed and deal.stage not in {s.name for s in stations}:
            yield RuleViolation(
                "sales.unknown_stage",
                _(
                    "There is no stage “{stage}” in this pipeline. Choose one of: {known}.",
                    stage=str(deal.stage)[:60],
                    known=", ".join(str(s.label) for s in stations),
                ),
                field="stage",
            )
            continue
        if deal.outcome == "open" and deal.closed_on is not None and change.touches("closed_on", "stage"):
            yield RuleViolation(
                "sales.still_open",
                _("An open deal has no closing day. Move it to a closing stage, or give the expected close instead."),
                field="closed_on",
            )
        elif deal.cycle_days is not None and deal.cycle_days < 0:
            yield RuleViolation(
                "sales.closed_before_opened",
                _("It closes before it was opened. Correct one of the days."),
                field="closed_on",
            )


def owner_of_customer(ctx: Context, record: Record) -> int | None:
    """A lead or deal that nobody in person creates (a job, a form, a mail) goes to who looks after its customer."""
    if not ctx.actor.is_system or not isinstance(record, Lead | Deal) or record.contact_id is None:
        return None
    return ctx.session.scalar(select(Contact.owner_id).where(Contact.id == record.contact_id))


def open_deals_of(ctx: Context, contact: Contact, *, limit: int = 10) -> Sequence[Deal]:
    """A customer's open deals, the most advanced first."""
    query = (
        select(Deal)
        .where(Deal.contact_id == contact.id, Deal.outcome == "open", Deal.archived_at.is_(None))
        .order_by(Deal.probability.desc(), Deal.id)
        .limit(limit)
    )
    return ctx.session.scalars(query).all()


Sums = Sequence[tuple[str, int, Decimal]]
"""Per currency the number and value of deals, the largest first."""


def sums_of(ctx: Context, contact: Contact, *, won_since: dt.date) -> Mapping[str, Sums]:
    """What a customer has ``open``, and what was ``won`` since a day; one statement."""
    total = func.sum(Deal.amount)
    counts = or_(Deal.outcome == "open", (Deal.outcome == "won") & (Deal.closed_on >= won_since))
    query = (
        select(Deal.outcome, Deal.currency, func.count(), total)
        .where(Deal.contact_id == contact.id, Deal.archived_at.is_(None), counts)
        .group_by(Deal.outcome, Deal.currency)
        .order_by(total.desc())
    )
    found: dict[str, list[tuple[str, int, Decimal]]] = {"open": [], "won": []}
    for outcome, currency, count, value in ctx.session.execute(query):
        found[outcome].append((currency or ctx.settings.currency, count, value or Decimal(0)))
    return found
