"""Tables of administrators: users, roles, the security log."""

from __future__ import annotations

from dataclasses import dataclass

from comptoir.web.models.input import FieldInput, FormError, Option
from comptoir.web.models.shell import Action, Choice, Empty, Module, Pager
from comptoir.web.models.table import Table


@dataclass(frozen=True, slots=True)
class AdminTable:
    """Users, roles, tokens, audit: a heading, a table, one way to add."""

    title: str
    table: Table
    note: str = ""
    filters: tuple[Choice, ...] = ()
    query: str = ""
    url: str = ""
    pager: Pager | None = None
    empty: Empty | None = None


@dataclass(frozen=True, slots=True)
class SecurityPage:
    """The security log: what to look for, and what was found."""

    title: str
    url: str
    filters: tuple[FieldInput, ...]
    table: Table
    pager: Pager
    empty: Empty
    error: str = ""


@dataclass(frozen=True, slots=True)
class PermissionRow:
    name: str
    label: str
    scope: str
    scoped: bool = True


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    module: Module
    label: str
    rows: tuple[PermissionRow, ...]


@dataclass(frozen=True, slots=True)
class RoleEditor:
    title: str
    url: str
    cancel_url: str
    fields: tuple[FieldInput, ...]
    groups: tuple[PermissionGroup, ...]
    scopes: tuple[Option, ...]
    errors: tuple[FormError, ...] = ()
    delete: Action | None = None
