"""How long the drills go on: `make test` runs a short form of each, `make drill` one that is this many times longer."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

VARIABLE = "COMPTOIR_DRILL"
LONGER = int(os.environ.get(VARIABLE, "1"))
FIGURES = "figures"
"""The property under which a drill records what it did, in a few words."""


def table_of(reports: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """A line for each file of drills: how many ended how, in which time; below it what they did."""
    ended = [report for outcome in ("passed", "failed") for report in reports.get(outcome, ())]
    for file in sorted({report.location[0] for report in ended}):
        mine = [report for report in ended if report.location[0] == file]
        counts = Counter(report.outcome for report in mine if report.when == "call" or report.failed)
        seconds = sum(report.duration for report in mine)
        yield f"{counts['passed']:6} passed {counts['failed']:4} failed {seconds:6.0f} s   {file}"
        for report in mine:
            if figures := dict(report.user_properties).get(FIGURES):
                yield f"       {report.location[2]}: {figures}"
