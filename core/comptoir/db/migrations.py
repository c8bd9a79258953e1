"""One Alembic history and version table per plugin; all of one change runs in one transaction under one lock."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from comptoir.db.base import Base
from comptoir.db.gate import opened
from comptoir.errors import ComptoirError
from comptoir.i18n import _

LOCK = zlib.crc32(b"comptoir.migrate")
PREFIX = "alembic_version_"


@dataclass(frozen=True, slots=True)
class Unit:
    """A plugin's schema: its name, its ``migrations`` folder and the tables that belong to it."""

    name: str
    folder: Path
    tables: frozenset[str] = frozenset()

    @property
    def version_table(self) -> str:
        """``alembic_version_sales``."""
        return PREFIX + self.name

    def script(self) -> ScriptDirectory:
        """The revisions below the folder."""
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return ScriptDirectory.from_config(config)

    def head(self) -> str | None:
        """The newest revision, or None for a plugin without tables."""
        return self.script().get_current_head() if (self.folder / "versions").is_dir() else None


@contextmanager
def schema_change(engine: Engine) -> Iterator[Connection]:
    """One transaction in which tables may change, held by one process at a time.

    SQLite's batch mode recreates tables, so foreign keys rest while it runs and are checked before the commit.
    """
    with engine.connect().execution_options(comptoir_write=True) as connection:
        sqlite = connection.dialect.name == "sqlite"
        raw: Any = connection.connection.dbapi_connection
        if sqlite:
            raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
                yield connection
                if sqlite:
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise ComptoirError(_("The change would break foreign keys: {rows}", rows=broken[:3]))
        finally:
            if sqlite:
                raw.execute("PRAGMA foreign_keys=ON")


def upgrade(connection: Connection, unit: Unit) -> None:
    """Bring a plugin's tables to its newest revision."""
    if unit.head() is not None:
        _run(connection, unit, lambda script: lambda revision, _context: script._upgrade_revs("head", revision))


def remove(connection: Connection, unit: Unit) -> None:
    """Take a plugin's tables back to nothing, its version table included."""
    if unit.head() is None or not sa.inspect(connection).has_table(unit.version_table):
        return
    _run(connection, unit, lambda script: lambda revision, _context: script._downgrade_revs("base", revision))
    quoted = connection.dialect.identifier_preparer.quote(unit.version_table)
    connection.exec_driver_sql(f"DROP TABLE {quoted}")


def _run(connection: Connection, unit: Unit, steps: Callable[[ScriptDirectory], Any]) -> None:
    script = unit.script()
    with EnvironmentContext(Config(), script, fn=steps(script)) as environment:
        environment.configure(
            connection=connection,
            target_metadata=Base.metadata,
            version_table=unit.version_table,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=True,
            transaction_per_migration=False,
        )
        with opened("migration"):
            environment.run_migrations()


def revision_of(connection: Connection, unit: Unit) -> str | None:
    """The revision that the database holds of a plugin."""
    if not sa.inspect(connection).has_table(unit.version_table):
        return None
    return connection.scalar(sa.select(sa.column("version_num", sa.String)).select_from(sa.table(unit.version_table)))


def pending(connection: Connection, unit: Unit) -> Sequence[str]:
    """The revisions that `upgrade` would run, oldest first."""
    head = unit.head()
    if head is None:
        return []
    current = revision_of(connection, unit)
    steps = [revision.revision for revision in unit.script().iterate_revisions(head, current or "base")]
    return steps[::-1]


def _options(unit: Unit, connection: Connection) -> dict[str, Any]:
    def include_name(name: str | None, type_: str, _parents: Any) -> bool:
        return name in unit.tables if type_ == "table" else True

    def include_object(_object: Any, name: str | None, type_: str, _reflected: bool, _other: Any) -> bool:
        return name in unit.tables if type_ == "table" else True

    return {
        "version_table": unit.version_table,
        "compare_type": False,
        "include_name": include_name,
        "include_object": include_object,
        "target_metadata": Base.metadata,
        "render_as_batch": True,
        "user_module_prefix": "types.",
    }


def differences(connection: Connection, unit: Unit) -> list[Any]:
    """Where the plugin's models and its tables in the database differ; empty when its migrations are complete."""
    context = MigrationContext.configure(connection, opts=_options(unit, connection))
    return list(compare_metadata(context, Base.metadata))


def draft_revision(connection: Connection, unit: Unit) -> tuple[str, str]:
    """The bodies of ``upgrade`` and ``downgrade`` that would bring the tables in step with the models."""
    context = MigrationContext.configure(connection, opts=_options(unit, connection))
    script = produce_migrations(context, Base.metadata)
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    options: dict[str, Any] = {"migration_context": context, "render_as_batch": True, "user_module_prefix": "types."}
    return render_python_code(script.upgrade_ops, **options), render_python_code(script.downgrade_ops, **options)


HEADER = '''"""{message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "{revision}"
down_revision = {down_revision}
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''


def write_revision(connection: Connection, unit: Unit, message: str) -> Path:
    """Draft the next revision of a plugin from its models and write it to its ``migrations/versions`` for a person to read."""
    versions = unit.folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    head = unit.head()
    number = len(list(versions.glob(f"{unit.name}_*.py"))) + 1
    revision = f"{unit.name}_{number:04}"
    up, down = draft_revision(connection, unit)
    path = versions / f"{revision}.py"
    path.write_text(
        HEADER.format(
            message=message.rstrip("."),
            revision=revision,
            down_revision=f'"{head}"' if head else None,
            upgrade=_indented(up),
            downgrade=_indented(down),
        ),
        encoding="utf-8",
    )
    return path


def _indented(body: str) -> str:
    lines = body.splitlines()
    return "\n".join([f"    {lines[0]}", *lines[1:]])
