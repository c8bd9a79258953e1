"""An interaction may be about a record that has no contact yet, such as a lead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "base_notes"
down_revision = "base_kinds"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("base_interaction", schema=None) as batch_op:
        batch_op.alter_column("contact_id", existing_type=ID, nullable=True)


def downgrade() -> None:
    row = sa.table("base_interaction", sa.column("id"), sa.column("contact_id"))
    found = sa.table("core_search", sa.column("record_type"), sa.column("record_id"))
    alone = sa.select(row.c.id).where(row.c.contact_id.is_(None))
    op.execute(found.delete().where(found.c.record_type == "base.interaction", found.c.record_id.in_(alone)))
    op.execute(row.delete().where(row.c.contact_id.is_(None)))  # the older version has no place for them
    with op.batch_alter_table("base_interaction", schema=None) as batch_op:
        batch_op.alter_column("contact_id", existing_type=ID, nullable=False)
