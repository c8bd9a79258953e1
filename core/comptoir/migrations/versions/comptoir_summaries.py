"""The table of summaries; the job that keeps them fills it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_summaries"
down_revision = "comptoir_views"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "core_summary",
        sa.Column("id", ID, nullable=False),
        sa.Column("record_type", sa.String(length=80), nullable=False),
        sa.Column("summary", sa.String(length=12), nullable=False),
        sa.Column("reach", sa.String(length=5), nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("team_id", ID, nullable=False),
        *(sa.Column(f"k{place}", sa.String(length=300), nullable=False) for place in range(5)),
        sa.Column("records", ID, nullable=False),
        sa.Column("s0", types.MoneyType(precision=18, scale=4), nullable=False),
        sa.Column("c0", ID, nullable=False),
        sa.Column("s1", types.MoneyType(precision=18, scale=4), nullable=False),
        sa.Column("c1", ID, nullable=False),
        sa.Column("folded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_summary")),
    )
    op.create_index(
        "ix_core_summary_group", "core_summary", ["record_type", "reach", "summary", "owner_id", "team_id", "k0"]
    )
    op.create_index("ix_core_summary_added", "core_summary", ["folded", "id"])


def downgrade() -> None:
    op.drop_table("core_summary")
