"""The HTML of formatted values and of the rows that hold them.  In Python rather than in a template, because a list has hundreds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import markupsafe
from markupsafe import Markup

from comptoir.i18n import _
from comptoir.web.filters import hue, initials
from comptoir.web.view_models import Cell, Column, Row

NOTHING = Markup('<span class="t-3">–</span>')
ACT_ICONS = {"late": "warn", "today": "check", "plan": "clock", "none": "plus"}


@lru_cache(maxsize=8192)
def escape(text: str) -> str:
    """The text as HTML; lists repeat themselves, so it is remembered."""
    return str(markupsafe.escape(text))


@lru_cache(maxsize=2048)
def avatar(name: str, size: int = 24, *, square: bool = False) -> str:
    """The initials of a name in its colour."""
    shape = (f" av--{size}" if size != 24 else "") + (" av--sq" if square else "")
    return f'<span class="av av--{hue(name)}{shape}" aria-hidden="true">{escape(initials(name))}</span>'


def cell_writer(asset: Callable[[str], str]) -> Callable[[Cell], Markup]:
    """The function that writes cells, with the addresses of one generation's static files."""
    sprite = asset("icons.svg")

    def icon(name: str, size: int = 16, look: str = "") -> str:
        extra = (f" i--{size}" if size != 16 else "") + (f" {look}" if look else "")
        return f'<svg class="i{extra}" aria-hidden="true"><use href="{sprite}#{name}"/></svg>'

    def body(c: Cell) -> str:
        text = escape(c.text)
        match c.kind:
            case "title":
                return f'<a class="name" href="{escape(c.url)}">{text}</a>'
            case "link":
                return f'<a class="link link--cell" href="{escape(c.url)}">{text}</a>' if c.url else text
            case "person":
                return f'<span class="row row--6">{avatar(c.text, 20)}<span class="trunc">{text}</span></span>'
            case "status":
                return f'<span class="st st--{escape(c.tone or "off")}">{text}</span>'
            case "act":
                look = "t-bad w-5" if c.tone == "late" else "t-3"
                mark = f'<span class="act act--{c.tone}" title="{text}">{icon(ACT_ICONS[c.tone])}<span class="sr">{text}</span></span>'
                return f'<span class="row row--6">{mark}<span class="fs-12 num {look}">{escape(c.note or c.text)}</span></span>'
            case "phone":
                return f'<a class="link num" href="tel:{escape(c.url or c.text)}">{text}</a>'
            case "email":
                return f'<a class="link trunc" href="mailto:{text}">{text}</a>'
            case "moment":
                tone = f" t-{escape(c.tone)}" if c.tone else ""
                when = f' datetime="{escape(c.iso)}"' if c.iso else ""
                return f'<time class="num{tone}"{when}>{text}</time>'
            case "bool":
                mark = icon("check", 14) if c.tone == "ok" else icon("minus", 14, "t-3")
                return f'<span class="row row--4">{mark}<span class="sr">{text}</span></span>'
            case "bar":
                width = max(0, min(100, c.percent))
                bar = f'<span class="bar bar--8 grow"><i class="pc-{width} {escape(c.tone)}"></i></span>'
                return f'<span class="row">{bar}<span class="num fs-12 w-5 bar__n">{text}</span></span>'
            case _:
                return f'<span class="t-{escape(c.tone)}">{text}</span>' if c.tone else f"<span>{text}</span>"

    def write(c: Cell) -> Markup:
        if c.kind == "tags":
            tags = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in c.tags)
            return Markup(f'<span class="row row--4">{tags}</span>') if tags else NOTHING  # noqa: S704
        if c.text == "":
            return NOTHING
        note = f' <span class="n">{escape(c.note)}</span>' if c.note and c.kind != "act" else ""
        return Markup(body(c) + note)  # noqa: S704 -- every value above is escaped

    return write


def row_writer(cell: Callable[[Cell], Markup]) -> Callable[..., Markup]:
    """The function that writes the rows of a list: ``rows_html(rows, columns, avatars=…, selectable=…)``."""

    def write(rows: Iterable[Row], columns: Sequence[Column], *, avatars: bool, selectable: bool) -> Markup:
        opened = [(f'<td class="{_look(column)}">', column.kind == "title") for column in columns]
        binned = f'<span class="tag">{escape(str(_("In the bin")))}</span>'
        parts: list[str] = []
        for row in rows:
            url = escape(row.url)
            parts.append(f'<tr data-row="{url}"><td class="pin pin--1">')
            if selectable:
                label = escape(str(_("Select {name}", name=row.title)))
                parts.append(
                    '<label class="hit"><input type="checkbox" class="ck" form="bulk-form" name="ids"'
                    f' value="{escape(row.id)}" aria-label="{label}"></label>'
                )
            parts.append("</td>")
            for (start, is_title), c in zip(opened, row.cells, strict=True):
                if is_title:
                    face = avatar(row.title, square=row.square) if avatars else ""
                    name = f'<a class="name trunc" href="{url}">{escape(c.text)}</a>'
                    parts.append(f'{start}<span class="row">{face}{name}{binned if row.archived else ""}</span></td>')
                else:
                    parts.append(f"{start}{cell(c)}</td>")
            parts.append("</tr>\n")
        return Markup("".join(parts))  # noqa: S704 -- every value above is escaped

    return write


def _look(column: Column) -> str:
    """The classes of a column's cells."""
    shown = f" t-{column.phone}" if column.phone else " t-only"
    return ("r" if column.right else "") + (" pin pin--2" if column.pinned else "") + shown
