"""One Alembic history and version table per plugin; all of one change runs in one transaction under one lock.

Alembic is imported where it works: a process that serves never needs it.
"""

from __future__ import annotations

import io
import tokenize
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from comptoir.db.base import Base
from comptoir.db.gate import opened
from comptoir.db.record import Record
from comptoir.errors import ComptoirError
from comptoir.i18n import _
from comptoir.kinds import Id
from comptoir.kinds.columns import Json, UtcDateTime

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

LOCK = zlib.crc32(b"comptoir.migrate")
PREFIX = "alembic_version_"


Columns = Callable[[], list[sa.Column[Any]]]


def _shared_from_the_beginning() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", Id, nullable=False),
        sa.Column("owner_id", Id, nullable=True),
        sa.Column("team_id", Id, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", Id, nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", Id, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("custom", Json(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
    ]


SHARED: tuple[Columns, ...] = (_shared_from_the_beginning,)
"""The columns that every record shares, by the version with which they came.

A later version is added at the end and never changed; its columns may be empty or have a default of the server, because
tables that exist already get them by `add_shared_columns`, without a migration of their plugin.
"""


def record_columns(table: str, *, version: int = 1) -> list[Any]:
    """The columns that every record shares, with their keys: ``op.create_table("shop_order", *record_columns("shop_order"), …)``.

    ``version`` says which columns there were when the migration was written; later ones come by themselves.
    """
    columns = [column for since in SHARED[:version] for column in since()]
    return [
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        *(
            sa.ForeignKeyConstraint([name], [f"{target}.id"], name=f"fk_{table}_{name}", ondelete="SET NULL")
            for name, target in OWNED.items()
        ),
    ]


OWNED = {"owner_id": "core_user", "team_id": "core_team"}


def record_tables() -> frozenset[str]:
    """The tables of all record types that are imported."""
    return frozenset(
        mapper.class_.__tablename__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Record)
    )


def add_shared_columns(connection: Connection, tables: Iterable[str], shared: Sequence[Columns] = SHARED) -> None:
    """Give the record tables among these the shared columns that have come since they were made."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    operations = Operations(MigrationContext.configure(connection))
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())  # a table that no migration makes is for `table_fault` to name
    for table in sorted(record_tables().intersection(tables) & present):
        held = {column["name"] for column in inspector.get_columns(table)}
        for column in (column for since in shared for column in since()):
            if column.name not in held:
                operations.add_column(table, column)


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
        from alembic.config import Config
        from alembic.script import ScriptDirectory

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
        add_shared_columns(connection, unit.tables)


def remove(connection: Connection, unit: Unit) -> None:
    """Take a plugin's tables back to nothing, its version table included."""
    if unit.head() is None or not sa.inspect(connection).has_table(unit.version_table):
        return
    _run(connection, unit, lambda script: lambda revision, _context: script._downgrade_revs("base", revision))
    quoted = connection.dialect.identifier_preparer.quote(unit.version_table)
    connection.exec_driver_sql(f"DROP TABLE {quoted}")


def _run(connection: Connection, unit: Unit, steps: Callable[[ScriptDirectory], Any]) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

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

    def include_object(declared: Any, name: str | None, type_: str, _reflected: bool, _other: Any) -> bool:
        dialect = connection.dialect.name
        if type_ == "index" and declared.info.get("dialect", dialect) != dialect:
            return False  # an index of the other engine alone
        return name in unit.tables if type_ == "table" else True

    return {
        "version_table": unit.version_table,
        "compare_type": False,
        "include_name": include_name,
        "include_object": include_object,
        "target_metadata": Base.metadata,
        "render_as_batch": True,
        "user_module_prefix": "toolkit.",
    }


def differences(connection: Connection, unit: Unit) -> list[Any]:
    """Where the plugin's models and its tables in the database differ; empty when its migrations are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts=_options(unit, connection))
    return list(compare_metadata(context, Base.metadata))


def draft_revision(connection: Connection, unit: Unit) -> tuple[str, str]:
    """The bodies of ``upgrade`` and ``downgrade`` that would bring the tables in step with the models."""
    from alembic.autogenerate import produce_migrations, render_python_code
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts=_options(unit, connection))
    script = produce_migrations(context, Base.metadata)
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    options: dict[str, Any] = {
        "migration_context": context,
        "render_as_batch": True,
        "user_module_prefix": "toolkit.",
        "render_item": _render_shared,
    }
    return render_python_code(script.upgrade_ops, **options), render_python_code(script.downgrade_ops, **options)


def _render_shared(kind: str, item: Any, _context: Any) -> Any:
    """The shared columns of a new record table as one call; everything else as Alembic writes it."""
    table = getattr(item, "table", None)
    if table is None or table.metadata is Base.metadata or table.name not in record_tables():
        return False
    if kind == "column" and item.name == "id":
        return f'*toolkit.record_columns("{table.name}", version={len(SHARED)})'
    shared = {column.name for since in SHARED for column in since()}
    if kind == "column" and item.name in shared:
        return None
    own = kind == "foreign_key" and list(item.column_keys) in [[name] for name in OWNED]
    return None if kind == "primary_key" or own else False


HEADER = '''"""{message}."""

from __future__ import annotations

{imports}
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
            imports=_imports(up + down),
            revision=revision,
            down_revision=f'"{head}"' if head else None,
            upgrade=_indented(up),
            downgrade=_indented(down),
        ),
        encoding="utf-8",
    )
    return path


def _imports(body: str) -> str:
    """What a revision uses, as the linter sorts it."""
    found = "import sqlalchemy as sa\n" if "sa." in body else ""
    found += "from alembic import op\n" if "op." in body else ""
    return found + ("\nfrom comptoir import toolkit\n" if "toolkit." in body else "")


def _double_quoted(body: str) -> str:
    """The code with its texts in the quotes that the linter wants."""
    tokens = list(tokenize.generate_tokens(io.StringIO(body).readline))
    lines = body.splitlines()
    for token in reversed(tokens):
        if token.type == tokenize.STRING and token.string[0] == "'" and '"' not in token.string:
            (row, start), (_row, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = f'{line[:start]}"{token.string[1:-1]}"{line[end:]}'
    return "\n".join(lines)


def _indented(body: str) -> str:
    lines = [line for line in _double_quoted(body.strip()).splitlines() if "### " not in line]
    lines[0] = lines[0].strip()
    return "\n".join([f"    {lines[0]}", *lines[1:]])
