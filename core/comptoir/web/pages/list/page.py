"""The list of a record type: filters from the address, columns as chosen, one page of rows, totals under the ledger rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, request

from comptoir.contributions import List, Screens
from comptoir.db.fields import Field
from comptoir.errors import NotFound, RuleViolation, RuleViolations
from comptoir.i18n import _, ngettext
from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.query import All, Compare, Query, aggregate, and_also, count, load_many, parse, run
from comptoir.records.query.tree import comparisons
from comptoir.records.query.values import format_value
from comptoir.records.transfer.exporting import export_records
from comptoir.records.write import archive, assign, restore, save
from comptoir.web.account import remember
from comptoir.web.frame import page, part, redirect_with
from comptoir.web.ids import id_of
from comptoir.web.models.input import FieldInput
from comptoir.web.models.list import (
    BulkAction,
    ChoosableColumn,
    Facet,
    FilterGroup,
    FilterOption,
    ListPage,
    RowGroup,
    SavedView,
)
from comptoir.web.models.shell import Action, Choice, Empty, Pager, Toast
from comptoir.web.models.table import EMPTY, Column, Row
from comptoir.web.pages.acts import with_acts
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles, wire_name
from comptoir.web.pages.faces import face_of, faces_of, shows_initials
from comptoir.web.session import Visit, current_visit
from comptoir.web.versions import check_all_seen, mark_of, marked

PARAMETERS = ("view", "columns", "group", "board", "back")
SIZES = (25, 50, 80, 200)
MAX_OPTIONS = 8
MANY_OPTIONS = 50
"""Of longer lists a filter offers only the values there are."""
BULK_LIMIT = 500
CHUNK = 2**16
SPOOLED = 2**20
"""How much of an export stays in memory before it goes to a file."""
Pairs = list[tuple[str, str]]


def url_with(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path with these parameters, brackets left readable."""
    query = urlencode(list(pairs), safe="[]:,-")
    return f"{path}?{query}" if query else path


def without(pairs: Pairs, *names: str) -> Pairs:
    """The parameters without some, and without the place in the pages."""
    gone = {*names, "page[after]", "page[number]", "back"}
    return [(name, value) for name, value in pairs if name not in gone]


def given_pairs() -> Pairs:
    """The parameters of this request that say something."""
    return [(name, value) for name, value in request.args.items(multi=True) if value != ""]


def visible_columns(visit: Visit, declared: DeclaredType, screens: Screens) -> tuple[list[str], list[str]]:
    """The wire names shown now, and all that may be chosen; what the reader may not see is in neither."""
    hidden = declared.hidden_fields(visit.context.actor.grants)
    listed: List = screens.list
    additions = visit.registry.additions.get(declared.model, ())
    standard = [wire_name(c) for c in listed.columns]
    offered = [*standard, *(wire_name(c) for c in listed.more)]
    for _module, addition in additions:
        offered += [wire_name(c) for c in addition.columns]
        standard += [wire_name(c) for c in addition.columns]
    for name, field in declared.fields.items():
        if name not in offered and not (field.kind.lined or field.multiline) and not name.startswith("name_key"):
            offered.append(name)
    offered = [name for name in dict.fromkeys(offered) if name in declared.fields and name not in hidden]
    kept = visit.preferences.get("columns", {}).get(declared.name)
    chosen = [name for name in (kept or standard) if name in offered]
    if declared.title not in chosen and declared.title in declared.fields:
        chosen.insert(0, declared.title)
    return list(dict.fromkeys(chosen)), offered


def parsed_query(visit: Visit, declared: DeclaredType, screens: Screens, pairs: Pairs) -> Query:
    """The query of the address, in the list's own order where it names none."""
    asked = [(name, value) for name, value in pairs if name not in PARAMETERS]
    if not any(name == "sort" for name, _value in asked) and screens.list.sort:
        asked.append(("sort", ",".join(screens.list.sort)))
    if not any(name == "page[size]" for name, _value in asked):
        asked.append(("page[size]", str(visit.preferences.get("size", 50))))
    return parse(visit.context, declared, asked)


