"""The conformance suite: what every plugin promises to those who install it, looked after without a server."""

from importlib import import_module

from comptoir.testing.conformance.check import CHECKS, THEMES, Check, Finding
from comptoir.testing.conformance.run import ENGINES, Inspection, Report, Result, inspect_plugin, steps

for theme in THEMES:
    import_module(f"{__name__}.{theme}")

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
