"""Saved reports and the views of lists that people keep become records."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from alembic import op

from comptoir.db import types
from comptoir.db.migrations import record_columns

revision = "comptoir_views"
down_revision = "comptoir_imports"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNER = "fk_core_view_owner_id"
USERS = sa.table("core_user", sa.column("id", ID), sa.column("preferences", sa.Text()))
MOMENT = types.UtcDateTime(timezone=True)
JSON = types.Json(none_as_null=True)
REPORTS = sa.table(
    "core_report",
    sa.column("id", ID),
    sa.column("name", sa.String()),
    sa.column("owner_id", ID),
    sa.column("shared", sa.Boolean()),
    sa.column("report", sa.String()),
    sa.column("query", JSON),
    sa.column("created_at", MOMENT),
)
VIEWS = sa.table(
    "core_view",
    *(part for part in record_columns("core_view") if isinstance(part, sa.Column)),
    sa.column("name", sa.String()),
    sa.column("page", sa.String()),
    sa.column("subject", sa.String()),
    sa.column("query", sa.Text()),
    sa.column("position", sa.BigInteger()),
    sa.column("shared", sa.Boolean()),
)


def upgrade() -> None:
    op.create_table(
        "core_view",
        *(part for part in record_columns("core_view") if part.name != OWNER),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("page", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["core_user.id"], name=OWNER, ondelete="CASCADE"),
        sa.UniqueConstraint(
            "owner_id", "page", "subject", "name", name=op.f("uq_core_view_owner_id_page_subject_name")
        ),
    )
    for name in ("archived_at", "owner_id", "subject", "team_id"):
        op.create_index(op.f(f"ix_core_view_{name}"), "core_view", [name], unique=False)
    _insert(VIEWS, list(_reports()))  # first, because dashboards name them by their number
    _insert(VIEWS, list(_lists()))
    op.drop_table("core_report")


def downgrade() -> None:
    op.create_table(
        "core_report",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("report", sa.String(length=120), nullable=False),
        sa.Column("query", types.Json(none_as_null=True), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["core_user.id"], name=op.f("fk_core_report_owner_id_core_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_report")),
    )
    op.create_index(op.f("ix_core_report_owner_id"), "core_report", ["owner_id"], unique=False)
    kept: dict[int, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    reports = []
    for view in op.get_bind().execute(sa.select(VIEWS).order_by(VIEWS.c.position, VIEWS.c.id)).all():
        query = [list(pair) for pair in parse_qsl(view.query or "")]
        if view.page == "list":
            kept[view.owner_id][view.subject].append({"name": view.name, "query": query})
        else:
            reports.append(
                {
                    "id": view.id, "name": view.name, "owner_id": view.owner_id, "shared": view.shared,
                    "report": view.subject, "query": query, "created_at": view.created_at,
                }
            )  # fmt: skip
    _insert(REPORTS, reports)
    for owner, preferences in _preferences():
        if owner in kept:
            _write(owner, {**preferences, "views": kept[owner]})
    op.drop_table("core_view")


def _reports() -> Iterator[dict[str, Any]]:
    """The saved reports, each with its number."""
    for report in op.get_bind().execute(sa.select(REPORTS).order_by(REPORTS.c.id)).all():
        made = _view(report.owner_id, report.name, "report", report.report, report.query, report.created_at)
        yield {**made, "id": report.id, "shared": report.shared}


def _lists() -> Iterator[dict[str, Any]]:
    """The views in the preferences, which leave them."""
    now = dt.datetime.now(dt.UTC)
    for owner, preferences in _preferences():
        if "views" not in preferences:
            continue
        for subject, views in preferences.pop("views").items():
            for view in views:
                yield _view(owner, view["name"], "list", subject, view["query"], now)
        _write(owner, preferences)


def _view(owner: int, name: str, page: str, subject: str, query: Any, at: dt.datetime) -> dict[str, Any]:
    return {
        "owner_id": owner, "name": name, "page": page, "subject": subject, "position": 0, "shared": False,
        "query": urlencode([(str(key), str(value)) for key, value in query], safe="[]:,-") or None,
        "created_at": at, "created_by": owner, "updated_at": at, "updated_by": owner,
        "version": 1, "custom": {}, "search_key": "",
    }  # fmt: skip


def _preferences() -> list[tuple[int, dict[str, Any]]]:
    rows = op.get_bind().execute(sa.select(USERS).where(USERS.c.preferences.like("%{%"))).all()
    return [(row.id, json.loads(row.preferences)) for row in rows]


def _write(user: int, preferences: dict[str, Any]) -> None:
    op.get_bind().execute(
        sa.update(USERS).where(USERS.c.id == user).values(preferences=json.dumps(preferences, ensure_ascii=False))
    )


def _insert(table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
    """Rows of a table; where they bring their numbers, the next ones follow them."""
    if not rows:
        return
    connection = op.get_bind()
    connection.execute(sa.insert(table), rows)
    if "id" in rows[0] and connection.dialect.name == "postgresql":
        top = max(row["id"] for row in rows)
        connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), top)))
