"""Charts drawn by the server: plain numbers in, SVG out.

Every chart names its figures in its label, so that it can be heard as well as seen, and takes its colours from classes,
so that it follows the theme.  Values must be finite; negative ones count as zero except in lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

from markupsafe import Markup, escape

Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One row of values, as long as the chart's labels.  ``style`` is a colour class: s1 to s6, soft or hatch."""

    label: str
    values: Sequence[float]
    style: str = "s1"


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a funnel or a ranking."""

    label: str
    value: float
    shown: str
    note: str = ""
    detail: str = ""
    tone: str = ""
    url: str = ""


def short_number(value: float) -> str:
    """1200 as 1.2k, 3000000 as 3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def axis_step(top: float, lines: int = 4) -> float:
    """A round distance between grid lines, so that about this many cover the value."""
    if top <= 0:
        return 1
    raw = top / lines
    power: float = 10 ** floor(log10(raw))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw)


def sparkline(values: Sequence[float], *, style: str = "s1", width: int = 72, height: int = 28) -> Markup:
    """A line without axes beside a figure, decoration to those who hear the figure."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = width / (len(values) - 1)
    points = " ".join(
        f"{i * step:.1f},{height - 3 - (v - low) / span * (height - 6):.1f}" for i, v in enumerate(values)
    )
    return Markup(
        '<svg class="spark" width="{w}" height="{h}" viewBox="0 0 {w} {h}" aria-hidden="true"><polyline class="ln {s}" points="{p}"/></svg>'
    ).format(w=width, h=height, s=style, p=points)


def run_history(results: Sequence[tuple[str, float]], *, slots: int = 20) -> Markup:
    """The last runs of a job, oldest first: (ok, warn, bad or off, seconds); failures stand out by height and colour."""
    longest = max((seconds for _, seconds in results), default=0) or 1
    bars = []
    for place, (result, seconds) in enumerate(results[-slots:], start=slots - len(results[-slots:])):
        height = 16 if result in {"warn", "bad"} else 5 + round(8 * seconds / longest)
        bars.append(
            f'<rect class="run-{result}" x="{place * 6}" y="{16 - height}" width="4" height="{height}" rx="1"/>'
        )
    return Markup(
        '<svg class="runs" width="{w}" height="16" viewBox="0 0 {w} 16" aria-hidden="true">{bars}</svg>'
    ).format(w=slots * 6, bars=_drawn(bars))


def legend(series: Sequence[Series]) -> Markup:
    """What the colours of a stacked chart mean."""
    items = Markup("").join(
        Markup(
            '<span><svg class="key" width="10" height="10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>{}</span>'
        ).format(s.style, s.label)
        for s in series
    )
    return Markup('<div class="legend">{}</div>').format(items)


def _drawn(pieces: list[str]) -> Markup:
    """Pieces made here of numbers, class names and escaped text."""
    return Markup("".join(pieces))  # noqa: S704


def _frame(title: str, body: list[str], width: int, height: int) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, _drawn(body)
    )


def _spoken(title: str, labels: Sequence[str], series: Sequence[Series], show: Show) -> str:
    parts = []
    for place, label in enumerate(labels):
        figures = ", ".join(
            f"{s.label} {show(s.values[place])}" if len(series) > 1 else show(s.values[place]) for s in series
        )
        parts.append(f"{label}: {figures}")
    return f"{title}. " + "; ".join(parts)


def columns(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    show: Show = short_number,
    targets: Sequence[float] | None = None,
    width: int = 520,
    height: int = 232,
) -> Markup:
    """Upright bars, one per label, stacked when there are several series, each total written on top."""
    totals = [sum(max(s.values[i], 0) for s in series) for i in range(len(labels))]
    top = max([*totals, *(targets or ()), 0])
    body, ground, scale = _axis(top, width, height, show)
    room = (width - 40) / max(len(labels), 1)
    thick = min(52.0, room * 0.6)
    for place, label in enumerate(labels):
        x = 40 + place * room + (room - thick) / 2
        level = ground
        for s in series:
            tall = max(s.values[place], 0) * scale
            if tall:
                level -= tall
                body.append(
                    f'<rect class="{s.style}" x="{x:.1f}" y="{level:.1f}" width="{thick:.1f}" height="{max(tall - 1, 1):.1f}" rx="1"/>'
                )
        if targets is not None:
            mark = ground - targets[place] * scale
            body.append(f'<path class="target" d="M{x - 6:.1f} {mark:.1f}h{thick + 12:.1f}"/>')
            level = min(level, mark)
        middle = x + thick / 2
        body.append(
            f'<text class="lbl" x="{middle:.1f}" y="{level - 6:.1f}" text-anchor="middle">{escape(show(totals[place]))}</text>'
        )
        if place % max(1, round(len(labels) * 44 / (width - 40))) == 0:
            body.append(f'<text x="{middle:.1f}" y="{height - 9}" text-anchor="middle">{escape(label)}</text>')
    drawn = _frame(_spoken(title, labels, series, show), body, width, height)
    return legend(series) + drawn if len(series) > 1 else drawn


def line(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    show: Show = short_number,
    width: int = 520,
    height: int = 232,
) -> Markup:
    """Lines over time, each labelled at its end."""
    top = max([v for s in series for v in s.values] or [0])
    body, ground, scale = _axis(top, width, height, show)
    room = (width - 120) / max(len(labels) - 1, 1)
    for s in series:
        points = " ".join(f"{44 + i * room:.1f},{ground - max(v, 0) * scale:.1f}" for i, v in enumerate(s.values))
        body.append(f'<polyline class="ln {s.style}" points="{points}"/>')
        if s.values:
            end = ground - max(s.values[-1], 0) * scale
            body.append(
                f'<text class="lbl" x="{52 + (len(s.values) - 1) * room:.1f}" y="{end + 4:.1f}">{escape(s.label)}</text>'
            )
    every = max(1, round(len(labels) * 44 / (width - 120)))
    for place, label in enumerate(labels):
        if place % every == 0:
            body.append(
                f'<text x="{44 + place * room:.1f}" y="{height - 9}" text-anchor="middle">{escape(label)}</text>'
            )
    return _frame(_spoken(title, labels, series, show), body, width, height)


def _axis(top: float, width: int, height: int, show: Show) -> tuple[list[str], float, float]:
    """Grid lines and their labels, the y of zero, and how many pixels one unit takes."""
    ground = height - 26
    step = axis_step(top)
    lines = max(1, -(-top // step)) if top > 0 else 1
    scale = (ground - 24) / (lines * step)
    body = []
    for place in range(int(lines) + 1):
        y = ground - place * step * scale
        kind = "ax" if place == 0 else "gl"
        body.append(f'<path class="{kind}" d="M40 {y:.1f}H{width}"/>')
        body.append(f'<text x="34" y="{y + 4:.1f}" text-anchor="end">{escape(show(place * step))}</text>')
    return body, ground, scale


def bars(
    title: str,
    items: Sequence[Bar],
    *,
    heads: tuple[str, str, str, str] = ("", "", "", ""),
    fade: bool = False,
) -> Markup:
    """Lying bars as a table: a ranking, or with ``fade`` a funnel; heads name label, value, note and detail."""
    top = max((item.value for item in items), default=0) or 1
    has_note, has_detail = any(i.note for i in items), any(i.detail for i in items)
    head = Markup(
        "<tr><th scope=col>{}</th><th><span class=sr>{}</span></th><th scope=col class=right>{}</th>{}{}</tr>"
    ).format(
        heads[0],
        title,
        heads[1],
        Markup("<th scope=col class=right>{}</th>").format(heads[2]) if has_note else "",
        Markup('<th scope=col class="bars__d hide-xs">{}</th>').format(heads[3]) if has_detail else "",
    )
    rows = []
    for item in items:
        percent = max(0, min(100, round(item.value / top * 100)))
        tone = item.tone or (f"fade-{max(0, min(4, (100 - percent) // 20))}" if fade else "s1")
        name = (
            Markup('<a class="name" href="{}">{}</a>').format(item.url, item.label) if item.url else escape(item.label)
        )
        rows.append(
            Markup(
                '<tr><th scope=row>{}</th><td><svg class="hbar" width="100%" height="20" aria-hidden="true">'
                '<rect class="well" width="100%" height="20" rx="3"/><rect class="{}" width="{}%" height="20" rx="3"/></svg></td>'
                "<td class='right num'>{}</td>{}{}</tr>"
            ).format(
                name,
                tone,
                percent,
                item.shown,
                Markup("<td class='right num t-2'>{}</td>").format(item.note) if has_note else "",
                Markup("<td class='bars__d fs-12 t-3 trunc hide-xs'>{}</td>").format(item.detail) if has_detail else "",
            )
        )
    return Markup(
        '<table class="bars"><caption class="sr">{}</caption><thead>{}</thead><tbody>{}</tbody></table>'
    ).format(title, head, Markup("").join(rows))


def parts(title: str, items: Sequence[Bar]) -> Markup:
    """One bar cut into shares, with its key below: ages of debts, kinds of contacts."""
    whole = sum(max(item.value, 0) for item in items) or 1
    at = 0.0
    cuts, keys = [], []
    for place, item in enumerate(items):
        style = item.tone or f"s{place % 6 + 1}"
        share = max(item.value, 0) / whole * 100
        cuts.append(f'<rect class="{style}" x="{at:.2f}%" width="{max(share - 0.4, 0):.2f}%" height="8" rx="2"/>')
        keys.append(
            Markup(
                '<dt><svg class="key" width="10" height="10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>{}</dt>'
                '<dd class="num">{}</dd>'
            ).format(style, item.label, item.shown)
        )
        at += share
    spoken = f"{title}. " + "; ".join(f"{item.label}: {item.shown}" for item in items)
    return Markup(
        '<svg class="parts" width="100%" height="8" role="img" aria-label="{}">{}</svg><dl class="kv kv--parts">{}</dl>'
    ).format(spoken, _drawn(cuts), Markup("").join(keys))
