"""What the loom adds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from comptoir.base.models import Contact
from comptoir.toolkit import (
    Action,
    Base,
    Context,
    Contribution,
    Daily,
    Form,
    Job,
    List,
    Manifest,
    MenuItem,
    Panel,
    Permission,
    RecordRef,
    RoleTemplate,
    Route,
    Rules,
    ScreenAddition,
    Screens,
    Section,
    Tile,
    View,
    _,
    hookimpl,
)
from comptoir_loom import jobs, services, views
from comptoir_loom.models import Bolt, LoomContact

manifest = Manifest(_("Loom"), _("Bolts of cloth."), category="sales", icon="box")

RIGHTS = (
    Permission("loom.bolt.mend", _("Mend bolts")),
    Permission("loom.bolt.sell", _("Sell bolts")),
    Permission("loom.bolt.see_cost", _("See what bolts cost")),
    RoleTemplate("loom.weaver", _("Weaver"), {"loom.bolt.read": "all", "loom.bolt.mend": "all"}),
)
SCREENS = (
    Screens(
        Bolt,
        List(Bolt.name, Bolt.stage, Bolt.price, Bolt.woven_on, sort=("name",)),
        Form(Section(_("Bolt"), Bolt.name, Bolt.contact_id, Bolt.price, Bolt.cost)),
    ),
    ScreenAddition(Contact, Section(_("Loom"), LoomContact.width)),
    MenuItem("loom.bolts", _("Bolts"), "/loom/bolts", "loom.bolt.read", icon="box"),
    Panel("loom.box", Bolt, _("Cloth"), "loom/box.html", services.box, "loom.bolt.read"),
    Panel("loom.stock", Contact, _("Cloth"), "loom/box.html", services.box, "loom.bolt.read"),
    Tile("loom.stock", _("Stock"), "loom.bolt.read", "loom/box.html", services.tile),
    Action("mend", Bolt, _("Mend"), services.mend, "loom.bolt.mend"),
)
PAGES = (
    View("/bolts/{id}/card", views.card, "loom.bolt.read"),
    View("/hours", views.opening_hours, public=True),
    Route("GET", "/count", views.count, "loom.bolt.read", _("How many bolts there are")),
)
RULES = (Rules(Bolt, prepare=services.prepare_bolts, check=services.bolt_violations),)
WORK = (Job("loom.count_stock", jobs.count_stock, Daily(time(3)), _("Count the stock")),)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    return [Bolt, LoomContact, *RIGHTS, *SCREENS, *PAGES, *RULES, *WORK]


@hookimpl
def after_records_committed(ctx: Context, refs: Sequence[RecordRef]) -> None:
    services.count_bolts(ctx)
