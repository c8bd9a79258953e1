"""The HTML of values and of the rows of lists.  In Python rather than in templates, because a list has hundreds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import markupsafe
from markupsafe import Markup

from comptoir.i18n import _
from comptoir.kinds import Cell
from comptoir.web.filters import hue, icon_name, initials
from comptoir.web.models.list import ListPage
from comptoir.web.models.table import Column, Row

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


def icon_writer(asset: Callable[[str], str]) -> Callable[..., Markup]:
    """The function that writes icons, with the address of one generation's sprite."""
    sprite = asset("icons.svg")

    @lru_cache(maxsize=512)
    def icon(name: str, size: int = 16, look: str = "") -> Markup:
        extra = (f" i--{size}" if size != 16 else "") + (f" {escape(look)}" if look else "")
        drawing = f'<svg class="i{extra}" aria-hidden="true"><use href="{sprite}#{icon_name(name)}"/></svg>'
        return Markup(drawing)  # noqa: S704 -- the name is one that is drawn

    return icon


def cell_writer(icon: Callable[..., Markup]) -> Callable[[Cell], Markup]:
    """The function that writes cells."""

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
                if c.tone:
                    hint = escape(str(_("Kept as typed. Write it with its country’s prefix, such as +40.")))
                    mark = f'<span class="tag" title="{hint}">{escape(str(_("unclear")))}</span>'
                    return f'<span class="row row--4"><span class="num">{text}</span>{mark}</span>'
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


def rows_writer(write: Callable[[Cell], Markup]) -> Callable[[ListPage, Iterable[Row]], Markup]:
    """The function that writes the rows of a list's table."""

    def rows(page: ListPage, found: Iterable[Row]) -> Markup:
        select = str(_("Select {name}")) if page.bulk else ""
        binned = f'<span class="tag">{escape(str(_("In the bin")))}</span>'
        heads = [(f'<td class="{_class_of(column)}">', column.kind == "title") for column in page.columns]
        parts: list[str] = []
        for row in found:
            url = escape(row.url)
            parts.append(f'<tr data-row="{url}"><td class="pin pin--1">')
            if select:
                label = escape(select.format(name=row.title))
                parts.append(
                    f'<label class="hit"><input type="checkbox" class="ck" form="bulk-form" name="ids" value="{row.id}-{row.version}"'
                    f' aria-label="{label}"></label>'
                )
            parts.append("</td>")
            for (opening, is_title), cell in zip(heads, row.cells, strict=True):
                parts.append(opening)
                if is_title:
                    face = avatar(row.title, square=row.square) if page.avatars else ""
                    mark = binned if row.archived else ""
                    parts.append(
                        f'<span class="row">{face}<a class="name trunc" href="{url}">{escape(cell.text)}</a>{mark}</span>'
                    )
                else:
                    parts.append(write(cell))
                parts.append("</td>")
            parts.append("</tr>\n")
        return Markup("".join(parts))  # noqa: S704 -- every value above is escaped

    return rows


def _class_of(column: Column) -> str:
    looks = ("r" if column.right else "", "pin pin--2" if column.pinned else "", f"t-{column.phone or 'only'}")
    return " ".join(filter(None, looks))
