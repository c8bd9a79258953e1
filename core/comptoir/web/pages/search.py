"""Search over every record type that one may read: the palette, and a page for browsers without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, request

from comptoir.db.types import fold
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Query, run
from comptoir.records.search import COUNTED, Found
from comptoir.records.search import search as find
from comptoir.reports import Report
from comptoir.web.frame import is_partial, navigation, page, part, settings_side
from comptoir.web.models.search import SearchGroup, SearchHit, SearchPage
from comptoir.web.pages.cells import details_of, shown_details
from comptoir.web.pages.faces import face_of, faces_of
from comptoir.web.session import Visit, visited

pages = Blueprint("search", __name__)

HITS = 5


@pages.get("/search")
@visited
def search(visit: Visit) -> Response:
    """What a text finds, by record type."""
    text = request.args.get("q", "").strip()[:100]
    groups = tuple(_groups(visit, text)) if len(text) >= 2 else ()
    model = SearchPage(text, groups, "/search")
    return part("_search_hits.html", model) if is_partial() else page("search.html", model, crumbs=[_("Search")])


@pages.get("/search/start")
@visited
def start(visit: Visit) -> Response:
    """What the palette offers before anything is typed: what one may do, and the pages there are."""
    groups = (SearchGroup(str(_("Do")), tuple(_acts(visit))), SearchGroup(str(_("Go to")), tuple(_places(visit))))
    return part("_search_hits.html", SearchPage("", groups, "/search"))


def _acts(visit: Visit) -> Iterator[SearchHit]:
    """Everything that the reader may create."""
    for declared in visit.registry.record_types.values():
        if visit.context.may(declared.permission("create")):
            label = str(_("New {label}", label=str(declared.declaration.label).lower()))
            yield SearchHit(label, f"{declared.url}/new", icon="plus")


def _places(visit: Visit) -> Iterator[SearchHit]:
    """The pages of the rail, every report, one's account, and the settings of whoever administers."""
    registry, grants = visit.registry, visit.context.actor.grants
    for group in navigation(registry, visit):
        for item in group.items:
            for entry in (item, *item.children):
                yield SearchHit(entry.label, entry.url, icon=entry.icon or "layers")
    for _plugin, report in registry.offered(Report, grants):
        yield SearchHit(str(report.title), f"/reports/{report.name}", str(_("Report")), icon="table")
    yield SearchHit(str(_("Your account")), "/account", icon="user")
    yield SearchHit(str(_("API tokens")), "/account/tokens", icon="key")
    yield SearchHit(str(_("Where I am signed in")), "/account/sessions", icon="shield")
    if grants.administrator:
        for group in settings_side(visit):
            for item in group.items:
                yield SearchHit(item.label, item.url, str(_("Settings")), icon="sliders")


def _groups(visit: Visit, text: str) -> list[SearchGroup]:
    """What a text finds, the group with the best hit first."""
    groups = []
    for found in find(visit.context, text, size=COUNTED):
        declared = found.declared
        if rows := _rows(visit, found, text):
            rank = _rank(str(rows[0].get(declared.title) or ""), text)
            count = f"{found.count}+" if found.more else ""
            groups.append(
                SearchGroup(str(declared.declaration.plural), tuple(_hits(visit, declared, rows)), rank, count)
            )
    return sorted(groups, key=lambda group: group.rank)


def _rank(title: str, text: str) -> int:
    """How well a title answers: 0 exactly, 1 it begins so, 2 one of its words does, 3 it is found by something else."""
    folded, wanted = fold(title), fold(text)
    if folded == wanted:
        return 0
    if folded.startswith(wanted):
        return 1
    return 2 if any(word.startswith(wanted) for word in folded.split()) else 3


def _rows(visit: Visit, found: Found, text: str) -> list[dict[str, Any]]:
    """The best few rows of a type, read under its own rules."""
    declared = found.declared
    fields = (declared.title, *details_of(visit, declared), *faces_of(visit, declared))
    query = Query(where=Compare("id", "in", found.ids), fields=fields, size=len(found.ids))
    rows = {row["id"]: row for row in run(visit.context, declared, query, total=False).rows}
    held = [rows[id_] for id_ in found.ids if id_ in rows]
    return sorted(held, key=lambda row: _rank(str(row.get(declared.title) or ""), text))[:HITS]


def _hits(visit: Visit, declared: DeclaredType, rows: Iterable[dict[str, Any]]) -> Iterator[SearchHit]:
    details = details_of(visit, declared)
    for row in rows:
        title, face = (
            str(row.get(declared.title) or f"{declared.declaration.label} {row['id']}"),
            face_of(declared, row),
        )
        told = shown_details(visit, declared, row, details)
        yield SearchHit(title, f"{declared.url}/{row['id']}", told, icon=face.icon, square=face.square)
