"""Views of lists and reports that people keep under a name, for themselves or for everyone who may see what they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import ForeignKey, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.fields import Choice, Field, Id, boolean, choice, integer, long_text, text
from comptoir.db.record import Record, RecordType
from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.kinds import Reference
from comptoir.records.write import delete, save

if TYPE_CHECKING:
    from comptoir.context import Context

Pairs = Sequence[tuple[str, str]]

LIST, REPORT = "list", "report"


class SavedView(Record):
    """What somebody has chosen of a list or a report, as the parameters of its address."""

    __tablename__ = "core_view"
    __record__ = RecordType(_("Saved view"), _("Saved views"), path="views", icon="bookmark", timeline=False)
    __table_args__ = (UniqueConstraint("owner_id", "page", "subject", "name"),)

    name: Mapped[str] = text(_("Name"), length=80, required=True, title=True)
    page: Mapped[str] = choice(
        _("Page"), (Choice(LIST, _("List")), Choice(REPORT, _("Report"))), required=True, default=LIST
    )
    subject: Mapped[str] = text(_("What it shows"), length=120, required=True, index=True)
    """The name of a record type, or of a report."""
    query: Mapped[str | None] = long_text(_("Filters"))
    """As it stands in an address: ``filter[stage]=won&sort=-amount``."""
    position: Mapped[int] = integer(_("Position"), default=0, required=True)
    shared: Mapped[bool] = boolean(_("Shared with everyone"))
    # a view goes with its owner
    owner_id: Mapped[int | None] = mapped_column(
        Id,
        ForeignKey("core_user.id", ondelete="CASCADE"),
        index=True,
        info={"field": Field(Reference(), _("Owner"), target="core_user")},
    )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of its address."""
        return parse_qsl(self.query or "")


def views_of(ctx: Context, page: str, subject: str | None = None) -> Sequence[SavedView]:
    """The actor's own views and those that others share, in their order: of one list or report, or of all."""
    found = select(SavedView).where(SavedView.page == page, SavedView.archived_at.is_(None))
    if subject is not None:
        found = found.where(SavedView.subject == subject)
    if ctx.actor.id is not None:  # an administrator too is shown what is theirs or shared
        found = found.where(or_(SavedView.owner_id == ctx.actor.id, SavedView.shared))
    return ctx.session.scalars(found.order_by(SavedView.position, SavedView.name, SavedView.id)).all()


def view_of(ctx: Context, page: str, view_id: int) -> SavedView:
    """One of `views_of`; `NotFound` where it is somebody's own or shows what the actor may not see."""
    found = ctx.session.get(SavedView, view_id)
    if found is None or found.page != page or found.archived_at is not None:
        raise NotFound(_("There is no saved view {id} here.", id=view_id))
    return found


def save_view(
    ctx: Context, page: str, subject: str, name: str, query: Iterable[tuple[str, str]], *, shared: bool = False
) -> SavedView:
    """Keep a view under a name; one of the actor's own of that name is replaced."""
    name = tidy(name)
    kept = ctx.session.scalar(
        select(SavedView).where(
            SavedView.owner_id == ctx.actor.id,
            SavedView.page == page,
            SavedView.subject == subject,
            SavedView.name == name,
        )
    ) or SavedView(page=page, subject=subject, name=name)
    kept.query = urlencode(list(query), safe="[]:,-") or None
    kept.shared, kept.archived_at = shared, None
    save(ctx, [kept])
    return kept


def change_view(ctx: Context, view: SavedView, name: str, *, shared: bool) -> None:
    """Give a view another name; show it to everyone who may see what it shows, or to its owner alone."""
    view.name, view.shared = name, shared
    save(ctx, [view])


def delete_view(ctx: Context, view: SavedView) -> None:
    """Throw a view away."""
    delete(ctx, [view])


def tidy(name: str) -> str:
    """A name without needless blanks."""
    return " ".join(name.split())
