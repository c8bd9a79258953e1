"""The declarative base that every table of core and plugins stands on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import MetaData, inspect
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
    """A table; which plugin owns it is decided by the registry from what it contributes."""

    metadata = MetaData(naming_convention=NAMING)
    __visible__: ClassVar[Any] = None
    """Who may read the rows of a table that is no record: ``through(column)`` or ``public()``; None denies everyone."""

    def __init__(self, **values: Any) -> None:
        """A new row with its columns' defaults already in place, so that hooks and checks see what will be stored."""
        model = type(self)
        # not as a change: of a new row everything in its dictionary is stored
        self.__dict__.update(standard_values(model))
        for name, value in values.items():
            if not hasattr(model, name):
                raise TypeError(f"{model.__name__} has no attribute {name}")
            setattr(self, name, value)


@lru_cache(maxsize=512)
def standard_values(model: type[Base]) -> Mapping[str, Any]:
    """The constant defaults of a model's columns by attribute."""
    found: dict[str, Any] = {}
    for attribute in inspect(model).column_attrs:
        default: Any = getattr(attribute.columns[0], "default", None)
        if default is not None and default.is_scalar:
            found[attribute.key] = default.arg
    return found
