"""An empty queue on either engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from comptoir.db.base import Base
from comptoir.db.engine import create_engine
from comptoir.deployment import Deployment
from comptoir.jobs.models import JobClaim, JobPause, JobRun, Lease, QueuedWork


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    tables = [Base.metadata.tables[m.__tablename__] for m in (QueuedWork, JobRun, JobClaim, Lease, JobPause)]
    Base.metadata.create_all(engine, tables=tables)
    yield engine
    engine.dispose()


DEPLOYED = Path(__file__).parent / "deployed"


@pytest.fixture
def shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A deployment with a module that has jobs and deferred work."""
    monkeypatch.syspath_prepend(DEPLOYED)
    from jobs_deployment import create_tables, open_shop

    deployment = open_shop(database_url)
    create_tables(deployment)
    yield deployment
    deployment.close()
