"""Bolts, and how wide people like them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir import toolkit

revision = "loom_0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "loom_bolt",
        *toolkit.record_columns("loom_bolt"),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("stage", sa.String(length=60), nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("price", toolkit.MoneyType(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("cost", toolkit.MoneyType(), nullable=True),
        sa.Column("woven_on", sa.Date(), nullable=True),
        sa.Column("weaver", sa.String(length=254), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["base_contact.id"], name="fk_loom_bolt_contact_id", ondelete="SET NULL"
        ),
    )
    for column in ("archived_at", "contact_id", "name", "owner_id", "stage", "team_id"):
        op.create_index(f"ix_loom_bolt_{column}", "loom_bolt", [column])
    op.create_table(
        "loom_contact",
        sa.Column("record_id", ID, autoincrement=False, nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["record_id"], ["base_contact.id"], name="fk_loom_contact_record_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", name="pk_loom_contact"),
    )


def downgrade() -> None:
    op.drop_table("loom_contact")
    op.drop_table("loom_bolt")