def show_list(declared: DeclaredType) -> Response:
    """The list page."""
    visit = current_visit()
    ctx, registry = visit.context, visit.registry
    ctx.require(declared.permission("read"))
    screens = registry.screens(declared)
    pairs = given_pairs()
    trouble = ""
    try:
        query = parsed_query(visit, declared, screens, pairs)
        group = _group_of(visit, declared, pairs)
    except (RuleViolation, RuleViolations) as refused:
        trouble, group = str(refused), ""
        pairs = []
        query = parsed_query(visit, declared, screens, pairs)
    shown, offered = visible_columns(visit, declared, screens)
    if group:
        query = replace(query, sort=(_path(declared, group), *query.sort))
    found = run(ctx, declared, _with_fields(visit, query, declared, [*shown, group] if group else shown))
    fields = {name: declared.fields[name] for name in ([*shown, group] if group else shown)}
    titles = look_up_titles(visit, wanted_titles(fields, found.rows))
    cells = Cells(visit, declared, titles)
    columns = _columns(cells, declared, shown, query, pairs)
    rows = tuple(_row(cells, declared, shown, row) for row in found.rows)
    label, plural = str(declared.declaration.label), str(declared.declaration.plural)
    in_bin = ("archived", "only") in pairs
    model = ListPage(
        title=plural,
        url=declared.url,
        columns=columns,
        rows=rows,
        groups=tuple(_groups(visit, cells, declared, screens, shown, query, group, found.rows, rows)) if group else (),
        totals=_totals(visit, declared, screens, shown, query, found.total, capped=found.capped) if rows else (),
        totals_url=url_with(f"{declared.url}/totals", pairs) if found.capped and _summed(screens, shown) else "",
        saved=_saved(visit, declared, screens, pairs),
        save_view_url=f"{declared.url}/views",
        changed=bool(without(pairs, "sort", "page[size]", "view")) and not _is_saved(visit, declared, screens, pairs),
        reset_url=declared.url,
        query=query.text,
        search_hint=str(_("Type to filter: {fields}", fields=_searched(declared))),
        keep=tuple(
            p for p in without(pairs, "q") if not p[0].startswith("filter") or not in_panel(screens, declared, p[0])
        ),
        facets=tuple(facets_of(cells, declared, query, pairs)),
        filters_url=url_with(f"{declared.url}/filters", without(pairs)) if screens.list.facets else "",
        in_panel=tuple(p for p in without(pairs) if in_panel(screens, declared, p[0])),
        group_choices=tuple(_group_choices(visit, declared, screens, group, pairs)),
        sort_choices=_sort_choices(declared, shown, query, pairs),
        views=views_of(declared, screens, "list", pairs),
        chooser=tuple(
            ChoosableColumn(
                name, str(declared.fields[name].label), name in shown, name == declared.title, cells.module(name)
            )
            for name in [*shown, *(n for n in offered if n not in shown)]
        ),
        columns_url=f"{declared.url}/columns",
        pager=_pager(visit, declared, query, pairs, found),
        bulk=_bulk(visit, declared),
        bulk_url=f"{declared.url}/bulk",
        new_url=f"{declared.url}/new" if ctx.may(declared.permission("create")) else "",
        empty=_empty(visit, declared, pairs, label=label, plural=plural),
        avatars=shows_initials(declared),
        export_url=url_with(f"{declared.url}/export", without(pairs, "sort", "page[size]", "group")),
        bin_url=url_with(declared.url, without(pairs, "archived") + ([] if in_bin else [("archived", "only")])),
        in_bin=in_bin,
    )
    model = with_acts(visit, declared, model)
    actions = []
    if model.new_url:
        actions.append(
            Action(str(_("New {label}", label=label.lower())), model.new_url, "plus", tone="primary", key="N")
        )
    return page("records/list.html", model, crumbs=[plural], actions=actions, status=422 if trouble else 200,
                  trouble=trouble)  # fmt: skip


