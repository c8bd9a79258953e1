"""Has a table that says nothing about who may read it."""

from sqlalchemy.orm import Mapped, mapped_column

from comptoir.toolkit import Base, Manifest, hookimpl

manifest = Manifest("Broken")


class Count(Base):
    __tablename__ = "no_rule_count"
    id: Mapped[int] = mapped_column(primary_key=True)


@hookimpl
def contribute():
    return [Count]
