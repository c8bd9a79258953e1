"""A digest of everything in a deployment outside one module: equal digests prove that nothing else changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, MetaData, Table, inspect, select

from comptoir.db.base import Base
from comptoir.deployment import Deployment
from comptoir.records.history import as_json
from comptoir.registry.registry import Registry

VOLATILE = frozenset(
    {
        "core_generation",
        "core_module",
        "core_process",
        "core_session",
        "core_access_stamp",
        "core_quarantine",
        "core_lease",
        "core_job",
        "core_job_run",
        "core_job_claim",
        "core_sign_in_attempt",
        "core_security_event",
        "core_last_seen",
        "core_known_device",
    }
)
"""Tables that change by themselves while a deployment lives."""

DERIVED = ("sqlite_", "core_search_fts")
"""How tables begin that SQLite keeps for itself, the trigrams of the search among them."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests by table of schema and rows, by file, and the names of jobs and permissions."""

    schema: Mapping[str, str]
    rows: Mapping[str, str]
    files: Mapping[str, str]
    jobs: tuple[str, ...]
    permissions: tuple[str, ...]

    def differences(self, other: Fingerprint) -> list[str]:
        """What differs, named: ``rows of base_contact``."""
        found = []
        for label in ("schema", "rows", "files"):
            mine, theirs = getattr(self, label), getattr(other, label)
            found += [
                f"{label} of {key}" for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)
            ]
        for label in ("jobs", "permissions"):
            changed = set(getattr(self, label)) ^ set(getattr(other, label))
            found += [f"{label}: {name}" for name in sorted(changed)]
        return found


def fingerprint(deployment: Deployment, *, excluding: str, registry: Registry | None = None) -> Fingerprint:
    """Digest everything that does not belong to the module ``excluding``."""
    registry = registry or deployment.registry
    plugin = registry.plugins.get(excluding)
    own = set(plugin.tables) if plugin is not None else set()
    own.add(f"alembic_version_{excluding}")
    links: dict[str, set[str]] = {}
    for model, field in registry.any_record_fields:
        links.setdefault(model.__tablename__, set()).add(field)
    with deployment.engine.connect() as connection:
        inspector = inspect(connection)
        names = [n for n in sorted(inspector.get_table_names()) if n not in own and not n.startswith(DERIVED)]
        role = Base.metadata.tables["core_role"]
        roles = set(connection.scalars(select(role.c.id).where(role.c.template.startswith(f"{excluding}."))))
        return Fingerprint(
            schema={name: _digest([_schema(inspector, name)]) for name in names},
            rows={
                name: _rows(connection, name, excluding, roles, links.get(name, set()))
                for name in names
                if name not in VOLATILE
            },
            files=_files(deployment),
            jobs=tuple(sorted(job for job in registry.jobs if not job.startswith(f"{excluding}."))),
            permissions=tuple(sorted(p for p in registry.permissions if not p.startswith(f"{excluding}."))),
        )


def _schema(inspector: Any, name: str) -> Any:
    return {
        "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)),
        "indexes": sorted((i["name"] or "", *map(str, i["column_names"])) for i in inspector.get_indexes(name)),
        "keys": sorted((k["name"] or "", k["referred_table"]) for k in inspector.get_foreign_keys(name)),
        "unique": sorted((u["name"] or "", *u["column_names"]) for u in inspector.get_unique_constraints(name)),
    }


def _rows(connection: Connection, name: str, module: str, roles: set[int], links: set[str]) -> str:
    table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
    order = list(table.primary_key.columns) or list(table.c)
    result = connection.execution_options(yield_per=1000).execute(select(table).order_by(*order))
    return _digest(_plain(row, module, links) for row in result.mappings() if not _belongs_to(name, row, module, roles))


def _belongs_to(table: str, row: Any, module: str, roles: set[int]) -> bool:
    """Whether a row of the core is about the module: its history, search, rights and roles, its demonstration marks."""
    prefix = f"{module}."
    if table in ("core_history", "core_demo_record", "core_search", "core_summary"):
        return str(row["record_type"]).startswith(prefix)
    if table == "core_role":
        return row["id"] in roles
    if table == "core_user_role":
        return row["role_id"] in roles
    if table == "core_role_permission":
        return row["role_id"] in roles or str(row["permission"]).startswith(prefix)
    return False


def _plain(row: Any, module: str, links: set[str]) -> Any:
    """A row as texts; what points at a record of the module points at nothing once the module is gone."""
    values = {
        key: None if key in links and str(value).startswith(f"{module}.") else as_json(value)
        for key, value in row.items()
    }
    return [[key, str(value) if value is not None else None] for key, value in sorted(values.items())]


def _files(deployment: Deployment) -> dict[str, str]:
    root = deployment.settings.data_dir
    kept = ("exports", "comptoir.db", "logs")
    found = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        relative = path.relative_to(root)
        if path.is_file() and not relative.parts[0].startswith(kept):
            found[str(relative)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _digest(parts: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(orjson.dumps(part, default=str))
    return digest.hexdigest()
