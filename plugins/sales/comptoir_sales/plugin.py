"""The sales module: leads, deals, pipelines and their reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from comptoir.base.models import Interaction
from comptoir.toolkit import (
    Action,
    Base,
    Change,
    Context,
    Daily,
    Fact,
    Job,
    Manifest,
    MenuItem,
    Panel,
    Permission,
    Record,
    Report,
    RoleTemplate,
    Screens,
    Tab,
    Tile,
    _,
    hookimpl,
)
from comptoir_sales import jobs, models, screens, services, tiles

manifest = Manifest(_("Sales"), _("Leads, deals, pipelines and their reports."), category="sales", icon="board")

NAMES = {
    "base.contact.read": "all",
    "base.user.read": "all",
    "base.team.read": "all",
    "catalog.product.read": "all",
    "catalog.price_list.read": "all",
    "sales.pipeline.read": "all",
    "sales.stage.read": "all",
    "sales.lost_reason.read": "all",
}
"""What everyone in sales needs to read to understand a deal."""


@hookimpl
def contribute_models() -> list[type[Base]]:
    return list(models.ALL)


@hookimpl
def contribute_permissions() -> list[Permission]:
    return [Permission(models.REOPEN, _("Reopen a closed deal"))]


@hookimpl
def contribute_roles() -> list[RoleTemplate]:
    return [
        RoleTemplate(
            "sales.agent",
            _("Sales agent"),
            NAMES
            | {
                f"base.{record}.{action}": "own"
                for record in ("interaction", "task", "appointment")
                for action in ("create", "write")
            }
            | {"base.contact.create": "own", "base.contact.write": "team", "base.interaction.read": "all"}
            | {"base.task.read": "team", "base.appointment.read": "team"}
            | {f"sales.{record}.read": "team" for record in ("lead", "deal")}
            | {f"sales.{record}.{action}": "own" for record in ("lead", "deal") for action in ("create", "write")},
            _("Works on their own deals and sees those of the team."),
        ),
        RoleTemplate(
            "sales.lead",
            _("Sales lead"),
            NAMES
            | {
                f"base.{record}.{action}": "team"
                for record in ("interaction", "task", "appointment")
                for action in ("read", "create", "write", "delete")
            }
            | {"base.contact.create": "team", "base.contact.write": "all"}
            | {
                f"sales.{record}.{action}": "team"
                for record in ("lead", "deal")
                for action in ("read", "create", "write", "delete")
            }
            | {models.REOPEN: "team"},
            _("Sees and edits every deal of the team and the teams below it."),
        ),
    ]


@hookimpl
def contribute_screens() -> list[Screens]:
    return list(screens.SCREENS)


@hookimpl
def contribute_menu() -> list[MenuItem]:
    return list(screens.MENU)


@hookimpl
def contribute_facts() -> list[Fact]:
    return list(screens.FACTS)


@hookimpl
def contribute_tabs() -> list[Tab]:
    return list(screens.TABS)


@hookimpl
def contribute_panels() -> list[Panel]:
    return list(screens.PANELS)


@hookimpl
def contribute_actions() -> list[Action]:
    return list(screens.ACTIONS)


@hookimpl
def contribute_reports() -> list[Report]:
    return list(screens.REPORTS)


@hookimpl
def contribute_tiles() -> list[Tile]:
    return list(tiles.TILES)


@hookimpl
def contribute_jobs() -> list[Job]:
    return [Job("sales.find_idle_deals", jobs.find_idle_deals, Daily(time(7)), _("Find idle deals"))]


@hookimpl
def seed_module(ctx: Context) -> None:
    services.create_default_pipeline(ctx)


@hookimpl
def seed_demo(ctx: Context) -> None:
    from comptoir_sales import demo  # needed once, and large

    demo.create_sales(ctx)


@hookimpl
def prepare_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.prepare_changes(ctx, changes)


@hookimpl
def check_records(ctx: Context, changes: Sequence[Change]) -> None:
    services.check_changes(ctx, changes)


@hookimpl
def on_records_saved(ctx: Context, changes: Sequence[Change]) -> None:
    services.follow_pipelines(ctx, changes)


@hookimpl
def check_deletion(ctx: Context, records: Sequence[Record]) -> None:
    services.check_stage_deletion(ctx, records)


@hookimpl
def on_interaction(ctx: Context, interaction: Interaction) -> None:
    services.start_leads(ctx, interaction)
