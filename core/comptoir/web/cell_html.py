"""The HTML of one formatted value.  In Python rather than in a template, because a list has hundreds of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from markupsafe import Markup, escape

from comptoir.web.filters import hue, initials
from comptoir.web.view_models import Cell

NOTHING = Markup('<span class="t-3">–</span>')
ACT_ICONS = {"late": "warn", "today": "check", "plan": "clock", "none": "plus"}


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
                return f'<a class="link link--cell" href="{escape(c.url)}">{text}</a>' if c.url else str(text)
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