def _with_fields(visit: Visit, query: Query, declared: DeclaredType, shown: Sequence[str]) -> Query:
    wanted = list(shown)
    for name in shown:
        if (currency := declared.currency_of(name)) is not None:
            wanted.append(currency)
    wanted += [*faces_of(visit, declared), "archived_at"]
    return replace(query, fields=tuple(dict.fromkeys(wanted)))


def _columns(
    cells: Cells, declared: DeclaredType, shown: Sequence[str], query: Query, pairs: Pairs
) -> tuple[Column, ...]:
    found = []
    roles = _phone_roles(declared, shown)
    for name in shown:
        field = declared.fields[name]
        is_title = name == declared.title
        order = next((s for s in query.sort if s.lstrip("-") == field.path or s.lstrip("-") == name), "")
        sortable = field.sorts
        following = f"-{field.path}" if order and not order.startswith("-") else field.path
        prefix = name[: -len(field.name)]
        target = (following[0] + prefix + following[1:]) if following.startswith("-") else prefix + following
        found.append(
            cells.column(
                name,
                field,
                sort_url=url_with(declared.url, [*without(pairs, "sort"), ("sort", target)]) if sortable else "",
                sorted=("descending" if order.startswith("-") else "ascending") if order else "",
                pinned=is_title,
                phone="name" if is_title else roles.get(name, ""),
            )
        )
    return tuple(found)


def _phone_roles(declared: DeclaredType, shown: Sequence[str]) -> dict[str, Any]:
    """Which columns stand beside and under the name on a phone: text or reference, status or amount, then what is left."""
    roles: dict[str, Any] = {}
    for role in ("second", "value", "detail"):
        fitting = [
            (places[role], n)
            for n in shown
            if n not in roles and n not in (declared.title, "owner_id", *declared.with_role("face"))
            and role in (places := declared.fields[n].kind.phone_roles)
        ]  # fmt: skip
        if fitting:
            roles[min(fitting, key=lambda pair: pair[0])[1]] = role
    return roles


def _row(cells: Cells, declared: DeclaredType, shown: Sequence[str], row: dict[str, Any]) -> Row:
    record_id = row["id"]
    title = str(row.get(declared.title) or f"{declared.declaration.label} {record_id}")
    made = []
    for name in shown:
        if name == declared.title:
            made.append(Cell(title, "title", url=f"{declared.url}/{record_id}"))
        else:
            made.append(cells.cell(name, declared.fields[name], row))
    return Row(
        str(record_id), title, f"{declared.url}/{record_id}", tuple(made), square=face_of(declared, row).square,
        version=row.get("version") or 0, archived=row.get("archived_at") is not None,
    )  # fmt: skip


def _totals(
    visit: Visit, declared: DeclaredType, screens: Screens, shown: Sequence[str], query: Query, total: int | None, *,
    capped: bool,
) -> tuple[Cell, ...]:  # fmt: skip
    summed = _summed(screens, shown)
    whole = visit.formats.integer(total or 0) + ("+" if capped else "")
    noun = str(declared.declaration.plural if total != 1 else declared.declaration.label).lower()
    sums: dict[str, Cell] = {}
    if summed and not capped:
        sums = _sums(visit, declared, query, summed)
    return tuple(Cell(f"{whole} {noun}") if name == declared.title else sums.get(name, EMPTY) for name in shown)


def _summed(screens: Screens, shown: Sequence[str]) -> list[str]:
    """The columns that have a total."""
    return [wire_name(c) for c in screens.list.totals if wire_name(c) in shown]


def _sums(visit: Visit, declared: DeclaredType, query: Query, names: Sequence[str]) -> dict[str, Cell]:
    """Sums of columns over everything that the filters leave; money by currency, where there is more than one."""
    found: dict[str, Cell] = {}
    for name in names:
        currency = declared.currency_of(name)
        rows = aggregate(visit.context, declared, query, group=[currency] if currency else [], measures=[f"{name}:sum"])
        found[name] = _sum_cell(visit, declared, name, rows)
    return found


