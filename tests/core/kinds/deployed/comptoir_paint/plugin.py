"""Paint: a plugin with a kind of its own."""

from __future__ import annotations

from comptoir.toolkit import Base, Contribution, Form, List, Manifest, Permission, Screens, Section, _, hookimpl
from comptoir_paint.models import Shade

manifest = Manifest(_("Paint"))


COLUMNS = (
    Shade.name,
    Shade.colour,
    Shade.drying,
    Shade.origin,
    Shade.uses,
    Shade.seen_on,
    Shade.stock,
    Shade.promised,
)


@hookimpl
def contribute() -> list[Contribution | type[Base]]:
    listed = List(*COLUMNS, facets=(Shade.origin,), more=(Shade.zone, Shade.price, Shade.dear))
    return [
        Shade,
        Permission("paint.shade.see_price", _("See prices of paint")),
        Screens(Shade, listed, Form(Section(_("Shade"), *COLUMNS, Shade.zone))),
    ]
