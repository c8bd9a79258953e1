"""Search over every record type that one may read: the palette, and a page for browsers without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Response, request

from comptoir.db.types import fold
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Compare, Query, run
from comptoir.web.frame import is_partial, navigation, page, part, settings_side
from comptoir.web.session import Visit, current_visit
from comptoir.web.view_models import SearchGroup, SearchHit, SearchPage

pages = Blueprint("search", __name__)

HITS = 5
READ = 20
"""How many rows are read to find the best among them."""
DETAILS = ("city", "company", "email", "code", "number", "status")


@pages.get("/search")
def search() -> Response:
    """What a text finds, by record type."""
    visit = current_visit()
    text = request.args.get("q", "").strip()[:100]
    groups = tuple(_groups(visit, text)) if len(text) >= 2 else ()
    model = SearchPage(text, groups, "/search")
    return part("_search_hits.html", model) if is_partial() else page("search.html", model, crumbs=[_("Search")])


@pages.get("/search/start")
def start() -> Response:
    """What the palette offers before anything is typed: what one may do, and the pages there are."""
    visit = current_visit()
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
    for _plugin, report in registry.contributions("contribute_reports"):
        if grants.scope(report.permission) is not None:
            yield SearchHit(str(report.title), f"/reports/{report.name}", str(_("Report")), icon="table")
    yield SearchHit(str(_("Your account")), "/account", icon="user")
    yield SearchHit(str(_("API tokens")), "/account/tokens", icon="key")
    yield SearchHit(str(_("Where I am signed in")), "/account/sessions", icon="shield")
    if grants.administrator:
        for group in settings_side():
            for item in group.items:
                yield SearchHit(item.label, item.url, str(_("Settings")), icon="sliders")


def _groups(visit: Visit, text: str) -> list[SearchGroup]:
    """What a text finds, the group with the best hit first."""
    found = []
    grants = visit.context.actor.grants
    for declared in visit.registry.record_types.values():
        if grants.scope(declared.permission("read")) is None or not any(f.search for f in declared.fields.values()):
            continue
        rows = _rows(visit, declared, text)
        if rows:
            rank = _rank(str(rows[0].get(declared.title) or ""), text)
            found.append(SearchGroup(str(declared.declaration.plural), _hits(visit, declared, rows), rank))
    return sorted(found, key=lambda group: group.rank)


def _rank(title: str, text: str) -> int:
    """How well a title answers: 0 exactly, 1 it begins so, 2 one of its words does, 3 it is found by something else."""
    folded, wanted = fold(title), fold(text)
    if folded == wanted:
        return 0
    if folded.startswith(wanted):
        return 1
    return 2 if any(word.startswith(wanted) for word in folded.split()) else 3


def _details(visit: Visit, declared: DeclaredType) -> list[str]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    return [n for n in DETAILS if n in declared.fields and n not in hidden][:2]


def _rows(visit: Visit, declared: DeclaredType, text: str) -> list[dict[str, Any]]:
    """The best few rows; where more were found than were read, those whose title begins so are asked for by name."""
    kind = ["kind"] if "kind" in declared.fields else []
    fields = (declared.title, *_details(visit, declared), *kind)
    rows = run(visit.context, declared, Query(text=text, fields=fields, size=READ), total=False).rows
    ranks = {row["id"]: _rank(str(row.get(declared.title) or ""), text) for row in rows}
    if len(rows) == READ and min(ranks.values()) > 1:
        begins = Query(where=Compare(declared.title, "starts", text), fields=fields, size=HITS)
        named = run(visit.context, declared, begins, total=False).rows
        ranks |= {row["id"]: 1 for row in named}
        rows = [*named, *(row for row in rows if row["id"] not in {n["id"] for n in named})]
    return sorted(rows, key=lambda row: ranks[row["id"]])[:HITS]


def _hits(visit: Visit, declared: DeclaredType, rows: Iterable[dict[str, Any]]) -> tuple[SearchHit, ...]:
    details = _details(visit, declared)
    return tuple(
        SearchHit(
            str(row.get(declared.title) or f"{declared.declaration.label} {row['id']}"),
            f"{declared.url}/{row['id']}",
            " · ".join(str(declared.fields[n].label_of(row[n])) if declared.fields[n].choices else str(row[n]) for n in details if row.get(n)),
            icon="" if declared.name == "base.contact" else declared.declaration.icon,
            square=row.get("kind") == "company",
        )
        for row in rows
    )  # fmt: skip
