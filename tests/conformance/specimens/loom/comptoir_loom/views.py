"""Pages beside those of bolts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comptoir.toolkit import Context, _, load, page, part
from comptoir_loom import services
from comptoir_loom.models import Bolt

if TYPE_CHECKING:
    from comptoir.toolkit import PublicVisit, Visit


def card(visit: Visit, id: int) -> Any:
    """The card of one bolt."""
    bolt = load(visit.context, Bolt, id)
    return page(visit, "loom/card.html", services.box(visit.context, bolt), title=_("Card"))


def opening_hours(visit: PublicVisit) -> Any:
    """When the mill is open."""
    return part(visit, "loom/box.html", {"name": "", "told": _("Open all day"), "note": ""})


def count(ctx: Context, values: Mapping[str, Any]) -> dict[str, int]:
    """How many bolts there are."""
    return {"count": services.count_bolts(ctx)}
