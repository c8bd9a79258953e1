"""Views of a list: those that a module brings, those that its reader keeps, and those that others share."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from flask import Response, request

from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.views import LIST, SavedView, change_view, delete_view, save_view, view_of, views_of
from comptoir.web.addresses import Pairs, given_pairs, own_path, without
from comptoir.web.frame import redirect_with
from comptoir.web.models.list import ViewForm, ViewTab
from comptoir.web.models.shell import Action, Toast
from comptoir.web.pages.list.view import ListView
from comptoir.web.session import Visit
from comptoir.web.versions import check_seen, of_form

DIALOG = "change-view"


def tabs(view: ListView) -> tuple[ViewTab, ...]:
    """All records, then the module's views, then those that people keep; one of them may be what the address asks for."""
    here = _shape(given_pairs())

    def tab(label: str, query: Pairs, kept: SavedView | None = None) -> ViewTab:
        current = _shape(query) == here
        icon = "" if kept is None else "bookmark" if kept.owner_id == view.ctx.actor.id else "users"
        form = _form(view, kept) if kept is not None and current else None
        return ViewTab(label, view.to(query), current=current, icon=icon, form=form)

    return (
        tab(str(_("All")), []),
        *(tab(str(s.label), list(s.query.items())) for s in view.screens.list.saved),
        *(tab(kept.name, kept.pairs, kept) for kept in views_of(view.ctx, LIST, view.declared.name)),
    )


def _form(view: ListView, kept: SavedView) -> ViewForm | None:
    """How the reader may change the view; None where they may not."""
    if not view.ctx.may("base.view.write", kept):
        return None
    place, fields = f"{view.url}/views/{kept.id}", of_form(kept)
    menu = [Action(str(_("Change the view")), "", "edit", dialog=DIALOG)]
    if view.ctx.may("base.view.delete", kept):
        question = (
            _("The view “{name}” is deleted for everyone who uses it.", name=kept.name)
            if kept.shared
            else _("The view “{name}” is deleted.", name=kept.name)
        )
        menu.append(
            Action(
                str(_("Delete the view")), f"{place}/delete", "trash", post=True, tone="danger", fields=fields,
                confirm=str(question),
            )
        )  # fmt: skip
    return ViewForm(place, DIALOG, kept.name, kept.shared, fields, tuple(menu))


def _shape(pairs: Pairs) -> Pairs:
    return sorted(without(pairs, "sort", "page[size]", "view", "board"))


def keep(visit: Visit, declared: DeclaredType) -> Response:
    """Keep the filters of the page that sent the form, under a name."""
    visit.context.require(declared.permission("read"))
    here = own_path(request.form.get("next", ""), declared.url, below=declared.url)
    query = without(parse_qsl(urlsplit(here).query), "page[size]")
    if request.form.get("columns") == "1":
        shown = ListView(visit, declared, query).shown
        query = [*without(query, "columns"), ("columns", ",".join(shown))]
    name, shared = request.form.get("name", ""), request.form.get("shared") == "1"
    return _saved(here, save_view(visit.context, LIST, declared.name, name, query, shared=shared))


def change(visit: Visit, declared: DeclaredType, view_id: int) -> Response:
    """Give a view another name, share it or keep it to oneself."""
    view = _seen(visit, declared, view_id)
    change_view(visit.context, view, request.form.get("name", ""), shared=request.form.get("shared") == "1")
    return _saved(own_path(request.form.get("next", ""), declared.url, below=declared.url), view)


def remove(visit: Visit, declared: DeclaredType, view_id: int) -> Response:
    """Throw a view away."""
    view = _seen(visit, declared, view_id)
    delete_view(visit.context, view)
    return redirect_with(declared.url, Toast(str(_("The view “{name}” is deleted", name=view.name))))


def _seen(visit: Visit, declared: DeclaredType, view_id: int) -> SavedView:
    """A view of this list, in the version that the form was made from."""
    view = view_of(visit.context, LIST, view_id)
    if view.subject != declared.name:
        raise NotFound(_("There is no saved view {id} here.", id=view_id))
    visit.context.require("base.view.write", view)
    check_seen(view)
    return view


def _saved(here: str, view: SavedView) -> Response:
    return redirect_with(here, Toast(str(_("“{name}” is saved", name=view.name))))
