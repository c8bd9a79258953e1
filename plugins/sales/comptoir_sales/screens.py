"""How leads, deals and pipelines are listed, shown and edited, and what sales shows on contacts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Action,
    Amount,
    Board,
    Context,
    Fact,
    Form,
    List,
    MenuItem,
    Panel,
    Record,
    Saved,
    Screens,
    Section,
    Tab,
    _,
)
from comptoir_sales import leads, services
from comptoir_sales.models import DEALS, Deal, Lead, LostReason, Pipeline, PipelineStage

SCREENS = (
    Screens(
        Deal,
        List(
            Deal.name,
            Deal.contact_id,
            Deal.stage,
            Deal.amount,
            Deal.expected_close_on,
            Deal.owner_id,
            sort=("-updated_at",),
            totals=(Deal.amount,),
            saved=(
                Saved("open", _("Open"), {"filter[outcome]": "open"}),
                Saved("mine", _("My open deals"), {"filter[outcome]": "open", "filter[owner]": "{me}"}),
                Saved("won", _("Won"), {"filter[outcome]": "won"}),
                Saved("lost", _("Lost"), {"filter[outcome]": "lost"}),
                Saved("idle", _("Idle"), {"filter[outcome]": "open", "filter[stage_since][lt]": "today-14"}),
                Saved("no_customer", _("Without a customer"), {"filter[contact][is_null]": "true"}),
            ),
            facets=(
                Deal.stage,
                Deal.outcome,
                Deal.pipeline_id,
                Deal.product_id,
                Deal.owner_id,
                Deal.team_id,
                Deal.expected_close_on,
                Deal.lost_reason_id,
            ),
            more=(
                Deal.reference,
                Deal.product_id,
                Deal.outcome,
                Deal.opened_on,
                Deal.closed_on,
                Deal.cycle_days,
                Deal.lost_reason_id,
                Deal.team_id,
                Deal.pipeline_id,
                Deal.currency,
                Deal.weighted,
                Deal.created_at,
                Deal.updated_at,
            ),
        ),
        Form(
            Section(
                _("Deal"),
                Deal.name,
                Deal.contact_id,
                Deal.product_id,
                Deal.amount,
                Deal.currency,
                Deal.owner_id,
            ),
            Section(
                _("Progress"),
                Deal.pipeline_id,
                Deal.stage,
                Deal.probability,
                Deal.expected_close_on,
                Deal.opened_on,
                Deal.closed_on,
                Deal.lost_reason_id,
            ),
            Section(_("Notes"), Deal.reference, Deal.notes),
        ),
        board=Board(
            (Deal.contact_id, Deal.expected_close_on), total=Deal.amount, group=Deal.pipeline_id, closed=Deal.closed_on
        ),
        facts=(Deal.amount, Deal.probability, Deal.expected_close_on, Deal.opened_on, Deal.closed_on, Deal.cycle_days),
    ),
    Screens(
        Lead,
        List(
            Lead.name,
            Lead.status,
            Lead.company,
            Lead.person,
            Lead.phone,
            Lead.source,
            Lead.owner_id,
            sort=("-created_at",),
            saved=(
                Saved("waiting", _("Waiting"), {"filter[status][in]": "new,working"}),
                Saved("mine", _("Mine"), {"filter[owner]": "{me}", "filter[status][in]": "new,working"}),
                Saved("converted", _("Converted"), {"filter[status]": "converted"}),
            ),
            facets=(Lead.status, Lead.source, Lead.product_id, Lead.owner_id),
            more=(Lead.email, Lead.amount, Lead.product_id, Lead.contact_id, Lead.deal_id, Lead.created_at),
        ),
        Form(
            Section(_("Lead"), Lead.name, Lead.source, Lead.product_id, Lead.amount, Lead.currency, Lead.owner_id),
            Section(_("Who asks"), Lead.company, Lead.person, Lead.phone, Lead.email, Lead.contact_id),
            Section(_("What they need"), Lead.need),
        ),
        board=Board((Lead.company, Lead.person), total=Lead.amount),
        facts=(Lead.amount, Lead.source, Lead.contact_id, Lead.deal_id),
    ),
    Screens(
        Pipeline,
        List(Pipeline.name, Pipeline.is_default, Pipeline.ask_lost_reason, sort=("name",)),
        Form(Section(_("Pipeline"), Pipeline.name, Pipeline.is_default, Pipeline.ask_lost_reason)),
    ),
    Screens(
        PipelineStage,
        List(
            PipelineStage.name,
            PipelineStage.pipeline_id,
            PipelineStage.sequence,
            PipelineStage.kind,
            PipelineStage.probability,
            PipelineStage.idle_days,
            sort=("pipeline", "sequence"),
            facets=(PipelineStage.pipeline_id, PipelineStage.kind),
            more=(PipelineStage.code,),
        ),
        Form(
            Section(
                _("Stage"),
                PipelineStage.name,
                PipelineStage.pipeline_id,
                PipelineStage.kind,
                PipelineStage.sequence,
                PipelineStage.probability,
                PipelineStage.idle_days,
                PipelineStage.code,
            )
        ),
    ),
    Screens(
        LostReason,
        List(LostReason.name, sort=("name",)),
        Form(Section(_("Lost reason"), LostReason.name)),
    ),
)

MENU = (
    MenuItem("sales.pipeline", _("Pipeline"), "/sales/deals/board", "sales.deal.read", icon="board", order=10),
    MenuItem("sales.deals", _("Deals"), "/sales/deals", "sales.deal.read", icon="list", order=20),
    MenuItem("sales.leads", _("Leads"), "/sales/leads", "sales.lead.read", icon="spark", order=30),
    MenuItem(
        "sales.stages",
        _("Stages"),
        "/sales/stages",
        "sales.stage.write",
        icon="columns",
        parent="sales.deals",
        order=40,
    ),
    MenuItem(
        "sales.pipelines",
        _("Pipelines"),
        "/sales/pipelines",
        "sales.pipeline.write",
        icon="board",
        parent="sales.deals",
        order=50,
    ),
    MenuItem(
        "sales.lost_reasons",
        _("Lost reasons"),
        "/sales/lost-reasons",
        "sales.lost_reason.write",
        icon="x",
        parent="sales.deals",
        order=60,
    ),
)


def _sums(ctx: Context, contact: Contact, outcome: str) -> services.Sums:
    """What a customer has open or was won in 12 months, asked once a page: two facts and a panel show it."""
    since = ctx.today() - dt.timedelta(days=365)
    return ctx.once(("sales.sums", contact.id), lambda: services.sums_of(ctx, contact, won_since=since))[outcome]


def _worth(ctx: Context, contact: Contact, outcome: str) -> Amount | None:
    """The value in the currency that most deals have; nothing where there are none."""
    found = _sums(ctx, contact, outcome)
    return Amount(found[0][2], found[0][0]) if found else None


FACTS = (
    Fact(
        "sales.open",
        Contact,
        _("Open deals"),
        lambda ctx, contact: _worth(ctx, contact, "open"),
        "sales.deal.read",
        order=10,
    ),
    Fact(
        "sales.won",
        Contact,
        _("Won in 12 months"),
        lambda ctx, contact: _worth(ctx, contact, "won"),
        "sales.deal.read",
        order=11,
    ),
)

TABS = (
    Tab(
        "sales.deals",
        Contact,
        _("Deals"),
        Deal,
        Deal.contact_id,
        (Deal.name, Deal.stage, Deal.expected_close_on, Deal.amount, Deal.owner_id),
        "sales.deal.read",
        total=Deal.amount,
        order=20,
    ),
)


def open_deals(ctx: Context, contact: Contact) -> Mapping[str, Any]:
    """A customer's open deals with their stages, and their sum."""
    deals = services.open_deals_of(ctx, contact)
    labels = {station.name: str(station.label) for station in DEALS.stages(ctx)}
    return {"deals": deals, "labels": labels, "sums": _sums(ctx, contact, "open")}


