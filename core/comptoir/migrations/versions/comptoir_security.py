"""The security log that nothing changes, devices that are known, when users were seen, and whose an answer was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from comptoir.db import types

revision = "comptoir_security"
down_revision = "comptoir_0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSAL = "the security log is append-only"


def upgrade() -> None:
    op.create_table(
        "core_security_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("about", sa.String(length=320), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("details", types.Json(none_as_null=True), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_security_event")),
    )
    op.create_index(op.f("ix_core_security_event_at"), "core_security_event", ["at"])
    op.create_index(op.f("ix_core_security_event_kind"), "core_security_event", ["kind"])
    # what was noted so far of work as the system goes on in the log
    op.execute(
        "INSERT INTO core_security_event (at, kind, user_id, actor, about, address, details, search_key)"
        " SELECT at, 'acted_as_system', user_id, '', reason, '', '{}', lower(reason) FROM core_system_access ORDER BY id"
    )
    _append_only()
    with op.batch_alter_table("core_system_access", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_core_system_access_at"))
    op.drop_table("core_system_access")

    op.create_table(
        "core_last_seen",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["core_user.id"], name=op.f("fk_core_last_seen_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_core_last_seen")),
    )
    op.execute(
        "INSERT INTO core_last_seen (user_id, at) SELECT id, last_seen_at FROM core_user WHERE last_seen_at IS NOT NULL"
    )
    with op.batch_alter_table("core_user", schema=None) as batch_op:
        batch_op.drop_column("last_seen_at")

    op.create_table(
        "core_known_device",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("used_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["core_user.id"], name=op.f("fk_core_known_device_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", "user_id", name=op.f("pk_core_known_device")),
    )
    op.create_index(op.f("ix_core_known_device_used_at"), "core_known_device", ["used_at"])
    op.create_index(op.f("ix_core_known_device_user_id"), "core_known_device", ["user_id"])

    # whose the answers of the last two days were is not known: they are not given again
    for name, length in (("credential", 40), ("rights", 64)):
        with op.batch_alter_table("core_idempotency", schema=None) as batch_op:
            batch_op.add_column(sa.Column(name, sa.String(length=length), nullable=False, server_default=""))


def _append_only() -> None:
    """A migration that rebuilds the table on SQLite has to set these again: they go with the old one."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER core_security_event_no_{verb.lower()} BEFORE {verb} ON core_security_event"
                f" BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION core_security_event_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER core_security_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_security_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION core_security_event_refuse()"
    )


def downgrade() -> None:
    for name in ("rights", "credential"):
        with op.batch_alter_table("core_idempotency", schema=None) as batch_op:
            batch_op.drop_column(name)
    op.drop_table("core_known_device")
    with op.batch_alter_table("core_user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_seen_at", types.UtcDateTime(timezone=True), nullable=True))
    op.drop_table("core_last_seen")
    op.create_table(
        "core_system_access",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_system_access")),
    )
    op.create_index(op.f("ix_core_system_access_at"), "core_system_access", ["at"])
    op.drop_table("core_security_event")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION core_security_event_refuse()")
