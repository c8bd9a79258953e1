"""All the data of one module as a file: a ZIP of JSON lines by table, with counts and digests; written and read."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Float,
    LargeBinary,
    Numeric,
    Select,
    String,
    Table,
    Time,
    false,
    inspect,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator

from comptoir.access.models import Role, RolePermission, User, UserRole
from comptoir.db.base import Base
from comptoir.db.migrations import revision_of
from comptoir.db.types import Json, MoneyType, RecordRefType, UtcDateTime
from comptoir.errors import RuleViolation, Unavailable
from comptoir.i18n import _
from comptoir.modules.schema import unit_of
from comptoir.records.history import HistoryEntry, as_json
from comptoir.registry.models import DemoRecord
from comptoir.registry.registry import Registry
from comptoir.values import RecordRef

FOLDER = "exports"
"""Where the exports lie in the folder of a deployment."""

LINKS = "links"
"""The part of the file that holds the links of other records to those of the module."""

UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, AttributeError, EOFError)
"""What a file that is no export, or half of one, raises while it is read."""


@dataclass(frozen=True, slots=True)
class ExportedRole:
    """What a role held of the module: all of it for a role of the module's own, its permissions in any other."""

    name: str
    """The name of the template; empty for a role that is not the module's."""
    label: str
    description: str
    permissions: Mapping[str, str]
    people: tuple[tuple[int, str], ...]
    """Who held it, by id and address; only for a role of the module's own."""


