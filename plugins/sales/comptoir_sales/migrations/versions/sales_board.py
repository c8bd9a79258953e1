"""The lanes of a board in order: the latest change first, closed deals by their day."""

from __future__ import annotations

from alembic import op

revision = "sales_board"
down_revision = "sales_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sales_deal_lane_updated", "sales_deal", ["pipeline_id", "stage", "updated_at"], unique=False)
    op.create_index("ix_sales_deal_lane_closed", "sales_deal", ["pipeline_id", "stage", "closed_on"], unique=False)
    op.drop_index("ix_sales_deal_pipeline_stage", "sales_deal")


def downgrade() -> None:
    op.create_index("ix_sales_deal_pipeline_stage", "sales_deal", ["pipeline_id", "stage"], unique=False)
    op.drop_index("ix_sales_deal_lane_closed", "sales_deal")
    op.drop_index("ix_sales_deal_lane_updated", "sales_deal")
