"""Reports: dimensions and measures over records and their history, answered in a fixed number of statements.

Everything is read through the actor's session, so that a figure never counts what its reader may not see.
"""

from comptoir.reports.declared import Report, ReportColumn, ReportResult
from comptoir.reports.dimensions import Dimension
from comptoir.reports.measures import (
    Average,
    Count,
    Figure,
    Measure,
    Median,
    PeriodChange,
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
    "Count",
    "Dimension",
    "Figure",
    "Line",
    "Measure",
    "Median",
    "Period",
    "PeriodChange",
    "Pivot",
    "Ratio",
    "Report",
    "ReportColumn",
    "ReportResult",
    "Running",
    "Share",
    "Sum",
    "Weighted",
    "named_period",
    "run_pivot",
]
