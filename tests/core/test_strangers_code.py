"""Plugins that are merely installed cannot harm: their import is tried apart, and their tables are compared first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from comptoir.db.base import Base
from comptoir.deployment import Deployment
from comptoir.errors import PluginError
from comptoir.modules.life_cycle import enable_modules, initialise, upgrade_all
from comptoir.registry import trial
from comptoir.registry.discover import Available, discover_plugins
from comptoir.registry.models import Generation
from comptoir.testing import platform
from comptoir.testing.platform import Clock

NUMBERS = count()

THING = """
from sqlalchemy.orm import Mapped

from comptoir.toolkit import Manifest, Record, RecordType, hookimpl, text

manifest = Manifest("Stranger")


class {thing}(Record):
    __tablename__ = "stranger_thing"
    __record__ = RecordType("Thing", "Things", path="things")

    name: Mapped[str] = text("Name", title=True)


@hookimpl
def contribute():
    return [{thing}]
"""

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade():
    {deed}


def downgrade():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / "plugins" / "comptoir_stranger"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    sys.path.insert(0, str(package.parent))
    yield package
    sys.path.remove(str(package.parent))
    for name in [n for n in sys.modules if n.startswith("comptoir_stranger")]:
        del sys.modules[name]


@pytest.fixture
def deployment(folder: Path, database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Deployment]:
    available = {**discover_plugins(), "stranger": Available("stranger", "comptoir_stranger.plugin", "1.0")}
    opened = Deployment(platform.test_settings(database_url, tmp_path), clock=clock, discover=lambda: available)
    initialise(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("import os; os._exit(0)", "it ends the process"),
        ("import time; time.sleep(600)", "it does not come to an end within 4 s"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_plugin_that_ends_or_halts_its_process_is_refused_before_it_is_imported(
    folder: Path, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 4.0 if "sleep" in code else 60.0)
    monkeypatch.setattr(trial, "_refused", {})
    (folder / "plugin.py").write_text(code)

    with pytest.raises(PluginError, match=reason):
        enable_modules(deployment, ["stranger"])

    assert "comptoir_stranger.plugin" not in sys.modules
    assert "stranger" not in deployment.registry.plugins


def test_a_plugin_with_models_and_no_migration_is_refused_before_it_is_enabled(
    folder: Path, deployment: Deployment
) -> None:
    write_models(folder)

    with pytest.raises(PluginError, match="It has models but no migration"):
        enable_modules(deployment, ["stranger"])

    assert "stranger" not in deployment.registry.plugins


def test_a_plugin_whose_migration_makes_another_table_is_refused_and_nothing_is_left(
    folder: Path, deployment: Deployment
) -> None:
    write_models(folder)
    write_migration(folder, "stranger_0001", None, 'op.create_table("stranger_other", sa.Column("id", sa.Integer))')

    with pytest.raises(PluginError, match="No migration of it makes stranger_thing"):
        enable_modules(deployment, ["stranger"])

    with deployment.engine.connect() as connection:
        assert not connection.dialect.has_table(connection, "stranger_other")


def test_a_plugin_whose_new_version_waits_for_its_migration_is_set_aside_until_it_is_upgraded(
    folder: Path, deployment: Deployment
) -> None:
    (folder / "plugin.py").write_text('from comptoir.toolkit import Manifest\nmanifest = Manifest("Stranger")')
    write_migration(folder, "stranger_0001", None, "pass")
    enable_modules(deployment, ["stranger"])
    assert "stranger" in deployment.registry.plugins

    write_migration(folder, "stranger_0002", "stranger_0001", "pass")
    begin_a_generation(deployment)

    fault = deployment.registry.quarantined["stranger"]
    assert fault.phase == "migration"
    assert fault.reason == "Version 1.0 is installed, but its tables are of another. Run: comptoir upgrade"

    upgrade_all(deployment)
    assert "stranger" in deployment.registry.plugins


def write_migration(folder: Path, revision: str, before: str | None, deed: str) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / f"{revision}.py").write_text(MIGRATION.format(revision=revision, before=repr(before), deed=deed))


def begin_a_generation(deployment: Deployment) -> None:
    with Session(deployment.engine) as session, session.begin():
        session.execute(update(Generation).values(number=Generation.number + 1))
    assert deployment.refresh()


def write_models(folder: Path) -> None:
    """A plugin with one table, whose class is another one in each test, because classes outlive the test that made them."""
    table: Any = Base.metadata.tables.get("stranger_thing")
    if table is not None:
        Base.metadata.remove(table)
    (folder / "plugin.py").write_text(THING.format(thing=f"Thing{next(NUMBERS)}"))
