"""Contacts have tags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir import toolkit

revision = "base_tags"
down_revision = "base_notes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("base_contact", sa.Column("tags", toolkit.Json(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("base_contact", schema=None) as batch_op:
        batch_op.drop_column("tags")
