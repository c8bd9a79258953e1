"""What was measured: a table to read and JSON to keep, each number beside the floor's and its promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One measure on one engine; times in milliseconds unless ``unit`` says otherwise."""

    measure: str
    engine: str
    what: str
    value: float
    floor: float | None = None
    """The same of the bare server, or of what the value is compared with."""
    promise: float | None = None
    """The limit of the ratio, or of the value where there is no floor."""
    unit: str = "ms"
    at_least: bool = False
    """Whether the promise is a lower limit."""
    processor: float | None = None
    """Milliseconds of processor time of the server for each request, the database's own not among them."""
    processor_floor: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value over the floor."""
        return self.value / self.floor if self.floor else None

    @property
    def is_broken(self) -> bool:
        """Whether the promise is broken."""
        if self.promise is None:
            return False
        measured = self.value if self.ratio is None else self.ratio
        return measured < self.promise if self.at_least else measured > self.promise

    @property
    def is_checked(self) -> bool:
        """Whether ``--check`` judges it: a ratio of one run or a count, which a busy machine does not change; never a time."""
        return self.promise is not None and (self.ratio is not None or self.unit in ("queries", "failed"))


def as_json(results: Sequence[Result], about: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a file."""
    return {**about, "results": [{**asdict(r), "ratio": r.ratio, "broken": r.is_broken} for r in results]}


HEADINGS = ("measure", "engine", "Comptoir", "floor", "ratio", "promise", "CPU", "CPU floor", "")


def table(results: Sequence[Result]) -> str:
    """Everything, for a terminal."""
    rows = [HEADINGS, *(_cells(result) for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(widths) - 1
    return [
        cell.ljust(width) if place in (0, 1, last) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _cells(result: Result) -> tuple[str, ...]:
    sign = "≥" if result.at_least else "≤"
    promise = ""
    if result.promise is not None:
        promise = f"{sign} {result.promise:g}" + (" ×" if result.ratio is not None else f" {result.unit}")
    mark = "BROKEN " if result.is_broken else ""
    return (
        result.what,
        result.engine,
        f"{_number(result.value)} {result.unit}",
        _number(result.floor) if result.floor is not None else "",
        f"{result.ratio:.2f}" if result.ratio is not None else "",
        promise,
        _number(result.processor) if result.processor is not None else "",
        _number(result.processor_floor) if result.processor_floor is not None else "",
        mark + result.note,
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
