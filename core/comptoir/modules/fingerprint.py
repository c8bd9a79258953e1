"""A digest of everything in a deployment outside one module: equal digests prove that nothing else changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Select, column, inspect, select, table

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
        role = Base.metadata.tables["core_role"]
        roles = set(connection.scalars(select(role.c.id).where(role.c.template.startswith(f"{excluding}."))))
        layouts = _layouts(connection, lambda name: name not in own and not name.startswith(DERIVED))
        return Fingerprint(
            schema={name: _digest([layout.described]) for name, layout in layouts.items()},
            rows={
                name: _digest(
                    _plain(row, excluding, links.get(name, set()))
                    for row in connection.execution_options(yield_per=1000).execute(layout.rows).mappings()
                    if not _belongs_to(name, row, excluding, roles)
                )
                for name, layout in layouts.items()
                if name not in VOLATILE
            },
            files=_files(deployment),
            jobs=tuple(sorted(job for job in registry.jobs if not job.startswith(f"{excluding}."))),
            permissions=tuple(sorted(p for p in registry.permissions if not p.startswith(f"{excluding}."))),
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a table is made of, and the statement that reads it in a fixed order."""

    described: Mapping[str, Any]
    rows: Select[Any]


def _layouts(connection: Connection, wanted: Callable[[str], bool]) -> dict[str, _Layout]:
    """The tables of the database by name: asked of all at once, as each question costs PostgreSQL several."""
    inspector = inspect(connection)
    names = sorted(filter(wanted, inspector.get_table_names()))
    columns = inspector.get_multi_columns(filter_names=names)
    keys = inspector.get_multi_pk_constraint(filter_names=names)
    indexes = inspector.get_multi_indexes(filter_names=names)
    foreign = inspector.get_multi_foreign_keys(filter_names=names)
    unique = inspector.get_multi_unique_constraints(filter_names=names)
    layouts = {}
    for name in names:
        described = {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in columns[None, name]),
            "indexes": sorted((i["name"] or "", *map(str, i["column_names"])) for i in indexes[None, name]),
            "keys": sorted((k["name"] or "", k["referred_table"]) for k in foreign[None, name]),
            "unique": sorted((u["name"] or "", *u["column_names"]) for u in unique[None, name]),
        }
        read = table(name, *(column(c["name"], c["type"]) for c in columns[None, name]))
        order = keys[None, name]["constrained_columns"] or list(read.c.keys())
        layouts[name] = _Layout(described, select(read).order_by(*(read.c[key] for key in order)))
    return layouts


def _belongs_to(name: str, row: Any, module: str, roles: set[int]) -> bool:
    """Whether a row of the core is about the module: its history, search, rights and roles, its demonstration marks."""
    prefix = f"{module}."
    if name in ("core_history", "core_demo_record", "core_search", "core_summary"):
        return str(row["record_type"]).startswith(prefix)
    if name == "core_role":
        return row["id"] in roles
    if name == "core_user_role":
        return row["role_id"] in roles
    if name == "core_role_permission":
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
