"""The list of a record type: filters from the address, columns as chosen, one page of rows, totals under the ledger rule."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from flask import Response, request

from comptoir.errors import RuleViolation, RuleViolations
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import count
from comptoir.records.transfer.exporting import export_records
from comptoir.web.addresses import given_pairs, here, url_with, without
from comptoir.web.frame import page, part
from comptoir.web.models.list import ListPage
from comptoir.web.models.shell import Action, Choice, Empty, Pager
from comptoir.web.pages.acts import with_acts
from comptoir.web.pages.cells import Cells
from comptoir.web.pages.faces import shows_initials
from comptoir.web.pages.list import bulk, columns, filters, saved, totals
from comptoir.web.pages.list.view import ListView, views_of
from comptoir.web.session import Visit

SIZES = (25, 50, 80, 200)
CHUNK = 2**16
SPOOLED = 2**20
"""How much of an export stays in memory before it goes to a file."""


def show(visit: Visit, declared: DeclaredType) -> Response:
    """The list page; where the address asks for what there is not, all records and the reason."""
    trouble = ""
    try:
        view = ListView(visit, declared, given_pairs())
    except (RuleViolation, RuleViolations) as refused:
        trouble, view = str(refused), ListView(visit, declared, [])
    model = with_acts(visit, declared, _page(view))
    actions = [_new(view, key="N")] if model.new_url else []
    status = 422 if trouble else 200
    return page("records/list.html", model, crumbs=[model.title], actions=actions, status=status, trouble=trouble)


def _page(view: ListView) -> ListPage:
    declared, pairs, found = view.declared, view.pairs, view.found
    in_bin = ("archived", "only") in pairs
    rows = columns.rows(view)
    tabs = saved.tabs(view)
    kept = without(pairs)
    sums = totals.sums(view) if rows and not found.capped else {}
    return ListPage(
        title=str(declared.declaration.plural),
        url=view.url,
        columns=columns.headings(view, view.cells),
        rows=rows,
        groups=tuple(totals.groups(view, rows)) if view.group else (),
        totals=totals.totals(view, found.total, sums, capped=found.capped) if rows else (),
        totals_url=url_with(f"{view.url}/totals", pairs) if found.capped and view.summed else "",
        saved=tabs,
        changing=next((tab.form for tab in tabs if tab.form is not None), None),
        save_view_url=f"{view.url}/views",
        here=here(),
        changed=_narrows(view) and not any(tab.current for tab in tabs),
        reset_url=view.url,
        query=view.query.text,
        search_hint=str(_("Type to filter: {fields}", fields=_searched(declared))),
        keep=tuple(
            p
            for p in without(pairs, "q")
            if not (p[0].startswith("filter") and filters.in_panel(view.screens, declared, p[0]))
        ),
        facets=tuple(filters.facets_of(view.cells, declared, view.query, pairs)),
        filters_url=url_with(f"{view.url}/filters", kept) if view.screens.list.facets else "",
        in_panel=tuple(p for p in kept if filters.in_panel(view.screens, declared, p[0])),
        group_choices=tuple(totals.group_choices(view)),
        sort_choices=tuple(columns.orders(view)),
        views=views_of(declared, view.screens, "list", pairs),
        chooser=columns.chooser(view),
        columns_url=f"{view.url}/columns",
        pager=_pager(view),
        bulk=tuple(bulk.deeds(view, in_bin=in_bin)),
        bulk_url=f"{view.url}/bulk",
        new_url=f"{view.url}/new" if view.ctx.may(declared.permission("create")) else "",
        empty=_empty(view),
        avatars=shows_initials(declared),
        export_url=url_with(f"{view.url}/export", without(pairs, "sort", "page[size]", "group")),
        bin_url=view.to(without(pairs, "archived") + ([] if in_bin else [("archived", "only")])),
        in_bin=in_bin,
    )


def _narrows(view: ListView) -> bool:
    return bool(without(view.pairs, "sort", "page[size]", "view"))


def _searched(declared: DeclaredType) -> str:
    labels = [str(f.label).lower() for f in declared.fields.values() if f.search][:3]
    return ", ".join(labels) or str(_("a name"))


def _new(view: ListView, key: str = "") -> Action:
    label = str(_("New {label}", label=str(view.declared.declaration.label).lower()))
    return Action(label, f"{view.url}/new", "plus", tone="primary", key=key)


def _pager(view: ListView) -> Pager:
    found, query, number = view.found, view.query, view.formats.integer
    kept = [p for p in view.pairs if p[0] not in ("page[after]", "back")]
    trail = [cursor for cursor in request.args.get("back", "").split("~") if cursor]
    start = len(trail) * query.size + 1 if query.after else 1
    whole = number(found.total or 0) + ("+" if found.capped else "")
    end = start + len(found.rows) - 1
    label = _("{start} to {end} of {total}", start=number(start), end=number(end), total=whole) if found.rows else ""
    following = previous = ""
    if found.next:
        back = "~".join([*trail, query.after or "start"])
        following = view.to([*kept, ("page[after]", found.next), ("back", back)])
    if trail:
        *rest, before = trail
        place = [] if before == "start" else [("page[after]", before)]
        previous = view.to([*kept, *place, *([("back", "~".join(rest))] if rest else [])])
    sized = without(view.pairs, "page[size]")
    sizes = tuple(
        Choice(str(_("{count} rows", count=size)), view.to([*sized, ("page[size]", str(size))]), size == query.size)
        for size in sorted({*SIZES, query.size})
    )
    return Pager(str(label), previous, following, sizes)


def _empty(view: ListView) -> Empty:
    plural = str(view.declared.declaration.plural).lower()
    if _narrows(view):
        everything = Action(str(_("Show all {plural}", plural=plural)), view.url, "undo", tone="primary")
        return Empty(str(_("Nothing fits these filters")), str(_("Take one away, or start again.")), (everything,))
    return Empty(
        str(_("No {plural} yet", plural=plural)),
        str(_("They also come by themselves: by import, through the API, or from other modules.")),
        (_new(view),) if view.ctx.may(view.declared.permission("create")) else (),
    )


# -- parts that are asked for after the first paint ------------------------------------------------------------------------


def show_totals(visit: Visit, declared: DeclaredType) -> Response:
    """The row of totals of a list too long to be summed before it is shown."""
    view = ListView(visit, declared, given_pairs())
    whole, _capped = count(view.ctx, declared, view.query)
    headings = columns.headings(view, Cells(visit, declared, {}))
    summed = totals.totals(view, whole, totals.sums(view))
    model = ListPage(str(declared.declaration.plural), view.url, headings, totals=summed)
    return part("records/_totals.html", with_acts(visit, declared, model))


def show_filters(visit: Visit, declared: DeclaredType) -> Response:
    """The filter panel with its counts."""
    view = ListView(visit, declared, given_pairs())
    groups = tuple(filters.panel(view))
    return part("records/_panel_filters.html", ListPage(str(declared.declaration.plural), view.url, (), filters=groups))


def export(visit: Visit, declared: DeclaredType) -> Response:
    """What the filters leave, as a CSV file that the import reads back."""
    view = ListView(visit, declared, given_pairs())
    target = SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115 -- closed once it is sent
    export_records(view.ctx, declared, view.query, cast("IO[bytes]", target))
    target.seek(0)

    def sent() -> Iterator[bytes]:
        with target:
            yield from iter(lambda: target.read(CHUNK), b"")

    name = f"{declared.url.strip('/').replace('/', '-')}-{visit.formats.today.isoformat()}.csv"
    head = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(sent(), mimetype="text/csv", headers=head)
