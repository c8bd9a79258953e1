"""What a plugin adds to a deployment.

Every hook here is called once per generation, while the application is built: no context, no database, no request.
Return values are frozen; the registry refuses duplicates and names that do not carry the plugin's prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comptoir.hookspecs.marker import hookspec

if TYPE_CHECKING:
    import click
    from flask import Blueprint

    from comptoir.contributions import (
        Action,
        Composer,
        DeferredWork,
        Fact,
        Job,
        MenuItem,
        Panel,
        Permission,
        RoleTemplate,
        ScreenAddition,
        Screens,
        Tab,
        Tile,
    )
    from comptoir.db.base import Base
    from comptoir.reports import Report


@hookspec
def contribute_models() -> list[type[Base]]:  # type: ignore[empty-body]
    """Tables of this plugin: records, lines, extensions of other records, and plain tables.

    Example: ``return [models.Order, models.OrderLine, models.SalesContact]``
    """


@hookspec
def contribute_permissions() -> list[Permission]:  # type: ignore[empty-body]
    """Rights beyond read, create, write and delete, which every record type has by itself.

    Example: ``return [Permission("sales.deal.reopen", _("Reopen a closed deal"))]``
    """


@hookspec
def contribute_roles() -> list[RoleTemplate]:  # type: ignore[empty-body]
    """Ready-made roles; copied when the module is first enabled, then the administrators' to edit.

    Example: ``return [RoleTemplate("sales.agent", _("Sales agent"), {"sales.deal.write": "own"})]``
    """


@hookspec
def contribute_screens() -> list[Screens]:  # type: ignore[empty-body]
    """How this plugin's record types are listed, shown and edited.

    Example: ``return [Screens(models.Order, List(models.Order.number), Form(Section(_("Order"), models.Order.number)))]``
    """


@hookspec
def contribute_screen_additions() -> list[ScreenAddition]:  # type: ignore[empty-body]
    """Columns and form sections on other plugins' screens.

    Example: ``return [ScreenAddition(Contact, columns=(models.SalesContact.credit_limit,))]``
    """


@hookspec
def contribute_menu() -> list[MenuItem]:  # type: ignore[empty-body]
    """Entries of the rail; hidden from users who lack the permission.

    Example: ``return [MenuItem("sales.orders", _("Orders"), "/sales/orders", "sales.order.read")]``
    """


@hookspec
def contribute_facts() -> list[Fact]:  # type: ignore[empty-body]
    """Figures in the strip under a record's name.

    Example: ``return [Fact("sales.open", Contact, _("Open deals"), services.open_value, "sales.deal.read")]``
    """


@hookspec
def contribute_tabs() -> list[Tab]:  # type: ignore[empty-body]
    """Tabs on other records' pages that list this plugin's records.

    Example: ``return [Tab("sales.deals", Contact, _("Deals"), Deal, Deal.contact_id, (Deal.name,), "sales.deal.read")]``
    """


@hookspec
def contribute_composers() -> list[Composer]:  # type: ignore[empty-body]
    """Kinds of things that are written beside a record's history: notes, calls, tasks.

    Example: ``return [Composer("sales.offer", _("Offer"), Deal, Deal.notes, (Deal.amount,), hint=_("What do they get?"))]``
    """


@hookspec
def contribute_panels() -> list[Panel]:  # type: ignore[empty-body]
    """Boxes on other records' overview, loaded only if the user holds the permission.

    Example: ``return [Panel("sales.open", Contact, _("Open deals"), "sales/open.html", services.open_deals, "sales.deal.read")]``
    """


@hookspec
def contribute_actions() -> list[Action]:  # type: ignore[empty-body]
    """Buttons on a record's page, and actions of its API resource.

    Example: ``return [Action("convert", Lead, _("Convert"), services.convert, "sales.lead.write")]``
    """


@hookspec
def contribute_tiles() -> list[Tile]:  # type: ignore[empty-body]
    """Boxes of the dashboard.

    Example: ``return [Tile("sales.funnel", _("Funnel"), "sales.deal.read", "sales/funnel.html", services.funnel)]``
    """


@hookspec
def contribute_reports() -> list[Report]:  # type: ignore[empty-body]
    """Tables with charts on the reports page.

    Example: ``return [Report("sales.cycle", _("Cycle length"), _("Days to a win"), Deal, "sales.deal.read", (Dimension("owner"),))]``
    """


@hookspec
def contribute_jobs() -> list[Job]:  # type: ignore[empty-body]
    """Scheduled work; each due moment runs once, whatever the number of workers.

    Example: ``return [Job("sales.find_idle_deals", jobs.find_idle_deals, Daily(time(7)))]``
    """


@hookspec
def contribute_deferred_work() -> list[DeferredWork]:  # type: ignore[empty-body]
    """What does the work that ``defer`` leaves: after its cause is committed, at least once, tried again when it raises.

    Example: ``return [DeferredWork("marketing.send_mail", services.send_mail)]``
    """


@hookspec
def contribute_views() -> list[Blueprint]:  # type: ignore[empty-body]
    """Flask blueprints for bespoke pages, mounted under ``/<plugin>/``; every view states its permission.

    Example: ``return [views.pages]``
    """


@hookspec
def contribute_commands() -> list[click.Command]:  # type: ignore[empty-body]
    """Commands run as ``comptoir <plugin> <command>``.

    Example: ``return [commands.reprice]``
    """