def _sum_cell(visit: Visit, declared: DeclaredType, name: str, rows: Iterable[Mapping[str, Any]]) -> Cell:
    field, cells = declared.fields[name], Cells(visit, declared, {})
    currency = declared.currency_of(name)
    sums = ((row.get(f"{name}:sum"), row.get(currency) if currency else None) for row in rows)
    parts = [field.kind.cell(field, value, cells, code).text for value, code in sums if value is not None]
    return Cell(" + ".join(parts), "money") if parts else EMPTY


def show_totals(declared: DeclaredType) -> Response:
    """The row of totals of a list too long to be summed before it is shown."""
    visit = current_visit()
    visit.context.require(declared.permission("read"))
    screens = visit.registry.screens(declared)
    query = parsed_query(visit, declared, screens, given_pairs())
    shown, _offered = visible_columns(visit, declared, screens)
    whole, _capped = count(visit.context, declared, query)
    sums = _sums(visit, declared, query, _summed(screens, shown))
    cells = _totals(visit, declared, screens, shown, query, whole, capped=True)
    cells = tuple(sums.get(name, cell) for name, cell in zip(shown, cells, strict=True))
    columns = _columns(Cells(visit, declared, {}), declared, shown, query, [])
    model = ListPage(str(declared.declaration.plural), declared.url, columns, totals=cells)
    return part("records/_totals.html", with_acts(visit, declared, model))


# -- groups ---------------------------------------------------------------------------------------------------------------


def _path(declared: DeclaredType, name: str) -> str:
    field = declared.fields[name]
    return name[: -len(field.name)] + field.path


def _groupable(visit: Visit, declared: DeclaredType, screens: Screens) -> list[str]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    names = [wire_name(c) for c in screens.list.facets]
    return [n for n in names if n not in hidden and declared.fields[n].kind.facet and declared.fields[n].sorts]


def _group_of(visit: Visit, declared: DeclaredType, pairs: Pairs) -> str:
    """The field that the rows are grouped by; empty for none."""
    wished = next((value for name, value in pairs if name == "group"), "")
    if not wished:
        return ""
    name = declared.by_path.get(wished, wished)
    if name not in _groupable(visit, declared, visit.registry.screens(declared)):
        raise RuleViolation("core.unknown_group", _("These rows cannot be grouped by {name}.", name=wished[:60]))
    return name


def _group_choices(
    visit: Visit, declared: DeclaredType, screens: Screens, group: str, pairs: Pairs
) -> Iterable[Choice]:
    names = _groupable(visit, declared, screens)
    if not names:
        return
    kept = without(pairs, "group")
    yield Choice(str(_("Not grouped")), url_with(declared.url, kept), not group)
    for name in names:
        target = url_with(declared.url, [*kept, ("group", _path(declared, name))])
        yield Choice(str(declared.fields[name].label), target, name == group)


def _groups(
    visit: Visit, cells: Cells, declared: DeclaredType, screens: Screens, shown: Sequence[str], query: Query, group: str,
    found: Sequence[Mapping[str, Any]], rows: Sequence[Row],
) -> Iterable[RowGroup]:  # fmt: skip
    """The rows of the page under the headings of their groups, each with the count and the totals of the whole group."""
    summed = _summed(screens, shown)
    currencies = list(dict.fromkeys(c for name in summed if (c := declared.currency_of(name))))
    measures = ["count", *(f"{name}:sum" for name in summed)]
    figures: dict[Any, list[dict[str, Any]]] = {}
    for row in aggregate(visit.context, declared, query, group=[group, *currencies], measures=measures):
        figures.setdefault(row[group], []).append(row)
    path, field = _path(declared, group), declared.fields[group]
    kept = [p for p in without(given_pairs()) if p[0] not in ("group", f"filter[{path}]", f"filter[{path}][in]")]
    for value, members in groupby(zip(found, rows, strict=True), key=lambda pair: pair[0].get(group)):
        of_group = figures.get(value, [])
        only = (f"filter[{path}][is_null]", "true") if value is None else (f"filter[{path}]", format_value(value))
        yield RowGroup(
            cells.cell(group, field, {group: value}).text or str(_("None")),
            visit.formats.integer(sum(int(row["count"]) for row in of_group)),
            tuple(row for _values, row in members),
            tuple(_sum_cell(visit, declared, name, of_group) if name in summed else EMPTY for name in shown),
            url_with(declared.url, [*kept, only]),
        )


