"""Loading single records as objects, through the actor's session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from comptoir.db.record import Record
from comptoir.errors import NotFound
from comptoir.i18n import _

if TYPE_CHECKING:
    from comptoir.context import Context

R = TypeVar("R", bound=Record)
MAX_ID = 2**63 - 1
CHUNK = 500


def load(ctx: Context, model: type[R], record_id: int) -> R:
    """The record with this id; `NotFound` where there is none or the actor may not see it."""
    found = ctx.session.get(model, record_id) if 0 < record_id <= MAX_ID else None
    if found is None:
        raise _missing(ctx, model, record_id)
    return found


def load_many(ctx: Context, model: type[R], record_ids: Iterable[int]) -> list[R]:
    """The records with these ids, in their order; `NotFound` names the first that is missing."""
    wanted = list(record_ids)
    possible = sorted({record_id for record_id in wanted if 0 < record_id <= MAX_ID})
    found: dict[int, R] = {}
    for start in range(0, len(possible), CHUNK):
        chosen = possible[start : start + CHUNK]
        found |= {record.id: record for record in ctx.session.scalars(select(model).where(model.id.in_(chosen)))}
    for record_id in wanted:
        if record_id not in found:
            raise _missing(ctx, model, record_id)
    return [found[record_id] for record_id in wanted]


def _missing(ctx: Context, model: type[Record], record_id: int) -> NotFound:
    label = ctx.registry.record_type(model).declaration.label
    return NotFound(_("{label} {id} is not here, or you may not see it.", label=label, id=str(record_id)[:20]))
