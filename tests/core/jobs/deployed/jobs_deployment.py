"""Opens a deployment with the test's modules, in the test and in the processes that it starts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from comptoir_jobs_shop import effects
from sqlalchemy.orm import Session

from comptoir.db.base import Base
from comptoir.deployment import Deployment
from comptoir.registry.discover import Available
from comptoir.registry.models import Generation, ModuleRow, State
from comptoir.registry.schema import core_unit
from comptoir.settings import Settings


def open_shop(url: str) -> Deployment:
    available = {name: Available(name, f"comptoir_jobs_{name}", "1.0") for name in ("base", "shop")}
    settings = Settings(name="shop", database_url=url, data_dir=Path("var"))
    return Deployment(settings, discover=lambda: available)


def create_tables(deployment: Deployment) -> None:
    core = core_unit()
    Base.metadata.create_all(deployment.engine, tables=[Base.metadata.tables[name] for name in core.tables])
    effects.create(deployment.engine)
    with deployment.engine.begin() as connection:
        options = {"version_table": core.version_table}
        MigrationContext.configure(connection, opts=options).stamp(core.script(), "heads")
    with Session(deployment.engine) as session, session.begin():
        now = datetime.now(UTC)
        session.add(Generation(id=1, number=1))
        for name in ("base", "shop"):
            session.add(ModuleRow(name=name, state=State.ENABLED, enabled_at=now, changed_at=now))


def set_state(deployment: Deployment, module: str, state: State) -> None:
    with Session(deployment.engine) as session, session.begin():
        session.execute(sa.update(ModuleRow).where(ModuleRow.name == module).values(state=state))
        session.execute(sa.update(Generation).values(number=Generation.number + 1))


def labels(deployment: Deployment) -> list[str]:
    with deployment.engine.connect() as connection:
        return list(connection.execute(sa.select(effects.c.label)).scalars())
