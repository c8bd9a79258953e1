"""The declarative base that every table of core and plugins stands on."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, because SQLite's batch migrations cannot drop an unnamed one."""


class Base(DeclarativeBase):
    """A table; which plugin owns it is decided by the registry from ``contribute_models``."""

    metadata = MetaData(naming_convention=NAMING)
    __visible__: ClassVar[Any] = None
    """Who may read the rows of a table that is no record: ``through(column)`` or ``public()``; None denies everyone."""
