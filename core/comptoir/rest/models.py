"""The answers of the API that are kept so that a repeated request does its work once."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import LargeBinary, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import Json, UtcDateTime


class IdempotentAnswer(Base):
    """The first answer to a POST that carried an ``Idempotency-Key``, written in the transaction of its effect."""

    __tablename__ = "core_idempotency"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(255))
    request: Mapped[str] = mapped_column(String(255))
    """Method and path."""
    body_hash: Mapped[str] = mapped_column(String(64))
    credential: Mapped[str] = mapped_column(String(40))
    """The token that was sent, or that a browser's session was."""
    rights: Mapped[str] = mapped_column(String(64))
    """A digest of what the caller might do then."""
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(Json())
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime(), index=True)
