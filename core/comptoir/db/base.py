"""The declarative base that every table of core and plugins stands on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import MetaData, inspect
from sqlalchemy.orm import DeclarativeBase, Mapper

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

    def __init__(self, **values: Any) -> None:
        """Fields that are not given have their declared default at once, so that hooks and checks see it."""
        mapper: Mapper[Any] = inspect(type(self))
        for name, value in {**_defaults(type(self)), **values}.items():
            if name not in mapper.attrs and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name}")
            setattr(self, name, value)


@lru_cache(maxsize=512)
def _defaults(model: type[Base]) -> Mapping[str, Any]:
    mapper: Mapper[Any] = inspect(model)
    found = {}
    for attribute in mapper.column_attrs:
        column: Any = attribute.columns[0]
        if "field" in column.info and column.default is not None and column.default.is_scalar:
            found[attribute.key] = column.default.arg
    return found
