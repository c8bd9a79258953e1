"""Work in the queue knows its order, its cause, its steps and how long it has failed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_jobs_steps"
down_revision = "comptoir_search"
branch_labels = None
depends_on = None

ORDERED = sa.text("state != 'dead' AND ordered_by IS NOT NULL")


def columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("crashes", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ordered_by", sa.String(length=300), nullable=True),
        sa.Column("cause", types.Json(none_as_null=True), nullable=False, server_default="[]"),
        sa.Column("step", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("intent", types.Json(none_as_null=True), nullable=True),
        sa.Column("kept", types.Json(none_as_null=True), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("cancelled_by", sa.String(length=200), nullable=True),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("core_job", column)
    op.create_index(
        "ix_core_job_order", "core_job", ["ordered_by", "id"], postgresql_where=ORDERED, sqlite_where=ORDERED
    )


def downgrade() -> None:
    op.drop_index("ix_core_job_order", table_name="core_job", postgresql_where=ORDERED, sqlite_where=ORDERED)
    with op.batch_alter_table("core_job", schema=None) as batch_op:
        for column in reversed(columns()):
            batch_op.drop_column(column.name)