# -- filters --------------------------------------------------------------------------------------------------------------


def _saved(visit: Visit, declared: DeclaredType, screens: Screens, pairs: Pairs) -> tuple[SavedView, ...]:
    own = visit.preferences.get("views", {}).get(declared.name, [])
    here = _shape(pairs)
    found = [SavedView(str(_("All")), declared.url, current=not here)]
    for saved in screens.list.saved:
        query = [(key, value.replace("{me}", "me")) for key, value in saved.query.items()]
        found.append(SavedView(str(saved.label), url_with(declared.url, query), current=_shape(query) == here))
    for view in own:
        query = [(str(a), str(b)) for a, b in view["query"]]
        found.append(
            SavedView(view["name"], url_with(declared.url, query), current=_shape(query) == here, icon="bookmark")
        )
    return tuple(found)


def _shape(pairs: Pairs) -> list[tuple[str, str]]:
    return sorted(without(pairs, "sort", "page[size]", "view", "board"))


def _is_saved(visit: Visit, declared: DeclaredType, screens: Screens, pairs: Pairs) -> bool:
    return any(view.current for view in _saved(visit, declared, screens, pairs))


def _searched(declared: DeclaredType) -> str:
    labels = [str(f.label).lower() for f in declared.fields.values() if f.search][:3]
    return ", ".join(labels) or str(_("a name"))


def in_panel(screens: Screens, declared: DeclaredType, parameter: str) -> bool:
    """Whether the panel of filters has an input for a parameter."""
    return any(parameter.startswith(f"filter[{declared.fields[wire_name(c)].path}]") for c in screens.list.facets)


def facets_of(cells: Cells, declared: DeclaredType, query: Query, pairs: Pairs, *, url: str = "") -> Iterable[Facet]:
    """The filters in force, each with the address of the page (the list, without ``url``) where it is gone."""
    url = url or declared.url
    if query.text:
        yield Facet(str(_("Text")), query.text, url_with(url, without(pairs, "q")))
    operators = {
        "ne": _("not"), "lt": "<", "lte": "≤", "gt": ">", "gte": "≥", "contains": _("has"), "starts": _("begins with"),
        "nin": _("none of"),
    }  # fmt: skip
    seen = set()
    for asked in comparisons(query.where):
        wire = declared.by_path.get(asked.path)
        label = str(declared.fields[wire].label) if wire else asked.path
        keys = {f"filter[{asked.path}]", f"filter[{asked.path}][{asked.operator}]"}
        parameters = [n for n, _v in pairs if n in keys] or [
            n for n, _v in pairs if n.startswith("filter") and asked.path in n
        ]
        if not parameters or tuple(parameters) in seen:
            continue
        seen.add(tuple(parameters))
        values = asked.value if isinstance(asked.value, tuple) else (asked.value,)
        text = ", ".join(_shown_value(cells, declared, wire, asked, value) for value in values[:3])
        if len(values) > 3:
            text = str(_("any of {count}", count=len(values)))
        sign = str(operators.get(asked.operator, ""))
        yield Facet(label, f"{sign} {text}".strip(), url_with(url, without(pairs, *parameters)))
    if query.archived != "without":
        yield Facet(str(_("Bin")), str(_("shown")), url_with(url, without(pairs, "archived")))


def _shown_value(cells: Cells, declared: DeclaredType, wire: str | None, part: Compare, value: Any) -> str:
    words = {"me": _("me"), "my_teams": _("my teams"), True: _("yes"), False: _("no")}
    if isinstance(value, str | bool) and value in words:
        return str(words[value])
    if wire is None or part.operator in {"within", "is_null", "contains", "starts"}:
        return str(value).replace("_", " ")
    field = declared.fields[wire]
    if (referred := field.kind.refers_to(field, value)) is not None:
        return look_up_titles(cells.visit, {referred[0]: [referred[1]]}).get(referred, f"#{referred[1]}")
    if isinstance(value, str) and field.kind.dated:
        return value.replace("_", " ")
    try:
        return cells.cell(wire, field, {wire: value}).text
    except (AttributeError, TypeError, ValueError):
        return str(value)


