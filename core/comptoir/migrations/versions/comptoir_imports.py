"""Imports that stand in the database, and the history of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_imports"
down_revision = "comptoir_crashes"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_IMPORTS = sa.text("import_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "core_import",
        sa.Column("id", ID, nullable=False),
        sa.Column("record_type", sa.String(length=80), nullable=False),
        sa.Column("file", sa.String(length=1000), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("encoding", sa.String(length=40), nullable=True),
        sa.Column("maps", types.Json(none_as_null=True), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("keep_going", sa.Boolean(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("started_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("waiting", types.Json(none_as_null=True), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("undo_from", ID, nullable=True),
        sa.Column("undone_to", ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_import")),
    )
    op.add_column("core_history", sa.Column("import_id", ID, nullable=True))
    op.create_index(
        "ix_core_history_import",
        "core_history",
        ["import_id", "id"],
        sqlite_where=OF_IMPORTS,
        postgresql_where=OF_IMPORTS,
    )


def downgrade() -> None:
    op.drop_index("ix_core_history_import", table_name="core_history")
    op.drop_column("core_history", "import_id")
    op.drop_table("core_import")
