"""The addresses of a record type: list, board, form, record page, and the deeds on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request

from comptoir.records.declared import DeclaredType
from comptoir.records.query import Query, parse, run
from comptoir.web.pages import board as boards
from comptoir.web.pages.cells import details_of, shown_details
from comptoir.web.pages.form import page as forms
from comptoir.web.pages.list import bulk, columns, saved
from comptoir.web.pages.list import page as lists
from comptoir.web.pages.record import deeds, moves
from comptoir.web.pages.record import page as record
from comptoir.web.session import Visit, visited

CANDIDATES = 12


def add_record_type(app: Flask, declared: DeclaredType) -> None:
    """Register every address of one record type; a type whose module is off has none."""
    url = declared.url

    def add(path: str, name: str, view: Callable[..., Response], permission: str, *methods: str) -> None:
        @visited
        def answer(visit: Visit, /, **values: Any) -> Response:
            return view(visit, declared, **values)

        answer.permission = declared.permission(permission)  # type: ignore[attr-defined]
        answer.module = declared.module  # type: ignore[attr-defined]
        app.add_url_rule(url + path, f"{declared.name}:{name}", answer, methods=methods or ("GET",))

    add("", "list", lists.show, "read")
    add("/filters", "filters", lists.show_filters, "read")
    add("/totals", "totals", lists.show_totals, "read")
    add("/export", "export", lists.export, "read")
    add("/columns", "columns", columns.choose, "read", "POST")
    add("/views", "views", saved.keep, "read", "POST")
    add("/views/<int:view_id>", "view", saved.change, "read", "POST")
    add("/views/<int:view_id>/delete", "view-delete", saved.remove, "read", "POST")
    add("/bulk", "bulk", bulk.change_many, "write", "POST")
    add("/options", "options", options, "read")
    add("/new", "new", forms.show_new, "create")
    add("/new", "create", forms.create, "create", "POST")
    add("/<int:record_id>", "record", record.show, "read")
    add("/<int:record_id>/rest", "rest", record.show_rest, "read")
    add("/<int:record_id>/edit", "edit", forms.show_edit, "write")
    add("/<int:record_id>/edit", "update", forms.update, "write", "POST")
    add("/<int:record_id>/archive", "archive", deeds.put_away, "write", "POST")
    add("/<int:record_id>/restore", "restore", deeds.bring_back, "write", "POST")
    add("/<int:record_id>/delete", "delete", deeds.remove, "delete", "POST")
    add("/<int:record_id>/timeline", "timeline", record.show_earlier, "read")
    add("/<int:record_id>/compose/<name>", "compose", record.compose, "read", "POST")
    add("/<int:record_id>/actions/<name>", "action-form", deeds.ask, "read")
    add("/<int:record_id>/actions/<name>", "action", deeds.act, "read", "POST")
    if declared.declaration.workflow is not None:
        add("/<int:record_id>/move", "move-form", moves.show, "write")
        add("/<int:record_id>/move", "move", moves.take, "write", "POST")
        add("/<int:record_id>/move/undo", "move-undo", moves.undo, "write", "POST")
        add("/board", "board", boards.show, "read")
        add("/board/move", "board-move", boards.move_card, "write", "POST")


def options(visit: Visit, declared: DeclaredType) -> Response:
    """Candidates for a reference: what the typed text finds, or the newest."""
    text = request.args.get("q", "").strip()[:100]
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name.startswith("filter")]
    where = parse(visit.context, declared, pairs).where
    sort = (declared.title,) if not text and declared.fields[declared.title].sortable else ()
    fields = (declared.title, *details_of(visit, declared)[:1])
    found = run(visit.context, declared, Query(where, sort, fields, CANDIDATES, text=text), total=False)
    return jsonify(
        [
            {
                "value": str(row["id"]),
                "label": str(row.get(declared.title) or f"{declared.declaration.label} {row['id']}"),
                "detail": shown_details(visit, declared, row, fields[1:]),
            }
            for row in found.rows
        ]
    )
