"""What a check is: one promise to whoever installs a plugin, looked after by one function.

Promises, findings and cures are written for authors and stand in English, as the names that they speak of do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable[[Any], Iterable["Finding"]])
Needs = Literal["source", "code", "deployment"]
"""What a check looks at: the plugin's files, its imported code, or a deployment that it is enabled in."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that breaks a promise: what is wrong, where (``plugin.py:12`` or a name), and what to do."""

    wrong: str
    place: str
    cure: str


class NotApplicable(Exception):
    """There is nothing to look at, or something that the check needs is not there; says what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise; ``look`` yields what breaks it."""

    id: str
    promise: str
    needs: Needs
    look: Callable[[Any], Iterable[Finding]]

    @property
    def theme(self) -> str:
        """What it belongs to: the part of its id before the dot."""
        return self.id.partition(".")[0]


THEMES = {
    "names": "Names",
    "layers": "Layers",
    "types": "Types",
    "hooks": "Hooks and contributions",
    "languages": "Languages",
    "documents": "Documents",
    "privacy": "Privacy",
    "schema": "Tables and migrations",
    "rights": "Rights",
    "pages": "Pages",
    "records": "Records",
    "work": "Work",
    "life": "Life cycle",
    "speed": "Speed",
}
"""The themes in the order of the report, with their titles."""

CHECKS: dict[str, Check] = {}
"""Every check by its id."""


def check(id: str, *, needs: Needs) -> Callable[[F], F]:
    """Register a function as a check; its docstring is the promise."""

    def register(look: F) -> F:
        assert id not in CHECKS, id
        promise = " ".join((inspect.getdoc(look) or "").partition("\n\n")[0].split())
        CHECKS[id] = Check(id, promise, needs, look)
        return look

    return register
