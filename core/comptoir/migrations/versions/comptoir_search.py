"""The search table, filled from what is there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from comptoir.db.search import FTS, STATISTICS, Entry, row_of

revision = "comptoir_search"
down_revision = "comptoir_security"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COPIED = ("id", "search_key", "owner_id", "team_id", "archived_at")


def upgrade() -> None:
    connection = op.get_bind()
    op.create_table(
        "core_search",
        sa.Column("id", ID, nullable=False),
        sa.Column("record_type", sa.String(length=80), nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column(
            "head", sa.String(length=40, collation="C").with_variant(sa.String(length=40), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "grams",
            sa.ARRAY(sa.Integer()).with_variant(sa.JSON(none_as_null=True), "sqlite"),
            nullable=True,
        ),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("team_id", ID, nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_search")),
        sa.UniqueConstraint("record_type", "record_id", name=op.f("uq_core_search_record_type_record_id")),
    )
    if connection.dialect.name == "sqlite":
        for statement in FTS:
            connection.exec_driver_sql(statement)
    else:
        op.execute(STATISTICS)
    _fill(connection)
    op.create_index("ix_core_search_head", "core_search", ["head"], unique=False)
    if connection.dialect.name == "postgresql":
        op.create_index(
            "ix_core_search_grams",
            "core_search",
            ["grams"],
            unique=False,
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        )


def _fill(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    search = sa.Table("core_search", sa.MetaData(), autoload_with=connection, resolve_fks=False)
    tables = inspector.get_table_names()
    modules = [name.removeprefix("alembic_version_") for name in tables if name.startswith("alembic_version_")]
    for name in tables:
        if name == "core_search" or not set(COPIED) <= {column["name"] for column in inspector.get_columns(name)}:
            continue
        module = max((m for m in modules if name.startswith(f"{m}_")), key=len, default="core")
        record_type = f"{'base' if module == 'core' else module}.{name.removeprefix(f'{module}_')}"
        entries = _entries(connection, name, record_type, has_owner=module != "core")
        while some := list(islice(entries, 1000)):
            connection.execute(sa.insert(search), some)


def _entries(connection: sa.Connection, name: str, record_type: str, *, has_owner: bool) -> Iterator[dict[str, Any]]:
    table = sa.table(name, *(sa.column(column) for column in COPIED))
    last = 0
    while rows := connection.execute(
        sa.select(*table.c).where(table.c.id > last).order_by(table.c.id).limit(1000)
    ).all():
        for row in rows:
            owner, team = (row.owner_id, row.team_id) if has_owner else (None, None)
            entry = Entry(record_type, row.id, row.search_key, owner, team, row.archived_at is not None)
            if columns := row_of(entry, connection.dialect.name):
                yield columns
        last = rows[-1].id


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE core_search_fts")
    op.drop_table("core_search")
