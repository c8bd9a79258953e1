"""An empty queue on either engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from comptoir.db.base import Base
from comptoir.jobs.models import JobClaim, JobPause, JobRun, Lease, QueuedWork


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    tables = [Base.metadata.tables[m.__tablename__] for m in (QueuedWork, JobRun, JobClaim, Lease, JobPause)]
    Base.metadata.create_all(engine, tables=tables)
    yield engine
    engine.dispose()