PANELS = (
    Panel(
        "sales.open_deals",
        Contact,
        _("Open deals"),
        "sales/open_deals.html",
        open_deals,
        "sales.deal.read",
        wide=True,
        order=20,
    ),
)

ACTIONS = (
    Action(
        "convert",
        Lead,
        _("Convert"),
        leads.convert_lead,
        "sales.lead.write",
        icon="ar",
        shown=lambda ctx, lead: lead.deal_id is None and lead.status in ("new", "working"),
        said=leads.what_became_of,
        undo="take_back",
        asks=(Deal.name, Deal.amount, Deal.expected_close_on),
        given=leads.deal_of_lead,
    ),
    Action(
        "take_back",
        Lead,
        _("Take the conversion back"),
        leads.take_conversion_back,
        "sales.lead.write",
        icon="undo",
        shown=leads.may_take_conversion_back,
        said=lambda ctx, lead, found: _("{lead} waits again. Its deal is in the bin.", lead=lead.name),
    ),
)

ALL = (*SCREENS, *MENU, *FACTS, *TABS, *PANELS, *ACTIONS)


def explain_amount(form: Any, record: Record) -> None:
    """Say on the form of a new deal what becomes of an empty value."""
    if isinstance(record, Deal) and record.id is None and "amount" in form.inputs:
        form.inputs["amount"].help = _("Left empty, it is the list price of the product.")
