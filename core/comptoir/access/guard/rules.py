"""What a rule of access says: which rows of a table somebody sees, changes and deletes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.sql import ColumnElement, FromClause

from comptoir.errors import NotAllowed


class AccessRefused(NotAllowed):
    """A statement that a user's session may not emit, whatever the user's rights; a defect of the code that emits it."""

    code = "core.access_refused"


@dataclass(frozen=True, slots=True)
class Everything:
    """All rows."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row."""


@dataclass(frozen=True, slots=True)
class Own:
    """Rows whose `column` is the user."""

    column: str = "owner_id"


@dataclass(frozen=True, slots=True)
class Team:
    """The user's own rows, and those of the teams at or below the user's teams."""

    owner_column: str = "owner_id"
    team_column: str = "team_id"


@dataclass(frozen=True, slots=True)
class Through:
    """Rows whose parent the user may see; to write one, the user must be allowed to do `writing` with the parent."""

    column: str
    parent: str
    writing: str = "update"


@dataclass(frozen=True, slots=True)
class Attached:
    """Rows that point at any record by (type, id), one that the user may see; writing asks for no more.

    `owner_column` and `team_column` are copies of the record's own: they pass over foreign rows without a look at the
    record, which still decides.
    """

    type_column: str = "record_type"
    id_column: str = "record_id"
    owner_column: str | None = None
    team_column: str | None = None


@dataclass(frozen=True, slots=True)
class Pointing:
    """Rows that point at any record by one `column`, at one of these `types` that the user may see; writing asks for no more."""

    column: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instead:
    """Rows of a parent, where they name one; the others belong to the record that they point at, and to nothing to `nobodys`."""

    parent: Through
    pointing: Pointing
    nobodys: Everything | Nothing = Nothing()


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of a plugin: `builder` gets the table or an alias of it; rules with the same `key` are the same."""

    key: Hashable
    builder: Callable[[FromClause], ColumnElement[bool]] = field(compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Rows that all the rules let through."""

    rules: tuple[Rule, ...]


Rule = Everything | Nothing | Own | Team | Through | Attached | Pointing | Instead | Where | And

READ = "read"
UPDATE = "update"
DELETE = "delete"
INSERT = "insert"


@dataclass(frozen=True, slots=True)
class TableRule:
    """What a user may do with the rows of one table. To change or delete a row the user must also be able to see it.

    `insert` lets rows be created: where a rule, within that scope, where True, within the scope of `update`.
    `hidden` columns read as NULL and cannot be updated.  Those of them that are `kept` by the server follow from what
    the user may write: a flush of records writes them, a statement does not.
    """

    read: Rule = Nothing()
    update: Rule = Nothing()
    delete: Rule = Nothing()
    insert: Rule | bool = False
    hidden: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    def rule_for(self, action: str) -> Rule:
        """The rule of an action."""
        if action == INSERT:
            if isinstance(self.insert, bool):
                return self.update if self.insert else Nothing()
            return self.insert
        rule: Rule = getattr(self, action)
        return rule


READER: ContextVar[int | None] = ContextVar("comptoirREADER", default=None)


def me() -> ColumnElement[int]:
    """The id of the user whose session executes the statement."""
    return bindparam("comptoir_me", callable_=READER.get, type_=BigInteger(), unique=True)
