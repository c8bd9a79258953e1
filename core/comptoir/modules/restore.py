"""A module's data brought back from the export of its uninstall: the same ids, history, rights and search, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, bindparam, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from comptoir.access.models import Role, User
from comptoir.access.permissions import raise_access_stamp
from comptoir.access.roles import copy_templates, grant_role, set_permission
from comptoir.access.security_log import MODULE_CHANGED, record_event
from comptoir.context import Context, unrestricted
from comptoir.db.base import Base
from comptoir.db.gate import opened
from comptoir.db.search import entry_of, write_entries
from comptoir.errors import RuleViolation
from comptoir.i18n import Text, _, ngettext
from comptoir.modules.export import LINKS, Export, ExportedRole, links_to, readers_of
from comptoir.records.history import HistoryEntry
from comptoir.registry.models import DemoRecord
from comptoir.registry.registry import Registry
from comptoir.values import RecordRef

T = TypeVar("T")
PART = 500
"""So many rows are written at once."""


@dataclass(slots=True)
class Restored:
    """What came back of a module, and what could not."""

    module: str
    rows: Counter[str] = field(default_factory=Counter)
    """Rows by table, history and demonstration marks among them."""
    emptied: Counter[str] = field(default_factory=Counter)
    """By table and column: references to records that are gone meanwhile."""
    refused: Counter[str] = field(default_factory=Counter)
    """By table: rows that cannot be without a record that is gone meanwhile."""
    roles: list[str] = field(default_factory=list)
    links: int = 0
    """Links of other records that lead to its records again."""

    def lines(self) -> list[str]:
        """The same in words, one line each."""
        found: list[Text] = [
            ngettext("{table}: {count} row is back", "{table}: {count} rows are back", count, table=table)
            for table, count in self.rows.items()
        ]
        found += [_("role {role} is back", role=role) for role in self.roles]
        if self.links:
            found.append(
                ngettext("{count} link to its records is back", "{count} links to its records are back", self.links)
            )
        return [*(str(line) for line in found), *self.shortfalls()]

    def shortfalls(self) -> list[str]:
        """What could not come back, in words."""
        found = [
            ngettext(
                "{column}: {count} reference was emptied, its record is gone",
                "{column}: {count} references were emptied, their records are gone",
                count,
                column=column,
            )
            for column, count in self.emptied.items()
        ]
        found += [
            ngettext(
                "{table}: {count} row stays away, the record it belongs to is gone",
                "{table}: {count} rows stay away, the records they belong to are gone",
                count,
                table=table,
            )
            for table, count in self.refused.items()
        ]
        return [str(line) for line in found]


def restore_module(ctx: Context, registry: Registry, export: Export) -> Restored:
    """Write an export into the module's new tables; ``registry`` knows every module whose tables are there."""
    session = unrestricted(ctx, "modules")
    restored = Restored(export.module)
    try:
        with opened("restoring a module"):
            _Restoring(session.connection(), registry, export, restored).run()
        _restore_roles(session, export.roles, restored)
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError) as error:
        raise _misfit(export, error) from error
    except StatementError as error:
        if isinstance(error, DBAPIError) and not isinstance(error, (IntegrityError, DataError)):
            raise  # of the database: tried again, or an outage
        raise _misfit(export, error.orig or error) from error
    record_event(session, MODULE_CHANGED, about=export.module, state="restored", export=export.path.name)
    return restored


def _misfit(export: Export, error: BaseException) -> RuleViolation:
    reason = next(iter(str(error).splitlines()), "")
    return RuleViolation(
        "core.damaged_export",
        _("{path} does not fit: {reason}. Nothing was changed.", path=export.path, reason=reason),
    )


