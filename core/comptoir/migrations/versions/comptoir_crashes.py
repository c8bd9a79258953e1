"""Crashes of modules are counted, and the third within a minute sets the module aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_crashes"
down_revision = "comptoir_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("core_quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("crashes", types.Json(none_as_null=True), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("set_aside", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("core_quarantine", schema=None) as batch_op:
        batch_op.alter_column("crashes", server_default=None)
        batch_op.alter_column("set_aside", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("core_quarantine", schema=None) as batch_op:
        batch_op.drop_column("set_aside")
        batch_op.drop_column("crashes")
