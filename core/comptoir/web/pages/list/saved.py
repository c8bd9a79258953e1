"""Views of a list: those that a module brings, and those that its reader keeps."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from flask import Response, request

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.web.account import remember
from comptoir.web.addresses import Pairs, own_path, without
from comptoir.web.frame import redirect_with
from comptoir.web.models.list import SavedView
from comptoir.web.pages.list.view import ListView
from comptoir.web.session import Visit

MOST = 20
"""Views of one record type that a person keeps."""
LONGEST = 60


def saved_views(view: ListView) -> tuple[SavedView, ...]:
    """All records, then the module's views, then the reader's own; one of them may be what the address shows."""
    here = _shape(view.pairs)

    def saved(label: str, query: Pairs, icon: str = "") -> SavedView:
        return SavedView(label, view.to(query), current=_shape(query) == here, icon=icon)

    own = view.visit.preferences.get("views", {}).get(view.declared.name, [])
    return (
        saved(str(_("All")), []),
        *(saved(str(s.label), list(s.query.items())) for s in view.screens.list.saved),
        *(saved(kept["name"], [(str(a), str(b)) for a, b in kept["query"]], "bookmark") for kept in own),
    )


def _shape(pairs: Pairs) -> Pairs:
    return sorted(without(pairs, "sort", "page[size]", "view", "board"))


def keep(visit: Visit, declared: DeclaredType) -> Response:
    """Keep the filters of the page that sent the form, under a name."""
    visit.context.require(declared.permission("read"))
    name = request.form.get("name", "").strip()[:LONGEST]
    if not name:
        raise RuleViolation("core.required", _("Give the view a name."), field="name")
    here = own_path(request.form.get("next", ""), declared.url, below=declared.url)
    kept = dict(visit.preferences.get("views", {}))
    others = [view for view in kept.get(declared.name, []) if view["name"] != name]
    query = without(parse_qsl(urlsplit(here).query), "page[size]")
    kept[declared.name] = [*others, {"name": name, "query": query}][-MOST:]
    remember({"views": kept})
    return redirect_with(here)
