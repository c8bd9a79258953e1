"""Search over every record type that one may read: the palette, and a page for browsers without scripts."""

from __future__ import annotations

from flask import Blueprint, Response, request

from comptoir.i18n import _
from comptoir.records.query import Compare, Query, run
from comptoir.records.search import Found
from comptoir.records.search import search as find
from comptoir.web.frame import is_partial, page, part
from comptoir.web.session import Visit, current_visit
from comptoir.web.view_models import SearchGroup, SearchHit, SearchPage

pages = Blueprint("search", __name__)

HITS = 5
DETAILS = ("city", "company", "email", "code", "number", "status")


@pages.get("/search")
def search() -> Response:
    """What a text finds, by record type."""
    visit = current_visit()
    text = request.args.get("q", "").strip()[:100]
    groups = tuple(_groups(visit, text)) if len(text) >= 2 else ()
    model = SearchPage(text, groups, "/search")
    return part("_search_hits.html", model) if is_partial() else page("search.html", model, crumbs=[_("Search")])


def _groups(visit: Visit, text: str) -> list[SearchGroup]:
    return [
        SearchGroup(str(found.declared.declaration.plural), hits, f"{found.count}+" if found.more else "")
        for found in find(visit.context, text, size=HITS)
        if (hits := _hits(visit, found))
    ]


def _hits(visit: Visit, found: Found) -> tuple[SearchHit, ...]:
    declared = found.declared
    hidden = declared.hidden_fields(visit.context.actor.grants)
    details = [n for n in DETAILS if n in declared.fields and n not in hidden][:2]
    kind = ["kind"] if "kind" in declared.fields else []
    query = Query(where=Compare("id", "in", found.ids), fields=(declared.title, *details, *kind), size=HITS)
    rows = {row["id"]: row for row in run(visit.context, declared, query, total=False).rows}
    is_contact = declared.name == "base.contact"
    return tuple(
        SearchHit(
            str(row.get(declared.title) or f"{declared.declaration.label} {row['id']}"),
            f"{declared.url}/{row['id']}",
            " · ".join(str(declared.fields[n].label_of(row[n])) if declared.fields[n].choices else str(row[n]) for n in details if row.get(n)),
            icon="" if is_contact else declared.declaration.icon,
            square=row.get("kind") == "company",
        )
        for row in (rows[id_] for id_ in found.ids if id_ in rows)
    )  # fmt: skip
