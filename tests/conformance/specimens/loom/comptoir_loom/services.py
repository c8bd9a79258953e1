"""Weaving and mending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from comptoir.base.models import Contact
from comptoir.toolkit import Change, Context, RuleViolation, _, changes_of, ngettext, save
from comptoir_loom.models import Bolt


def prepare_bolts(ctx: Context, changes: Sequence[Change]) -> None:
    """A bolt is woven today unless it says when."""
    for bolt, _change in changes_of(changes, Bolt):
        bolt.woven_on = bolt.woven_on or ctx.today()


def bolt_violations(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    """Nothing is woven in the future."""
    for bolt, _change in changes_of(changes, Bolt):
        if bolt.woven_on is not None and bolt.woven_on > ctx.today():
            yield RuleViolation("loom.in_future", _("Give a day that has come."), field="woven_on")


def mend(ctx: Context, bolt: Bolt, _values: Mapping[str, Any]) -> Bolt:
    """Mend a bolt: it counts as woven today."""
    bolt.woven_on = ctx.today()
    save(ctx, [bolt])
    return bolt


def count_bolts(ctx: Context) -> int:
    """How many bolts there are."""
    return ctx.session.scalar(select(func.count()).select_from(Bolt)) or 0


def first_names(ctx: Context) -> list[str]:
    """The bolts that were woven first."""
    return list(ctx.session.scalars(select(Bolt.name).order_by(Bolt.id).limit(3)))


def box(ctx: Context, record: Any) -> Mapping[str, Any]:
    """The values of the panel on a bolt and on a contact."""
    count = count_bolts(ctx)
    return {"name": record.name, "told": ngettext("{count} bolt", "{count} bolts", count), "note": ""}


def tile(ctx: Context, _options: Mapping[str, str]) -> Mapping[str, Any]:
    """The values of the tile."""
    return {"name": ", ".join(first_names(ctx)), "told": "", "note": ""}


def contacts(ctx: Context) -> list[Contact]:
    """Who ordered something."""
    return list(ctx.session.scalars(select(Contact).where(Contact.id.in_(select(Bolt.contact_id)))))
