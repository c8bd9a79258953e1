"""The page of one record: who it is, the figures, what belongs to it, and what happened."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from comptoir.kinds import Cell
from comptoir.records.declared import DeclaredType
from comptoir.records.timeline import Place
from comptoir.web.addresses import url_with
from comptoir.web.frame import is_partial, page, part, redirect_with
from comptoir.web.models.record import MetaLine, RecordPage
from comptoir.web.pages.acts import acts_of
from comptoir.web.pages.record import composing, deeds, moves, panels, tabs, timeline
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit


def show(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """The record page, on its overview or on the tab that the address names.

    What other modules add, the counts and the timeline are asked for by the page itself after its first paint, unless
    the address says ``whole=1``.
    """
    return _page(RecordView.of(visit, declared, record_id, whole=request.args.get("whole") == "1"))


def _page(view: RecordView, refused: composing.Refused | None = None) -> Response:
    """The page, with what was refused in its composer."""
    where = [("tab", view.wanted_tab)] if view.wanted_tab else []
    chosen = tabs.chosen(view)
    own = panels.own(view) if chosen is None else tabs.panel(view, *chosen)
    added = panels.added(view) if view.whole and chosen is None else ()
    model = RecordPage(
        view.title, view.url,
        status=_status(view),
        tags=tuple(tag for name in view.with_role("tags") for tag in view.cell(name).tags),
        act=acts_of(view.visit, view.declared, [view.record.id]).get(view.record.id) if view.whole else None,
        meta=tuple(_meta(view)),
        square=view.face.square,
        icon=view.face.icon,
        actions=tuple(deeds.buttons(view)),
        more=tuple(deeds.menu(view)),
        steps=moves.steps(view),
        version=view.record.version,
        facts=tuple(panels.facts(view)),
        tabs=tabs.strip(view),
        panels=(*own, *added),
        timeline=timeline.entries(view),
        timeline_next_url=timeline.next_url(view),
        composers=composing.composers(view, refused),
        archived=view.record.archived_at is not None,
        rest_url="" if view.whole else url_with(f"{view.url}/rest", where),
        whole_url=url_with(view.url, [*where, ("whole", "1")]),
    )  # fmt: skip
    return page(
        "records/record.html", model, crumbs=[(view.declared.declaration.plural, view.declared.url), view.title],
        status=200 if refused is None else 422,
    )  # fmt: skip


def show_rest(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """What the page of a record asks for after its first paint."""
    view = RecordView.of(visit, declared, record_id, whole=True)
    if not is_partial():
        return redirect_with(view.url)
    model = RecordPage(
        view.title, view.url,
        act=acts_of(visit, declared, [record_id]).get(record_id),
        facts=tuple(panels.facts(view)),
        tabs=tabs.strip(view),
        panels=tuple(panels.added(view)) if tabs.chosen(view) is None else (),
        timeline=timeline.entries(view),
        timeline_next_url=timeline.next_url(view),
        is_rest=True,
    )  # fmt: skip
    return part("records/_rest.html", model)


def show_earlier(visit: Visit, declared: DeclaredType, record_id: int) -> Response:
    """Earlier entries of the timeline, as a part of the page."""
    view = RecordView.of(visit, declared, record_id, whole=True)
    view.after = Place.parse(request.args.get("after", ""), "after")
    if not is_partial():
        return redirect_with(view.url)
    return part("records/_timeline.html", timeline.earlier(view))


def compose(visit: Visit, declared: DeclaredType, record_id: int, name: str) -> Response:
    """Write what was typed beside a record; on trouble its page again, with everything that was typed."""
    view = RecordView.of(visit, declared, record_id)
    outcome = composing.write(view, name)
    return _page(view, outcome) if isinstance(outcome, composing.Refused) else redirect_with(view.url, outcome)


def _status(view: RecordView) -> Cell | None:
    workflow = view.declared.declaration.workflow
    names = [workflow.field] if workflow is not None else view.with_role("status")
    return next((view.cell(name) for name in names if getattr(view.record, name)), None)


def _meta(view: RecordView) -> Iterator[MetaLine]:
    """Where it is, what it is part of or about, and whose it is."""
    if places := [view.cell(name).text for name in view.with_role("place")]:
        yield MetaLine(", ".join(places), "pin")
    parents = [name for name, field in view.declared.references() if field.tree and "." not in name]
    for name in (*view.with_role("about"), *(n for n in parents if n not in view.hidden and getattr(view.record, n))):
        field = view.declared.fields[name]
        referred = field.kind.refers_to(field, getattr(view.record, name))
        target = view.registry.target_of(referred[0]) if referred is not None else None
        cell = view.cell(name)
        yield MetaLine(cell.text, target.declaration.icon if target is not None else "", url=cell.url)
    owner = view.cells.titles.get(("core_user", view.record.owner_id or 0))
    if owner:
        yield MetaLine(owner, person=True)
