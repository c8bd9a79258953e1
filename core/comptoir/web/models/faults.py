"""The page of what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from comptoir.web.models.shell import Action


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: int
    title: str
    message: str
    number: str = ""
    actions: tuple[Action, ...] = ()