class _Restoring:
    """One file on its way into the tables of one module."""

    def __init__(self, connection: Connection, registry: Registry, export: Export, restored: Restored) -> None:
        self._connection, self._registry, self._export, self._restored = connection, registry, export, restored
        plugin = registry.plugins[export.module]
        self._models = {model.__tablename__: model for model in plugin.models}
        self._tables = [table for table in Base.metadata.sorted_tables if table.name in self._models]
        self._later: dict[Column[Any], list[tuple[Mapping[str, Any], Any]]] = {}
        """Values of references to rows that are written after their own."""

    def run(self) -> None:
        written: set[str] = set()
        for table in self._tables:
            self._restore_table(table, written)
            written.add(table.name)
        for column, rows in self._later.items():
            self._point(column, rows)
        for model in (HistoryEntry, DemoRecord):
            self._restore_beside(Base.metadata.tables[model.__tablename__])
        self._restore_links()

    def _restore_table(self, table: Table, written: set[str]) -> None:
        declared = self._registry.by_table.get(table.name)
        unwritten = {t.name for t in self._tables} - written
        for rows in self._read(table):
            kept = self._with_targets(table, rows, unwritten)
            if kept:
                self._connection.execute(insert(table), kept)
            if declared is not None:
                ids = [row["id"] for row in kept]
                stored = self._connection.execute(select(table).where(table.c.id.in_(ids)))
                write_entries(self._connection, [entry_of(declared.model, row) for row in stored])
            self._restored.rows[table.name] += len(kept)
        counted = table.autoincrement_column
        if counted is not None and self._connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(table.name, counted.name)
            self._connection.execute(select(func.setval(sequence, func.max(counted))).select_from(table))

    def _read(self, table: Table) -> Iterator[list[dict[str, Any]]]:
        readers = readers_of(table.name)
        for lines in _parts(self._export.lines(table.name)):
            yield [{key: readers[key](value) for key, value in line.items()} for line in lines]

    def _with_targets(self, table: Table, rows: list[dict[str, Any]], unwritten: set[str]) -> list[dict[str, Any]]:
        """The rows whose references lead somewhere: what may be empty is emptied, what may not takes its row away."""
        for column in table.c:
            key = column.key
            if _target(column) is None and key not in self._anywhere(table):
                continue
            target = _target(column)
            if target is not None and target.table.name in unwritten:
                if column.nullable:  # a row may stand before the one that it points at
                    keys = [c.key for c in table.primary_key]
                    self._later.setdefault(column, []).extend(
                        ({k: row[k] for k in keys}, row[key]) for row in rows if row[key] is not None
                    )
                    rows = [{**row, key: None} for row in rows]
                continue
            there = self._existing(target, {row[key] for row in rows if row[key] is not None})
            kept = []
            for row in rows:
                if row[key] is None or row[key] in there:
                    kept.append(row)
                elif column.nullable:
                    kept.append({**row, key: None})
                    self._restored.emptied[f"{table.name}.{key}"] += 1
                else:
                    self._restored.refused[table.name] += 1
            rows = kept
        return rows

    def _anywhere(self, table: Table) -> set[str]:
        model = self._models[table.name]
        return {name for found, name in self._registry.any_record_fields if found is model}

    def _existing(self, target: Column[Any] | None, wanted: Iterable[Any]) -> set[Any]:
        """Those of these values that are there: of a column, or without one records of any type; the module's own are taken as they are."""
        if target is not None:
            found: set[Any] = set()
            for part in _parts(wanted):
                found.update(self._connection.scalars(select(target).where(target.in_(part))))
            return found
        by_type: dict[str, list[RecordRef]] = {}
        for ref in wanted:
            by_type.setdefault(ref.record_type, []).append(ref)
        found = set()
        for name, refs in by_type.items():
            declared = self._registry.record_types.get(name)
            if declared is not None and declared.module == self._export.module:
                found.update(refs)
            elif declared is not None:
                there = self._existing(declared.table.c.id, {ref.record_id for ref in refs})
                found.update(ref for ref in refs if ref.record_id in there)
        return found

    def _point(self, column: Column[Any], rows: list[tuple[Mapping[str, Any], Any]]) -> None:
        """Fill a reference whose rows are all written now."""
        table: Any = column.table
        target = _target(column)
        keys = [c.key for c in table.primary_key]
        statement = update(table).where(*(table.c[key] == bindparam(f"key_{key}") for key in keys))
        statement = statement.values({column.key: bindparam("value")})
        for part in _parts(rows):
            there = self._existing(target, {value for _key, value in part})
            filled = [
                {**{f"key_{k}": v for k, v in key.items()}, "value": value} for key, value in part if value in there
            ]
            if filled:
                self._connection.execute(statement, filled)
            if gone := len(part) - len(filled):
                self._restored.emptied[f"{table.name}.{column.key}"] += gone

    def _restore_beside(self, table: Table) -> None:
        """History and marks get new ids: theirs may have been given to others."""
        for rows in self._read(table):
            self._connection.execute(insert(table), [{k: v for k, v in row.items() if k != "id"} for row in rows])
            self._restored.rows[table.name] += len(rows)

    def _restore_links(self) -> None:
        """Point other records at those of the module again, where nothing else stands there by now."""
        columns = {
            (table.name, column.key): (table, column)
            for table, column, _there in links_to(self._registry, self._export.module)
        }
        for link in self._export.lines(LINKS):
            place, ref = (link["table"], link["field"]), RecordRef.parse(link["ref"])
            if place in columns and self._is_there(ref):
                table, column = columns[place]
                key = next(iter(table.primary_key))
                statement = update(table).where(key == link["id"], column.is_(None)).values({column: ref})
                self._restored.links += self._connection.execute(statement).rowcount

    def _is_there(self, ref: RecordRef) -> bool:
        table: Any = self._registry.record_type(ref.record_type).table
        return self._connection.scalar(select(table.c.id).where(table.c.id == ref.record_id)) is not None


def _parts(things: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(things)
    while part := list(islice(rest, PART)):
        yield part


def _target(column: Column[Any]) -> Column[Any] | None:
    """The column that a reference points at."""
    key = next(iter(column.foreign_keys), None)
    return key.column if key is not None else None


def _restore_roles(session: Session, roles: Sequence[ExportedRole], restored: Restored) -> None:
    """The module's own roles with their holders, and its permissions in roles of the same name."""
    by_template = {role.name: role for role in roles if role.name}
    for created in copy_templates(session, list(by_template.values())):
        restored.roles.append(created.name)
        for id_, address in by_template[created.template or ""].people:
            user = session.get(User, id_)
            if user is not None and (user.email_key or "") == address:  # an id may have been given to somebody else
                grant_role(session, user, created)
    for role in roles:
        found = None if role.name else session.query(Role).filter(Role.name == role.label).one_or_none()
        if found is not None:
            for permission, scope in role.permissions.items():
                set_permission(session, found, permission, scope)
    raise_access_stamp(session)
