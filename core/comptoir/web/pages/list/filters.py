"""Filters of a list: those in force as chips, and the panel that offers more with its counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from comptoir.contributions import Screens
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import All, Compare, Query, aggregate, and_also
from comptoir.records.query.tree import comparisons
from comptoir.records.query.values import format_value
from comptoir.web.addresses import Pairs, url_with, without
from comptoir.web.ids import id_of
from comptoir.web.models.list import Facet, FilterGroup, FilterOption
from comptoir.web.pages.cells import Cells, look_up_titles, wire_name
from comptoir.web.pages.list.view import ListView

MAX_OPTIONS = 8
MANY_OPTIONS = 50
"""Of longer lists a filter offers only the values there are."""
OPERATORS = {
    "ne": _("not"), "lt": "<", "lte": "≤", "gt": ">", "gte": "≥", "contains": _("has"), "starts": _("begins with"),
    "nin": _("none of"),
}  # fmt: skip
WORDS = {"me": _("me"), "my_teams": _("my teams"), True: _("yes"), False: _("no")}


def in_panel(screens: Screens, declared: DeclaredType, parameter: str) -> bool:
    """Whether the panel of filters has an input for a parameter."""
    return any(parameter.startswith(f"filter[{declared.fields[wire_name(c)].path}]") for c in screens.list.facets)


def facets_of(cells: Cells, declared: DeclaredType, query: Query, pairs: Pairs, *, url: str = "") -> Iterator[Facet]:
    """The filters in force, each with the address of the page (the list, without ``url``) where it is gone."""
    url = url or declared.url
    if query.text:
        yield Facet(str(_("Text")), query.text, url_with(url, without(pairs, "q")))
    seen = set()
    for asked in comparisons(query.where):
        wire = declared.by_path.get(asked.path)
        keys = {f"filter[{asked.path}]", f"filter[{asked.path}][{asked.operator}]"}
        parameters = tuple(n for n, _v in pairs if n in keys) or tuple(
            n for n, _v in pairs if n.startswith("filter") and asked.path in n
        )
        if not parameters or parameters in seen:
            continue
        seen.add(parameters)
        label = str(declared.fields[wire].label) if wire else asked.path
        text = f"{OPERATORS.get(asked.operator, '')} {_values(cells, declared, wire, asked)}".strip()
        yield Facet(label, text, url_with(url, without(pairs, *parameters)))
    if query.archived != "without":
        yield Facet(str(_("Bin")), str(_("shown")), url_with(url, without(pairs, "archived")))


def _values(cells: Cells, declared: DeclaredType, wire: str | None, asked: Compare) -> str:
    values = asked.value if isinstance(asked.value, tuple) else (asked.value,)
    if len(values) > 3:
        return str(_("any of {count}", count=len(values)))
    return ", ".join(_shown(cells, declared, wire, asked, value) for value in values)


def _shown(cells: Cells, declared: DeclaredType, wire: str | None, asked: Compare, value: Any) -> str:
    if isinstance(value, str | bool) and value in WORDS:
        return str(WORDS[value])
    if wire is None or asked.operator in {"within", "is_null", "contains", "starts"}:
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


# -- the panel ------------------------------------------------------------------------------------------------------------


def panel(view: ListView) -> Iterator[FilterGroup]:
    """What can be filtered by, with how many records each box would leave."""
    cells = Cells(view.visit, view.declared, {})
    for name in map(wire_name, view.screens.list.facets):
        if name in view.hidden:
            continue
        field, path = view.declared.fields[name], view.declared.path_of(name)
        if field.kind.dated:
            given = {c.operator: _iso(c.value) for c in comparisons(view.query.where) if c.path == path}
            yield FilterGroup(
                str(field.label), "", "dates", from_name=f"filter[{path}][gte]", to_name=f"filter[{path}][lte]",
                from_value=given.get("gte", ""), to_value=given.get("lte", ""), module=cells.module(name),
            )  # fmt: skip
        elif options := tuple(_options(view, cells, name)):
            yield FilterGroup(str(field.label), f"filter[{path}][in]", options=options, module=cells.module(name))


def _iso(value: Any) -> str:
    return value.isoformat()[:10] if hasattr(value, "isoformat") else ""


def _apart_from(path: str, query: Query) -> Query:
    """The query without what it asks of one field, so that a group counts what its other boxes would add."""
    match query.where:
        case Compare(path=own) if own == path:
            return replace(query, where=None)
        case All(parts):
            others = (part for part in parts if not (isinstance(part, Compare) and part.path == path))
            return replace(query, where=and_also(*others))
    return query


def _chosen(query: Query, path: str) -> set[str]:
    found: set[str] = set()
    for asked in comparisons(query.where):
        if asked.path == path and asked.operator in {"eq", "in"}:
            found |= set(map(str, asked.value if isinstance(asked.value, tuple) else (asked.value,)))
    return found


def _options(view: ListView, cells: Cells, name: str) -> Iterator[FilterOption]:
    declared, field, path = view.declared, view.declared.fields[name], view.declared.path_of(name)
    chosen = _chosen(view.query, path)
    counted = aggregate(view.ctx, declared, _apart_from(path, view.query), group=[name], measures=["count"])
    held = {str(row[name]): row[name] for row in counted if row.get(name) is not None}
    counts: Mapping[str, int] = {str(row[name]): int(row["count"]) for row in counted if row.get(name) is not None}

    def option(key: str, label: str, value: str, tone: str = "") -> FilterOption:
        return FilterOption(label, value, key in chosen, view.formats.integer(counts.get(key, 0)), tone)

    frequent = sorted(counts, key=lambda key: -counts[key])
    listed = declared.choices(view.ctx, field)
    if listed is not None and len(listed) <= MANY_OPTIONS:
        yield from (option(choice.value, str(choice.label), choice.value, choice.tone) for choice in listed)
    elif field.target is not None:
        ids = [i for key in {*frequent[:MAX_OPTIONS], *chosen} if (i := id_of(key)) is not None]
        titles = look_up_titles(view.visit, {str(field.target): ids})
        for (_table, record_id), title in sorted(titles.items(), key=lambda pair: -counts.get(str(pair[0][1]), 0)):
            yield option(str(record_id), title, str(record_id))
    else:
        for key in frequent[:MAX_OPTIONS]:
            yield option(key, cells.cell(name, field, {name: held[key]}).text, format_value(held[key]))
