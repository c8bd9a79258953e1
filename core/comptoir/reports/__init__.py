"""Reports: dimensions and measures over records and their history, answered in a fixed number of statements.

Everything is read through the actor's session, so that a figure never counts what its reader may not see.
"""

from comptoir.reports.dimensions import Dimension
from comptoir.reports.measures import (
    Average,
    Change,
    Count,
    Figure,
    Measure,
    Median,
    Ratio,
    Running,
    Share,
    Sum,
    Weighted,
)
from comptoir.reports.pivot import Answer, Line, Period, Pivot, named_period, run_pivot

__all__ = [
    "Answer",
    "Average",
    "Change",
    "Count",
    "Dimension",
    "Figure",
    "Line",
    "Measure",
    "Median",
    "Period",
    "Pivot",
    "Ratio",
    "Running",
    "Share",
    "Sum",
    "Weighted",
    "named_period",
    "run_pivot",
]
