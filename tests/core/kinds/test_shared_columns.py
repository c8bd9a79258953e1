"""The columns that every record shares come from one place, and later ones need no migration of a plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from comptoir_paint.models import Shade

import comptoir_catalog.models  # noqa: F401 - other tests import sales, whose tables point at these
from comptoir.db.migrations import SHARED, Unit, add_shared_columns, record_columns, upgrade, write_revision
from comptoir.deployment import Deployment

ROOT = Path(__file__).parents[3]


def columns(connection: Any, table: str) -> dict[str, Any]:
    return {c["name"]: (str(c["type"]), c["nullable"]) for c in sa.inspect(connection).get_columns(table)}


def keys(connection: Any, table: str) -> set[tuple[Any, ...]]:
    found = sa.inspect(connection).get_foreign_keys(table)
    return {(*k["constrained_columns"], k["referred_table"], k["options"].get("ondelete"), k["name"]) for k in found}


def test_a_table_made_from_them_is_the_table_of_the_model(deployment: Deployment) -> None:
    with deployment.engine.begin() as connection:
        model = columns(connection, "paint_shade"), keys(connection, "paint_shade")
        own = [column._copy() for column in Shade.__table__.columns if column.name not in _shared()]
        Shade.__table__.drop(connection)  # type: ignore[attr-defined]
        operations = Operations(MigrationContext.configure(connection))
        operations.create_table("paint_shade", *record_columns("paint_shade"), *own)
        assert (columns(connection, "paint_shade"), keys(connection, "paint_shade")) == model


def _shared() -> set[str]:
    return {column.name for since in SHARED for column in since()}


def test_a_later_column_reaches_every_table_of_records_once(deployment: Deployment) -> None:
    later = (*SHARED, lambda: [sa.Column("pinned_at", sa.String(10), nullable=True)])
    with deployment.engine.begin() as connection:
        for _again in range(2):
            add_shared_columns(connection, ["paint_shade", "base_contact", "base_contact_phone"], later)
        assert "pinned_at" in columns(connection, "paint_shade")
        assert "pinned_at" in columns(connection, "base_contact")
        assert "pinned_at" not in columns(connection, "base_contact_phone")


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """The paint plugin with an empty folder of migrations."""
    for name in ("env.py", "script.py.mako"):
        (tmp_path / name).touch()
    return Unit("paint", tmp_path, frozenset({"paint_shade"}))


def test_a_drafted_revision_calls_them_passes_the_linter_and_makes_the_table(
    deployment: Deployment, unit: Unit
) -> None:
    with deployment.engine.begin() as connection:
        model = columns(connection, "paint_shade")
        Shade.__table__.drop(connection)  # type: ignore[attr-defined]
        path = write_revision(connection, unit, "Shades")
        text = path.read_text("utf-8")
        assert '*toolkit.record_columns("paint_shade", version=1)' in text
        assert not any(f'sa.Column("{name}"' in text or f"sa.Column('{name}'" in text for name in _shared())
        upgrade(connection, unit)
        assert columns(connection, "paint_shade") == model
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(path)]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
