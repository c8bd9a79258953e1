"""What an activity is about becomes one column; countries become codes where a name is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir import toolkit

revision = "base_kinds"
down_revision = "base_0001"
branch_labels = None
depends_on = None

ABOUT = ("base_interaction", "base_task")
COUNTRIES = ("base_contact", "base_contact_address")


def upgrade() -> None:
    for table in ABOUT:
        op.add_column(table, sa.Column("about", toolkit.RecordRefType(length=100), nullable=True))
        row = sa.table(table, sa.column("about", sa.String), sa.column("about_type"), sa.column("about_id"))
        joined = row.c.about_type + "/" + sa.cast(row.c.about_id, sa.String)
        whole = row.c.about_type.like("%.%") & (row.c.about_id > 0)
        op.execute(row.update().where(whole).values(about=joined))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(f"ix_{table}_about")
            batch_op.drop_column("about_type")
            batch_op.drop_column("about_id")
            batch_op.create_index(f"ix_{table}_about", ["about"], unique=False)
    with op.batch_alter_table("base_appointment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("about", toolkit.RecordRefType(length=100), nullable=True))
        batch_op.create_index("ix_base_appointment_about", ["about"], unique=False)
    connection = op.get_bind()
    for table in COUNTRIES:
        row = sa.table(table, sa.column("country", sa.String))
        names = connection.scalars(sa.select(row.c.country).where(row.c.country.is_not(None)).distinct()).all()
        for name in names:
            code = toolkit.country_code(name)
            if code is not None and code != name:
                connection.execute(row.update().where(row.c.country == name).values(country=code))


def downgrade() -> None:
    with op.batch_alter_table("base_appointment", schema=None) as batch_op:
        batch_op.drop_index("ix_base_appointment_about")
        batch_op.drop_column("about")
    for table in ABOUT:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("about_type", sa.String(length=80), nullable=True))
            batch_op.add_column(sa.Column("about_id", sa.BigInteger(), nullable=True))
        row = sa.table(
            table,
            sa.column("about", sa.String),
            sa.column("about_type", sa.String),
            sa.column("about_id", sa.BigInteger),
        )
        connection = op.get_bind()
        for about in connection.scalars(sa.select(row.c.about).where(row.c.about.is_not(None)).distinct()).all():
            record_type, _slash, number = about.rpartition("/")
            kept = {"about_type": record_type, "about_id": int(number)}
            connection.execute(row.update().where(row.c.about == about).values(kept))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(f"ix_{table}_about")
            batch_op.drop_column("about")
            batch_op.create_index(f"ix_{table}_about", ["about_type", "about_id"], unique=False)