def show_filters(declared: DeclaredType) -> Response:
    """The filter panel with its counts, which is asked for after the first paint of the list."""
    visit = current_visit()
    visit.context.require(declared.permission("read"))
    screens = visit.registry.screens(declared)
    query = parsed_query(visit, declared, screens, given_pairs())
    groups = tuple(_filter_panel(visit, Cells(visit, declared, {}), declared, screens, query))
    return part(
        "records/_panel_filters.html", ListPage(str(declared.declaration.plural), declared.url, (), filters=groups)
    )


def _apart_from(path: str, query: Query) -> Query:
    """The query without what it asks of one field, so that a group counts what its other boxes would add."""
    match query.where:
        case Compare(path=own) if own == path:
            return replace(query, where=None)
        case All(parts):
            return replace(
                query, where=and_also(*(p for p in parts if not (isinstance(p, Compare) and p.path == path)))
            )
    return query


def _filter_panel(
    visit: Visit, cells: Cells, declared: DeclaredType, screens: Screens, query: Query
) -> Iterable[FilterGroup]:
    hidden = declared.hidden_fields(visit.context.actor.grants)
    for column in screens.list.facets:
        name = wire_name(column)
        if name in hidden:
            continue
        field = declared.fields[name]
        prefix = name[: -len(field.name)]
        path = prefix + field.path
        if field.kind.dated:
            given = {c.operator: c.value for c in comparisons(query.where) if c.path == path}
            yield FilterGroup(
                str(field.label), "", "dates", from_name=f"filter[{path}][gte]", to_name=f"filter[{path}][lte]",
                from_value=_iso(given.get("gte")), to_value=_iso(given.get("lte")), module=cells.module(name),
            )  # fmt: skip
            continue
        options = tuple(_options(visit, cells, declared, name, field, path, query))
        if options:
            yield FilterGroup(str(field.label), f"filter[{path}][in]", options=options, module=cells.module(name))


def _iso(value: Any) -> str:
    return value.isoformat()[:10] if hasattr(value, "isoformat") else ""


def _options(
    visit: Visit, cells: Cells, declared: DeclaredType, name: str, field: Field, path: str, query: Query
) -> Iterable[FilterOption]:
    chosen: set[str] = set()
    for asked in comparisons(query.where):
        if asked.path == path and asked.operator in {"eq", "in"}:
            values = asked.value if isinstance(asked.value, tuple) else (asked.value,)
            chosen |= {str(v) for v in values}
    counted = aggregate(visit.context, declared, _apart_from(path, query), group=[name], measures=["count"])
    counts = {str(row[name]): int(row["count"]) for row in counted if row.get(name) is not None}
    held = {str(row[name]): row[name] for row in counted}
    listed = declared.choices(visit.context, field)
    if listed is not None and len(listed) <= MANY_OPTIONS:
        for choice in listed:
            yield FilterOption(
                str(choice.label), choice.value, choice.value in chosen, visit.formats.integer(counts.get(choice.value, 0)),
                choice.tone,
            )  # fmt: skip
    elif field.target is not None:
        top = sorted((k for k in counts if id_of(k) is not None), key=lambda k: -counts[k])[:MAX_OPTIONS]
        table = str(field.target)
        titles = look_up_titles(visit, {table: [i for k in {*top, *chosen} if (i := id_of(k)) is not None]})
        for (_table, record_id), title in sorted(titles.items(), key=lambda pair: -counts.get(str(pair[0][1]), 0)):
            yield FilterOption(
                title, str(record_id), str(record_id) in chosen, visit.formats.integer(counts.get(str(record_id), 0))
            )
    else:
        for value in sorted(counts, key=lambda k: -counts[k])[:MAX_OPTIONS]:
            label = cells.cell(name, field, {name: held[value]}).text
            yield FilterOption(label, format_value(held[value]), value in chosen, visit.formats.integer(counts[value]))


