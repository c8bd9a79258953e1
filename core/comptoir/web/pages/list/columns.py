"""Columns of a list: which there are, their headings, and a row under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, request

from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.web.account import remember
from comptoir.web.addresses import own_path, url_with, without
from comptoir.web.frame import redirect_with
from comptoir.web.models.list import ChoosableColumn
from comptoir.web.models.shell import Choice
from comptoir.web.models.table import Column, Row
from comptoir.web.pages.cells import Cells
from comptoir.web.pages.faces import face_of
from comptoir.web.pages.list.view import ListView
from comptoir.web.session import Visit

MOST = 30
"""Columns that a person may choose."""


def headings(view: ListView, cells: Cells) -> tuple[Column, ...]:
    """The heading of each column shown, with the address that sorts by it."""
    declared, on_phone = view.declared, _on_phone(view)
    made = []
    for name in view.shown:
        field, path = declared.fields[name], declared.path_of(name)
        order = next((s for s in view.query.sort if s.lstrip("-") in (path, name)), "")
        target = f"-{path}" if order and not order.startswith("-") else path
        made.append(
            cells.column(
                name,
                field,
                sort_url=_sorted_by(view, target) if field.sorts else "",
                sorted=("descending" if order.startswith("-") else "ascending") if order else "",
                pinned=name == declared.title,
                phone=on_phone.get(name, ""),
            )
        )
    return tuple(made)


def _sorted_by(view: ListView, target: str) -> str:
    return view.to([*without(view.pairs, "sort"), ("sort", target)])


def _on_phone(view: ListView) -> Mapping[str, Any]:
    """Which columns stand beside and under the name on a phone: text or reference, status or amount, then what is left."""
    declared = view.declared
    roles: dict[str, Any] = {declared.title: "name"}
    apart = ("owner_id", *declared.with_role("face"))
    for role in ("second", "value", "detail"):
        places = {
            name: declared.fields[name].kind.phone_roles[role]
            for name in view.shown
            if name not in roles and name not in apart and role in declared.fields[name].kind.phone_roles
        }
        if places:
            roles[min(places, key=places.__getitem__)] = role
    return roles


def rows(view: ListView) -> tuple[Row, ...]:
    """The rows of this page."""
    return tuple(_row(view, row) for row in view.found.rows)


def _row(view: ListView, row: Mapping[str, Any]) -> Row:
    declared, url = view.declared, f"{view.url}/{row['id']}"
    title = str(row.get(declared.title) or f"{declared.declaration.label} {row['id']}")
    cells = tuple(
        Cell(title, "title", url=url) if name == declared.title else view.cells.cell(name, declared.fields[name], row)
        for name in view.shown
    )
    return Row(
        str(row["id"]), title, url, cells, square=face_of(declared, row).square, version=row.get("version") or 0,
        archived=row.get("archived_at") is not None,
    )  # fmt: skip


def chooser(view: ListView) -> tuple[ChoosableColumn, ...]:
    """Every column that may be shown, those that are first."""
    fields, title = view.declared.fields, view.declared.title
    names = [*view.shown, *(name for name in view.offered if name not in view.shown)]
    return tuple(
        ChoosableColumn(n, str(fields[n].label), n in view.shown, n == title, view.cells.module(n)) for n in names
    )


def orders(view: ListView) -> Iterator[Choice]:
    """The columns to sort by; choosing the present one turns it round."""
    current = view.query.sort[0] if view.query.sort else ""
    for name in view.shown:
        field, path = view.declared.fields[name], view.declared.path_of(name)
        if not field.sorts:
            continue
        is_current, falls = current.lstrip("-") == path, current.startswith("-")
        begins_high = not falls if is_current else field.kind.newest_first
        icon = ("ad" if falls else "au") if is_current else ""
        yield Choice(str(field.label), _sorted_by(view, f"-{path}" if begins_high else path), is_current, icon)


def choose(visit: Visit, declared: DeclaredType) -> Response:
    """Keep which columns the reader wants, in order."""
    visit.context.require(declared.permission("read"))
    kept = dict(visit.preferences.get("columns", {}))
    chosen: Sequence[str] = [name for name in request.form.getlist("columns") if name in declared.fields]
    if request.form.get("reset") or not chosen:
        kept.pop(declared.name, None)
    else:
        kept[declared.name] = chosen[:MOST]
    remember(visit, {"columns": kept})
    path, _mark, query = own_path(request.form.get("next", ""), declared.url, below=declared.url).partition("?")
    return redirect_with(url_with(path, [p for p in parse_qsl(query) if p[0] != "columns"]))
