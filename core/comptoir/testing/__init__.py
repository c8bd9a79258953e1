"""What a test of Comptoir or of a plugin needs: databases, factories and the conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comptoir.testing.conformance.suite import Conformance as Conformance

__all__ = ["Conformance"]


def __getattr__(name: str) -> Any:
    """The suite is imported where it is inherited: databases and factories do without the web and its pages."""
    if name == "Conformance":
        from comptoir.testing.conformance.suite import Conformance

        return Conformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