def _sort_choices(declared: DeclaredType, shown: Sequence[str], query: Query, pairs: Pairs) -> tuple[Choice, ...]:
    found = []
    current = query.sort[0] if query.sort else ""
    for name in shown:
        field = declared.fields[name]
        if not field.sorts:
            continue
        path = name[: -len(field.name)] + field.path
        is_current = current.lstrip("-") == path
        descends = is_current and not current.startswith("-")
        target = f"-{path}" if descends or (not is_current and field.kind.newest_first) else path
        icon = ("ad" if current.startswith("-") else "au") if is_current else ""
        found.append(
            Choice(
                str(field.label), url_with(declared.url, [*without(pairs, "sort"), ("sort", target)]), is_current, icon
            )
        )
    return tuple(found)


def views_of(declared: DeclaredType, screens: Screens, current: str, pairs: Pairs) -> tuple[Choice, ...]:
    """List and board, with the same filters."""
    if screens.board is None:
        return ()
    kept = without(pairs, "view")
    return (
        Choice(str(_("List")), url_with(declared.url, kept), current == "list", "list"),
        Choice(
            str(_("Board")),
            url_with(f"{declared.url}/board", without(kept, "sort", "page[size]")),
            current == "board",
            "board",
        ),
    )


# -- pages and deeds ------------------------------------------------------------------------------------------------------


def _pager(visit: Visit, declared: DeclaredType, query: Query, pairs: Pairs, found: Any) -> Pager:
    kept = [p for p in pairs if p[0] not in ("page[after]", "back")]
    trail = [cursor for cursor in request.args.get("back", "").split("~") if cursor]
    start = len(trail) * query.size + 1 if query.after else 1
    number = visit.formats.integer
    end = start + len(found.rows) - 1
    whole = number(found.total or 0) + ("+" if found.capped else "")
    label = (
        str(_("{start} to {end} of {total}", start=number(start), end=number(end), total=whole)) if found.rows else ""
    )
    here = query.after or "start"
    following = previous = ""
    if found.next:
        back = "~".join([*trail, here])
        following = url_with(declared.url, [*kept, ("page[after]", found.next), ("back", back)])
    if trail:
        before, rest = trail[-1], trail[:-1]
        back_pairs = [] if before == "start" else [("page[after]", before)]
        previous = url_with(declared.url, [*kept, *back_pairs, *([("back", "~".join(rest))] if rest else [])])
    sizes = tuple(
        Choice(
            str(_("{count} rows", count=size)), url_with(declared.url, [*without(pairs, "page[size]"), ("page[size]", str(size))]),
            size == query.size,
        )
        for size in sorted({*SIZES, query.size})
    )  # fmt: skip
    return Pager(label, previous, following, sizes)


def _bulk(visit: Visit, declared: DeclaredType) -> tuple[BulkAction, ...]:
    found = []
    grants = visit.context.actor.grants
    if grants.scope(declared.permission("write")):
        if "owner_id" in declared.fields and "owner_id" not in declared.locked_fields(grants) and declared.has_owner:
            owner = FieldInput(
                "owner_id", str(_("Owner")), "reference", width=12, required=True, search_url="/base/users/options"
            )
            found.append(BulkAction("assign", str(_("Assign")), "user", fields=(owner,)))
        if request.args.get("archived") == "only":
            found.append(BulkAction("restore", str(_("Restore")), "undo"))
        else:
            found.append(
                BulkAction(
                    "archive", str(_("Move to the bin")), "trash", "danger",
                    confirm=str(_("They leave the lists. Restore brings them back.")),
                )
            )  # fmt: skip
    return tuple(found)


def _empty(visit: Visit, declared: DeclaredType, pairs: Pairs, *, label: str, plural: str) -> Empty:
    if without(pairs, "sort", "page[size]", "view"):
        return Empty(
            str(_("Nothing fits these filters")), str(_("Take one away, or start again.")),
            (Action(str(_("Show all {plural}", plural=plural.lower())), declared.url, "undo", tone="primary"),),
        )  # fmt: skip
    actions: tuple[Action, ...] = ()
    if visit.context.may(declared.permission("create")):
        actions = (Action(str(_("New {label}", label=label.lower())), f"{declared.url}/new", "plus", tone="primary"),)
    return Empty(
        str(_("No {plural} yet", plural=plural.lower())),
        str(_("They also come by themselves: by import, through the API, or from other modules.")),
        actions,
    )


