"""Reports that people keep under a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_reports"
down_revision = "comptoir_jobs_steps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "core_report",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("report", sa.String(length=120), nullable=False),
        sa.Column("query", types.Json(none_as_null=True), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["core_user.id"], name=op.f("fk_core_report_owner_id_core_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_report")),
    )
    with op.batch_alter_table("core_report", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_report_owner_id"), ["owner_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("core_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_report_owner_id"))

    op.drop_table("core_report")
