"""Answers of the API that are kept for repeated requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_0002"
down_revision = "comptoir_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "core_idempotency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", types.Json(none_as_null=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_idempotency")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_core_idempotency_user_id_key")),
    )
    with op.batch_alter_table("core_idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_core_idempotency_created_at"), ["created_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("core_idempotency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_idempotency_created_at"))

    op.drop_table("core_idempotency")
