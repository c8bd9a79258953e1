"""A list as its reader gets it: what the address asks for, the columns, and the rows of one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from comptoir.contributions import Screens
from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.query import Page, Query, parse, run
from comptoir.web.addresses import Pairs, url_with, without
from comptoir.web.models.shell import Choice
from comptoir.web.pages.cells import Cells, look_up_titles, wanted_titles, wire_name
from comptoir.web.pages.faces import faces_of
from comptoir.web.session import Visit

PARAMETERS = ("view", "columns", "group", "board", "back")
"""Parameters of the page that are none of the query."""
SIZE = 50


def parsed_query(visit: Visit, declared: DeclaredType, screens: Screens, pairs: Pairs) -> Query:
    """The query of the address, in the list's own order where it names none."""
    asked = [(name, value) for name, value in pairs if name not in PARAMETERS]
    if not any(name == "sort" for name, _value in asked) and screens.list.sort:
        asked.append(("sort", ",".join(screens.list.sort)))
    if not any(name == "page[size]" for name, _value in asked):
        asked.append(("page[size]", str(visit.preferences.get("size", SIZE))))
    return parse(visit.context, declared, asked)


def views_of(declared: DeclaredType, screens: Screens, current: str, pairs: Pairs) -> tuple[Choice, ...]:
    """List and board, with the same filters."""
    if screens.board is None:
        return ()
    kept = without(pairs, "view")
    on_board = url_with(f"{declared.url}/board", without(kept, "sort", "page[size]"))
    return (
        Choice(str(_("List")), url_with(declared.url, kept), current == "list", "list"),
        Choice(str(_("Board")), on_board, current == "board", "board"),
    )


class ListView:
    """The list of a record type under the parameters of an address; raises what refuses them."""

    def __init__(self, visit: Visit, declared: DeclaredType, pairs: Pairs) -> None:
        self.visit, self.declared, self.pairs, self.url = visit, declared, pairs, declared.url
        self.ctx, self.formats, self.grants = visit.context, visit.formats, visit.context.actor.grants
        self.ctx.require(declared.permission("read"))
        self.screens = visit.registry.screens(declared)
        self.hidden = declared.hidden_fields(self.grants)
        self.query = parsed_query(visit, declared, self.screens, pairs)
        self.group = self._group()

    def to(self, pairs: Pairs) -> str:
        """The address of the list with other parameters."""
        return url_with(self.url, pairs)

    # -- columns --------------------------------------------------------------------------------------------------------

    @cached_property
    def offered(self) -> tuple[str, ...]:
        """The wire names of all columns that the reader may choose."""
        listed, fields = self.screens.list, self.declared.fields
        names = [wire_name(column) for column in (*listed.columns, *listed.more, *self._added)]
        names += [n for n, f in fields.items() if not (f.kind.lined or f.multiline) and not n.startswith("name_key")]
        return tuple(name for name in dict.fromkeys(names) if name in fields and name not in self.hidden)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Those that are shown now, as the address, else the reader, else the module says; the title always."""
        standard = [wire_name(column) for column in (*self.screens.list.columns, *self._added)]
        asked = next((value.split(",") for name, value in self.pairs if name == "columns"), None)
        kept = asked or self.visit.preferences.get("columns", {}).get(self.declared.name) or standard
        chosen = [name for name in kept if name in self.offered]
        title = self.declared.title
        if title not in chosen and title in self.declared.fields:
            chosen.insert(0, title)
        return tuple(dict.fromkeys(chosen))

    @property
    def _added(self) -> list[Any]:
        additions = self.visit.registry.additions.get(self.declared.model, ())
        return [column for _module, addition in additions for column in addition.columns]

    @property
    def summed(self) -> list[str]:
        """The columns that have a total."""
        return [name for name in map(wire_name, self.screens.list.totals) if name in self.shown]

    # -- groups ---------------------------------------------------------------------------------------------------------

    @cached_property
    def groupable(self) -> list[str]:
        """The fields that rows can be grouped by."""
        fields, names = self.declared.fields, map(wire_name, self.screens.list.facets)
        return [n for n in names if n not in self.hidden and fields[n].kind.facet and fields[n].sorts]

    def _group(self) -> str:
        wished = next((value for name, value in self.pairs if name == "group"), "")
        name = self.declared.by_path.get(wished, wished)
        if name and name not in self.groupable:
            raise RuleViolation(
                "core.unknown_group", _("These rows cannot be grouped by {name}.", name=wished[:60]), field="group"
            )
        return name

    # -- rows -----------------------------------------------------------------------------------------------------------

    @cached_property
    def read(self) -> Sequence[str]:
        """The fields whose values the page shows."""
        return [*self.shown, self.group] if self.group else self.shown

    @cached_property
    def found(self) -> Page:
        """The rows of this page."""
        currencies = [c for name in self.read if (c := self.declared.currency_of(name)) is not None]
        wanted = (*self.read, *currencies, *faces_of(self.visit, self.declared), "archived_at")
        sort = (self.declared.path_of(self.group), *self.query.sort) if self.group else self.query.sort
        return run(self.ctx, self.declared, replace(self.query, fields=tuple(dict.fromkeys(wanted)), sort=sort))

    @cached_property
    def cells(self) -> Cells:
        """Makes cells, and knows the titles that the rows mention."""
        fields = {name: self.declared.fields[name] for name in self.read}
        return Cells(self.visit, self.declared, look_up_titles(self.visit, wanted_titles(fields, self.found.rows)))
