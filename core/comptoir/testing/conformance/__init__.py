"""The conformance suite: what every plugin promises to those who install it, looked after without a server."""

from comptoir.testing.conformance import (  # in the order of the report
    documents,
    hooks,
    languages,
    layers,
    life,
    names,
    pages,
    privacy,
    records,
    rights,
    schema,
    speed,
    types,
    work,
)
from comptoir.testing.conformance.check import CHECKS, Check, Finding
from comptoir.testing.conformance.run import ENGINES, Inspection, Report, Result, inspect_plugin, steps

THEMES = tuple(
    module.__name__.rpartition(".")[2]
    for module in (
        names, layers, types, hooks, languages, documents, privacy, schema, rights, pages, records, work, life, speed
    )
)  # fmt: skip

__all__ = [
    "CHECKS",
    "ENGINES",
    "THEMES",
    "Check",
    "Finding",
    "Inspection",
    "Report",
    "Result",
    "inspect_plugin",
    "steps",
]
