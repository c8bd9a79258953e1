"""What the database knows of modules: their state, and the generation that every process follows."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import Json, UtcDateTime


class State(StrEnum):
    """Where a module stands in its life."""

    AVAILABLE = "available"
    ENABLED = "enabled"
    PAUSED = "paused"


class ModuleRow(Base):
    """A module that has been enabled in this deployment and not uninstalled."""

    __tablename__ = "core_module"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    state: Mapped[str] = mapped_column(String(12))
    version: Mapped[str] = mapped_column(String(40), default="")
    enabled_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    changed_by: Mapped[str] = mapped_column(String(255), default="")
    has_demo: Mapped[bool] = mapped_column(default=False)


class Generation(Base):
    """One row whose number rises with every change of modules; processes that see it rise rebuild themselves."""

    __tablename__ = "core_generation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, default=1)


class ProcessRow(Base):
    """A web or worker process that is alive, and the generation it serves."""

    __tablename__ = "core_process"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    generation: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)


class QuarantineRow(Base):
    """A module that failed to build or to answer a hook, and why, as the last process that noticed reported it."""

    __tablename__ = "core_quarantine"

    module: Mapped[str] = mapped_column(String(60), primary_key=True)
    phase: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    crashes: Mapped[list[str]] = mapped_column(Json(), default=list)
    """The moments of its latest crashes, in ISO 8601."""
    set_aside: Mapped[bool] = mapped_column(default=False)
    """Whether it is out of the generations to come until an administrator brings it back."""


class DemoRecord(Base):
    """A record that demonstration data created, so that it can be removed without trace."""

    __tablename__ = "core_demo_record"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80), index=True)
    record_id: Mapped[int] = mapped_column(Id)
