"""What the core itself asks of saved views: whose they are, who sees them, and that they show something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from comptoir.access.guard import And, Rule, Where, me
from comptoir.access.permissions import Grants
from comptoir.context import unrestricted
from comptoir.contributions import Rules
from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.changes import Change, changes_of
from comptoir.records.query import parse
from comptoir.records.views import LIST, SavedView, tidy
from comptoir.reports import Report
from comptoir.reports.asking import explored, read

if TYPE_CHECKING:
    from comptoir.context import Context, Registry

MOST = 200
"""How many views one person keeps."""
MOST_PAIRS = 60
OF_THE_PAGE = ("view", "columns", "group", "board", "back")
"""Parameters of a list's page that are none of its query."""


def seen_within(registry: Registry, grants: Grants, scope: Rule) -> Rule:
    """One's own views, and those that are shared of what these grants may read; within the scope of a right."""
    subjects = {d.name for d in registry.record_types.values() if grants.scope(d.permission("read")) is not None}
    subjects |= {
        report.name
        for report in _offered(registry, grants)
        if grants.scope(registry.record_type(report.model).permission("read")) is not None
    }
    shown = tuple(sorted(subjects))

    def condition(table: Any) -> Any:
        return or_(table.c.owner_id == me(), and_(table.c.shared, table.c.subject.in_(shown)))

    return And((Where((SavedView.__tablename__, shown), condition), scope))


def _offered(registry: Registry, grants: Grants) -> Iterator[Report]:
    return (r for plugin in registry.plugins.values() for r in plugin.of(Report) if r.is_for(grants))


def _prepare(ctx: Context, changes: Sequence[Change]) -> None:
    for view, _change in changes_of(changes, SavedView):
        if isinstance(view.name, str):  # anything else is for the checks to refuse
            view.name = tidy(view.name)


def _check(ctx: Context, changes: Sequence[Change]) -> Iterator[RuleViolation]:
    added: Counter[int] = Counter()
    names: set[tuple[Any, ...]] = set()
    for view, change in changes_of(changes, SavedView):
        if view.owner_id is None:
            yield RuleViolation("core.required", _("A saved view belongs to somebody."), field="owner_id")
            continue
        if change.is_new:
            added[view.owner_id] += 1
        key = (view.owner_id, view.page, view.subject, view.name)
        if (change.is_new or {"owner_id", "page", "subject", "name"} & change.fields.keys()) and (
            key in names or _is_taken(ctx, view)
        ):
            yield RuleViolation(
                "core.not_unique", _("There is a view “{name}” already. Choose another name.", name=view.name),
                field="name",
            )  # fmt: skip
        names.add(key)
        if change.is_new or {"page", "subject", "query"} & change.fields.keys():
            yield from _unshowable(ctx, view)
    for owner, count in added.items():
        held = select(func.count()).select_from(SavedView).where(SavedView.owner_id == owner)
        if (unrestricted(ctx, "saved views").scalar(held) or 0) + count > MOST:
            yield RuleViolation(
                "core.too_many", _("There are {limit} saved views already. Delete some first.", limit=MOST),
                field="name",
            )  # fmt: skip


def _is_taken(ctx: Context, view: SavedView) -> bool:
    same = select(SavedView.id).where(
        SavedView.owner_id == view.owner_id,
        SavedView.page == view.page,
        SavedView.subject == view.subject,
        SavedView.name == view.name,
    )
    found = unrestricted(ctx, "saved views").scalars(same).first()
    return found is not None and found != view.id


def _unshowable(ctx: Context, view: SavedView) -> Iterator[RuleViolation]:
    """Nothing of that name that the actor may see, or filters that it does not have."""
    grants, registry = ctx.actor.grants, ctx.registry
    declared = registry.record_types.get(view.subject)
    report = None
    if view.page != LIST:
        report = next((report for report in _offered(registry, grants) if report.name == view.subject), None)
        declared = registry.record_type(report.model) if report is not None else declared
    if declared is None or grants.scope(declared.permission("read")) is None:
        yield RuleViolation(
            "core.unknown_subject", _("There is no {name} here that could be shown.", name=str(view.subject)[:60]),
            field="subject",
        )  # fmt: skip
        return
    pairs = view.pairs
    if len(pairs) > MOST_PAIRS:
        yield RuleViolation("core.too_many_filters", _("A saved view has fewer filters."), field="query")
        return
    try:
        if view.page == LIST:
            parse(ctx, declared, pairs, also=OF_THE_PAGE)
        else:
            read(ctx, declared, report or explored(ctx, declared), pairs)
    except (RuleViolation, RuleViolations) as refused:
        yield RuleViolation("core.unknown_filter", str(refused), field="query")


RULES = Rules(SavedView, prepare=_prepare, check=_check)
