"""The sales module: leads, deals, pipelines and their reports."""

from __future__ import annotations

from datetime import time
from typing import Any

from comptoir.base.models import Interaction
from comptoir.toolkit import Base, Context, Contribution, Daily, Job, Manifest, Record, Rules, _, hookimpl
from comptoir_sales import jobs, leads, models, reports, rights, screens, services, tiles
from comptoir_sales.models import Deal, Lead, Pipeline, PipelineStage

manifest = Manifest(_("Sales"), _("Leads, deals, pipelines and their reports."), category="sales", icon="board")

RULES = (
    Rules(
        PipelineStage,
        prepare=services.prepare_stages,
        check=services.stage_violations,
        saved=services.follow_stages,
        check_deletion=services.stages_in_use,
    ),
    Rules(Pipeline, saved=services.follow_pipelines),
    Rules(Lead, prepare=leads.prepare_leads),
    Rules(Deal, prepare=services.prepare_deals, check=services.deal_violations),
)

WORK = (Job("sales.find_idle_deals", jobs.find_idle_deals, Daily(time(7)), _("Find idle deals")),)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    return [*models.ALL, *rights.ALL, *screens.ALL, *reports.REPORTS, *tiles.TILES, *RULES, *WORK]


@hookimpl
def seed_module(ctx: Context) -> None:
    services.create_default_pipeline(ctx)


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir_sales import demo  # needed once, and large

    demo.create_sales(ctx)


@hookimpl
def on_module_resumed(ctx: Context, name: str) -> None:
    if name == "sales":  # deals rested while it was paused, and nobody was told
        jobs.find_idle_deals(ctx)


@hookimpl
def choose_owner(ctx: Context, record: Record) -> int | None:
    return services.owner_of_customer(ctx, record)


@hookimpl
def adapt_form(form: Any, record: Record) -> None:
    screens.explain_amount(form, record)


@hookimpl
def on_interaction(ctx: Context, interaction: Interaction) -> None:
    leads.start_leads(ctx, interaction)
