"""Queries over records: filters, lists, counts, totals and groups, for screens, API, export and reports alike.

Names and values are checked against the declared fields and the actor's rights; nothing from outside reaches SQL as text.
"""

from comptoir.kinds import PERIODS
from comptoir.records.query.aggregate import aggregate, totals
from comptoir.records.query.load import load, load_many
from comptoir.records.query.newest import Strand, newest
from comptoir.records.query.page import Page, count, run
from comptoir.records.query.parse import parse, parse_filter, to_pairs, where
from comptoir.records.query.paths import Path, resolve
from comptoir.records.query.titles import references_of, titles
from comptoir.records.query.tree import All, Any_, Compare, Filter, Not, Query, and_also, normalised

__all__ = [
    "PERIODS",
    "All",
    "Any_",
    "Compare",
    "Filter",
    "Not",
    "Page",
    "Path",
    "Query",
    "Strand",
    "aggregate",
    "and_also",
    "count",
    "load",
    "load_many",
    "newest",
    "normalised",
    "parse",
    "parse_filter",
    "references_of",
    "resolve",
    "run",
    "titles",
    "to_pairs",
    "totals",
    "where",
]