def change_many(declared: DeclaredType) -> Response:
    """A deed on the selected rows, with the way to take it back."""
    ctx = current_visit().context
    seen = marked(request.form.getlist("ids")[:BULK_LIMIT])
    if not seen:
        raise RuleViolation("core.nothing_selected", _("Select at least one row first."))
    records = load_many(ctx, declared.model, list(seen))
    check_all_seen(records, seen)
    action, count = request.form.get("action", ""), len(records)
    undo: tuple[tuple[str, str], ...] = ()
    if action == "archive":
        archive(ctx, records)
        undo = (("action", "restore"),)
        text = ngettext("{count} record moved to the bin", "{count} records moved to the bin", count)
    elif action == "restore":
        restore(ctx, records)
        undo = (("action", "archive"),)
        text = ngettext("{count} record restored", "{count} records restored", count)
    elif action == "assign":
        owner = id_of(request.form.get("owner_id", ""))
        if owner is None:
            raise RuleViolation("core.required", _("Choose the new owner from the list."), field="owner_id")
        before = {record.owner_id for record in records}
        for record in records:
            assign(ctx, record, {"owner_id": owner})
        save(ctx, records)
        if len(before) == 1 and None not in before:
            undo = (("action", "assign"), ("owner_id", str(before.pop())))
        text = ngettext("{count} record assigned", "{count} records assigned", count)
    else:
        raise NotFound(_("There is no such deed."))
    if undo:
        undo += tuple(("ids", mark_of(record)) for record in records)
    back = request.headers.get("Referer", "")
    target = back[back.index(declared.url) :] if declared.url in back else declared.url
    return redirect_with(target, Toast(str(text), f"{declared.url}/bulk" if undo else "", undo))


def choose_columns(declared: DeclaredType) -> Response:
    """Keep which columns the reader wants, in order."""
    visit = current_visit()
    visit.context.require(declared.permission("read"))
    kept = dict(visit.preferences.get("columns", {}))
    chosen = [name for name in request.form.getlist("columns") if name in declared.fields]
    if request.form.get("reset") or not chosen:
        kept.pop(declared.name, None)
    else:
        kept[declared.name] = chosen[:30]
    remember({"columns": kept})
    return _back_to(declared)


def export(declared: DeclaredType) -> Response:
    """What the filters leave, as a CSV file that the import reads back."""
    visit = current_visit()
    ctx = visit.context
    ctx.require(declared.permission("read"))
    query = parsed_query(visit, declared, visit.registry.screens(declared), given_pairs())
    target = SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115 -- closed once it is sent
    export_records(ctx, declared, query, cast("IO[bytes]", target))
    target.seek(0)

    def sent() -> Iterator[bytes]:
        with target:
            yield from iter(lambda: target.read(CHUNK), b"")

    name = f"{declared.url.strip('/').replace('/', '-')}-{visit.formats.today.isoformat()}.csv"
    head = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(sent(), mimetype="text/csv", headers=head)


def save_view(declared: DeclaredType) -> Response:
    """Keep the filters of the page one comes from under a name."""
    visit = current_visit()
    visit.context.require(declared.permission("read"))
    name = request.form.get("name", "").strip()[:60]
    if not name:
        raise RuleViolation("core.required", _("Give the view a name."), field="name")
    pairs = parse_qsl(urlsplit(request.headers.get("Referer", "")).query)
    kept = dict(visit.preferences.get("views", {}))
    mine = [view for view in kept.get(declared.name, []) if view["name"] != name]
    kept[declared.name] = [*mine, {"name": name, "query": without(pairs, "page[size]")}][-20:]
    remember({"views": kept})
    return _back_to(declared)


def _back_to(declared: DeclaredType) -> Response:
    back = request.headers.get("Referer", "")
    return redirect_with(back[back.index(declared.url) :] if declared.url in back else declared.url)
