"""The figures and boxes of a record page: its own, and those that other modules add."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

from flask import render_template
from markupsafe import Markup

from comptoir.contributions import Fact as FactOf
from comptoir.contributions import Panel
from comptoir.db.fields import fields_of
from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.values import Amount
from comptoir.web.frame import module_of
from comptoir.web.models.record import Fact, Pair, PanelView
from comptoir.web.models.table import EMPTY
from comptoir.web.pages.cells import value_of, wire_name
from comptoir.web.pages.form.view import sections_of
from comptoir.web.pages.record.view import RecordView
from comptoir.web.session import Visit


def facts(view: RecordView) -> Iterator[Fact]:
    """The figures of the record, and behind the first paint those of other modules."""
    for column in view.registry.screens(view.declared).facts:
        name = wire_name(column)
        if name not in view.hidden and name in view.declared.fields:
            cell = view.cell(name)
            yield Fact(str(view.declared.fields[name].label), cell.text, url=cell.url)
    for plugin, fact in view.registry.offered(FactOf, view.grants) if view.whole else ():
        if fact.model is not view.declared.model:
            continue
        value = view.guarded(plugin.name, lambda fact=fact: fact.value(view.ctx, view.record))  # type: ignore[misc]
        if value is not None:
            tone: Any = fact.tone
            figure = _figure(view.visit, value)
            yield Fact(str(fact.label), figure, tone=tone, module=module_of(view.registry, plugin.name))


def _figure(visit: Visit, value: Any) -> str:
    """What a plugin's function answered, in the reader's form."""
    formats = visit.formats
    match value:
        case Amount(amount, currency):
            return formats.money(amount, currency)
        case bool():
            return str(_("yes") if value else _("no"))
        case int():
            return formats.integer(value)
        case dt.datetime():
            return formats.moment(value)
        case dt.date():
            return formats.near_day(value)
        case _ if hasattr(value, "as_tuple"):
            return formats.decimal(value)
        case _:
            return str(value)


def own(view: RecordView) -> Iterator[PanelView]:
    """The sections of the form, with what is filled in; those of other modules also while empty."""
    declared = view.declared
    edit_url = f"{view.url}/edit" if view.may("write") else ""
    above = {declared.title, *declared.with_role("tags")}
    for module, section in sections_of(view.visit, declared):
        names = [name for column in section.fields if (name := wire_name(column)) in declared.fields]
        names = [name for name in names if name not in view.hidden and name not in above]
        pairs = tuple(Pair(str(declared.fields[name].label), tuple(_values(view, name))) for name in names)
        filled = tuple(pair for pair in pairs if pair.cells)
        if filled or (pairs and module is not None):
            yield PanelView(str(section.title), pairs=filled or pairs, edit_url=edit_url, module=module)


def _values(view: RecordView, name: str) -> Iterator[Cell]:
    field = view.declared.fields[name]
    if field.kind.lined:
        yield from _lines(view, name)
    elif (cell := view.cell(name)) != EMPTY:
        is_long = field.multiline and cell.text
        yield Cell(str(value_of(view.record, view.declared, name))) if is_long else cell


def _lines(view: RecordView, name: str) -> Iterator[Cell]:
    line_type = view.declared.fields[name].line
    assert line_type is not None
    described = {n: f for n, f in fields_of(line_type).items() if not f.server and not f.kind.lined}
    label = next((n for n, f in described.items() if f.choices), "")
    for line in getattr(view.record, name):
        values = {n: getattr(line, n) for n in described}
        note = str(described[label].label_of(values[label])) if label else ""
        shown = [
            view.cells.cell(n, f, values) for n, f in described.items() if n != label and values[n] not in (None, "")
        ]
        if len(shown) == 1 and shown[0].note:
            yield shown[0]
        elif shown:
            yield dataclasses.replace(shown[0], text=", ".join(c.text for c in shown), note=note)


def added(view: RecordView) -> Iterator[PanelView]:
    """The boxes of other modules; one that fails says so and the page stays up."""
    for plugin, panel in view.registry.offered(Panel, view.grants):
        if panel.on is not view.declared.model:
            continue
        html = view.guarded(plugin.name, lambda panel=panel: _rendered(view, panel))  # type: ignore[misc]
        failed = "" if html is not None else str(_("This part could not be shown. The log says why."))
        yield PanelView(
            str(panel.title), html=html or Markup(), failed=failed, width="full" if panel.wide else "half",
            module=module_of(view.registry, plugin.name),
        )  # fmt: skip


def _rendered(view: RecordView, panel: Panel) -> Markup:
    values = panel.values(view.ctx, view.record)
    html = render_template(panel.template, record=view.record, formats=view.visit.formats, **values)
    return Markup(html)  # noqa: S704 -- the plugin's template escaped its values