@dataclass(frozen=True, slots=True)
class Export:
    """The file of an uninstalled module, as its table of contents describes it."""

    path: Path
    module: str
    version: str
    revision: str | None
    exported_at: dt.datetime
    rows: Mapping[str, int]
    digests: Mapping[str, str]
    roles: tuple[ExportedRole, ...]

    def lines(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, in the order of their keys."""
        if table in self.rows:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{table}.jsonl") as entry:
                for line in entry:
                    yield orjson.loads(line)


def export_module(connection: Connection, registry: Registry, name: str, target: Path, now: dt.datetime) -> Path:
    """Write every row of the module's tables and what the core keeps about them; the file appears under its name only when complete."""
    plugin = registry.plugins[name]
    unfinished = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            contents = {}
            present = [table for table in plugin.tables if inspect(connection).has_table(table)]
            tables = {n: Base.metadata.tables[n] for n in present}
            rows = {n: select(table).order_by(*table.primary_key.columns) for n, table in tables.items()}
            for table_name, statement in {**rows, **_kept_about(registry, name)}.items():
                writers = {column.key: _writer(column) for column in Base.metadata.tables[table_name].c}
                found = connection.execute(statement).mappings()
                with archive.open(f"{table_name}.jsonl", "w") as entry:
                    contents[table_name] = _write(
                        entry, ({key: writers[key](value) for key, value in row.items()} for row in found)
                    )
            with archive.open(f"{LINKS}.jsonl", "w") as entry:
                contents[LINKS] = _write(entry, _links(connection, registry, name))
            described = {
                "module": name,
                "version": plugin.available.version,
                "revision": revision_of(connection, unit_of(registry, name)),
                "exported_at": now.isoformat(),
                "tables": contents,
                "roles": [asdict(role) for role in _roles(connection, name)],
            }
            archive.writestr("module.json", json.dumps(described, indent=2))
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Unavailable(
            _(
                "The export cannot be written to {path}: {reason}. Nothing was changed.",
                path=target,
                reason=error.strerror,
            )
        ) from None
    return target


def _write(entry: IO[bytes], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Write rows as lines; returns their number and digest."""
    digest, count = hashlib.sha256(), 0
    for row in rows:
        line = orjson.dumps(row, default=str) + b"\n"
        entry.write(line)
        digest.update(line)
        count += 1
    return {"rows": count, "sha256": digest.hexdigest()}


def read_export(path: Path) -> Export:
    """The table of contents of an export; raises `RuleViolation` for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read("module.json"))
        tables = found["tables"]
        return Export(
            path,
            found["module"],
            found["version"],
            found["revision"],
            dt.datetime.fromisoformat(found["exported_at"]),
            {name: int(described["rows"]) for name, described in tables.items()},
            {name: described["sha256"] for name, described in tables.items()},
            tuple(
                ExportedRole(**{**role, "people": tuple((id_, address) for id_, address in role["people"])})
                for role in found["roles"]
            ),
        )
    except FileNotFoundError:
        raise RuleViolation("core.no_export", _("There is no file {path}.", path=path)) from None
    except UNREADABLE:
        raise RuleViolation(
            "core.no_export", _("{path} is damaged, or not the export of a module that this version wrote.", path=path)
        ) from None


def check_export(export: Export) -> None:
    """Read the whole file; raises `RuleViolation` where it is not as it was written."""
    for table, wanted in export.digests.items():
        digest, count = hashlib.sha256(), 0
        try:
            with zipfile.ZipFile(export.path) as archive, archive.open(f"{table}.jsonl") as entry:
                for line in entry:
                    digest.update(line)
                    count += 1
        except UNREADABLE:
            count = -1
        if digest.hexdigest() != wanted or count != export.rows[table]:
            raise RuleViolation(
                "core.damaged_export",
                _("{path} is damaged: {table} is not as it was written.", path=export.path, table=table),
            )


def exports_of(data_dir: Path, module: str) -> list[Export]:
    """The readable exports of a module in the folder of a deployment, the newest first."""
    found = []
    for path in (data_dir / FOLDER).glob(f"{module}-*.zip"):
        try:
            export = read_export(path)
        except RuleViolation:
            continue
        if export.module == module:
            found.append(export)
    return sorted(found, key=lambda export: (export.exported_at, export.path.name), reverse=True)


def readers_of(table: str) -> dict[str, Callable[[Any], Any]]:
    """How the values of a table's columns are read back, by column."""
    return {column.key: _reader(column) for column in Base.metadata.tables[table].c}


def _kept_about(registry: Registry, name: str) -> dict[str, Select[Any]]:
    """What the core keeps about the records of a module, by table: their history and demonstration marks."""
    types = [declared.name for declared in registry.record_types.values() if declared.module == name]
    tables: list[Any] = [HistoryEntry.__table__, DemoRecord.__table__]
    return {t.name: select(t).where(t.c.record_type.in_(types)).order_by(t.c.id) for t in tables}


def links_to(registry: Registry, name: str) -> Iterator[tuple[Table, Column[Any], ColumnElement[bool]]]:
    """The columns of other modules in which a link to a record of any type can lie, each with the condition that it leads into the module."""
    types = [declared.name for declared in registry.record_types.values() if declared.module == name]
    for model, field in registry.any_record_fields:
        if model.__tablename__ not in registry.plugins[name].tables:
            table = Base.metadata.tables[model.__tablename__]
            text = type_coerce(table.c[field], String())
            yield table, table.c[field], or_(false(), *(text.startswith(f"{kind}/", autoescape=True) for kind in types))


def _links(connection: Connection, registry: Registry, name: str) -> Iterator[dict[str, Any]]:
    """The links of other records to those of the module, which are emptied when it goes."""
    for table, column, leads_there in links_to(registry, name):
        key = next(iter(table.primary_key))
        for id_, ref in connection.execute(select(key, column).where(leads_there).order_by(key)):
            yield {"table": table.name, "field": column.key, "id": id_, "ref": str(ref)}


def _roles(connection: Connection, name: str) -> list[ExportedRole]:
    """The roles that hold something of the module."""
    prefix = f"{name}."
    found = []
    statement = (
        select(Role.id, Role.name, Role.template, Role.description)
        .where(
            or_(
                Role.template.startswith(prefix, autoescape=True),
                Role.id.in_(
                    select(RolePermission.role_id).where(RolePermission.permission.startswith(prefix, autoescape=True))
                ),
            )
        )
        .order_by(Role.id)
    )
    for id_, label, template, description in connection.execute(statement).all():
        is_own = (template or "").startswith(prefix)
        held = select(RolePermission.permission, RolePermission.scope).where(RolePermission.role_id == id_)
        people = (
            select(User.id, User.email_key)
            .join(UserRole, UserRole.user_id == User.id)
            .where(UserRole.role_id == id_)
            .order_by(User.id)
        )
        found.append(
            ExportedRole(
                (template or "") if is_own else "",
                label,
                description,
                {p: scope for p, scope in connection.execute(held) if is_own or p.startswith(prefix)},
                tuple((user, key or "") for user, key in connection.execute(people)) if is_own else (),
            )
        )
    return found


def _own_kind(column: Column[Any]) -> Any:
    """The field of a column whose type a plugin made, which alone knows its values."""
    ours = (MoneyType, UtcDateTime, Json, RecordRefType)
    is_foreign = isinstance(column.type, TypeDecorator) and not isinstance(column.type, ours)
    return column.info.get("field") if is_foreign else None


def _writer(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, LargeBinary):
        return lambda value: None if value is None else b64encode(value).decode("ascii")
    if (field := _own_kind(column)) is not None:
        return lambda value: None if value is None else field.kind.to_json(value)
    return as_json


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    field = _own_kind(column)
    kinds: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
        (UtcDateTime | DateTime, dt.datetime.fromisoformat),
        (Date, dt.date.fromisoformat),
        (Time, dt.time.fromisoformat),
        (RecordRefType, RecordRef.parse),
        (Float, float),
        (MoneyType | Numeric, Decimal),
        (LargeBinary, b64decode),
    )
    read = next((read for kind, read in kinds if isinstance(column.type, kind)), lambda value: value)
    if field is not None:
        return lambda value: None if value is None else field.kind.from_json(field, value)
    return lambda value: None if value is None else read(value)
