"""The pages that describe the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiParameter:
    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ApiOperation:
    method: str
    path: str
    summary: str
    description: str
    anchor: str
    parameters: tuple[ApiParameter, ...] = ()
    body: str = ""
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ApiGroup:
    label: str
    anchor: str
    operations: tuple[ApiOperation, ...]


@dataclass(frozen=True, slots=True)
class ApiDocsPage:
    title: str
    version: str
    description: str
    spec_url: str
    groups: tuple[ApiGroup, ...] = ()
    schemas: tuple[tuple[str, str, str], ...] = ()
