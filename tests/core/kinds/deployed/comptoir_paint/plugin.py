"""Paint: a plugin with a kind of its own."""

from __future__ import annotations

from comptoir.toolkit import Base, Form, List, Manifest, Permission, Screens, Section, _, hookimpl
from comptoir_paint.models import Shade

manifest = Manifest(_("Paint"))


@hookimpl
def contribute_models() -> list[type[Base]]:
    return [Shade]


@hookimpl
def contribute_permissions() -> list[Permission]:
    return [Permission("paint.shade.see_price", _("See prices of paint"))]


@hookimpl
def contribute_screens() -> list[Screens]:
    columns = (
        Shade.name,
        Shade.colour,
        Shade.drying,
        Shade.origin,
        Shade.uses,
        Shade.seen_on,
        Shade.stock,
        Shade.promised,
    )
    return [
        Screens(
            Shade,
            List(*columns, facets=(Shade.origin,), more=(Shade.zone, Shade.price, Shade.dear)),
            Form(Section(_("Shade"), *columns, Shade.zone)),
        )
    ]
