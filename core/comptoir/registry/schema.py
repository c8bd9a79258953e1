"""Whether the tables that the database holds are those of the plugin that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

from sqlalchemy import Connection, inspect

from comptoir.db.base import Base
from comptoir.db.migrations import Unit, revision_of
from comptoir.i18n import Text, _
from comptoir.registry.plugin import Plugin

REVISION = re.compile(r"""^revision(?:\s*:[^=]+)?\s*=\s*["'](\w+)["']""", re.MULTILINE)
FOLLOWS = re.compile(r"""^down_revision(?:\s*:[^=]+)?\s*=\s*["'](\w+)["']""", re.MULTILINE)


CORE_FOLDER = Path(__file__).parent.parent / "migrations"


def core_unit() -> Unit:
    """The schema of the core itself."""
    return Unit("comptoir", CORE_FOLDER, frozenset(name for name in Base.metadata.tables if name.startswith("core_")))


def unit_of(plugin: Plugin) -> Unit:
    """The schema of a plugin."""
    return Unit(plugin.name, plugin.folder / "migrations", frozenset(plugin.tables))


def missing_migration(connection: Connection, plugin: Plugin) -> Text | None:
    """Why a plugin can never be enabled: it has models, and neither tables nor anything that makes them."""
    if not set(plugin.tables) <= set(inspect(connection).get_table_names()) and unit_of(plugin).head() is None:
        return _(
            "It has models but no migration. Write one with: comptoir plugin revision {name} -m “…”", name=plugin.name
        )
    return None


def table_fault(connection: Connection, plugin: Plugin) -> Text | None:
    """What the plugin's models have and its migrated tables have not: a table or a column."""
    inspector = inspect(connection)
    for name in sorted(plugin.tables):
        columns = {column["name"] for column in inspector.get_columns(name)} if inspector.has_table(name) else None
        for lacking in () if columns is None else sorted(set(Base.metadata.tables[name].c.keys()) - columns):
            return _incomplete(plugin, f"{name}.{lacking}")
        if columns is None:
            return _incomplete(plugin, name)
    return None


def _incomplete(plugin: Plugin, lacking: str) -> Text:
    return _(
        "No migration of it makes {lacking}. Write one with: comptoir plugin revision {name} -m “…”",
        lacking=lacking,
        name=plugin.name,
    )


def outdated(connection: Connection, plugins: Iterable[Plugin]) -> Iterator[tuple[str, Text]]:
    """The plugins whose tables are missing or of another version than their code, each with what an administrator does."""
    present = set(inspect(connection).get_table_names())
    for plugin in plugins:
        unit = unit_of(plugin)
        if lacking := sorted(set(plugin.tables) - present):
            yield plugin.name, _("Its table {table} is missing. Run: comptoir upgrade", table=lacking[0])
        elif unit.version_table in present and revision_of(connection, unit) != _head(unit, _changed(unit)):
            yield (
                plugin.name,
                _("Version {version} is installed, but its tables are of another. Run: comptoir upgrade",
                  version=plugin.available.version),
            )  # fmt: skip


def is_behind(connection: Connection, unit: Unit) -> bool:
    """Whether migrations that this program brings have not run yet; a database that is ahead of it is none of its business.

    What the program brings is looked up once, so that files which replace its own while it runs do not count.
    """
    known, head = _brought(unit)
    revision = revision_of(connection, unit)
    return revision != head and (revision is None or revision in known)


@cache
def _brought(unit: Unit) -> tuple[frozenset[str], str | None]:
    return _revisions(unit)


@lru_cache(maxsize=64)
def _head(unit: Unit, _changed: float) -> str | None:
    return _revisions(unit)[1]


def _revisions(unit: Unit) -> tuple[frozenset[str], str | None]:
    """All revisions and the newest, read from the files without running them: a process that serves needs no Alembic for it."""
    texts = [path.read_text(encoding="utf-8") for path in (unit.folder / "versions").glob("*.py")]
    revisions = frozenset(found[1] for text in texts if (found := REVISION.search(text)))
    followed = {found[1] for text in texts if (found := FOLLOWS.search(text))}
    return revisions, max(revisions - followed, default=None)


def _changed(unit: Unit) -> float:
    versions = unit.folder / "versions"
    return versions.stat().st_mtime if versions.is_dir() else 0.0
