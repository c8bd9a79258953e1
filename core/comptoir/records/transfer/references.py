"""Find the record that a cell names: by its title, or by another of its fields; loosely where only spacing differs."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from comptoir.db.fields import Field
from comptoir.db.types import fold
from comptoir.errors import RuleViolation
from comptoir.i18n import Text, _
from comptoir.records.declared import DeclaredType

if TYPE_CHECKING:
    from comptoir.context import Context

MOST = 200_000
"""Titles that are kept in memory for one target; more are looked up one by one and only exactly."""

NOT_LETTERS = re.compile(r"[^\w]|_")


@dataclass(frozen=True, slots=True)
class Found:
    """The id that a cell stands for, and what to mention about how it was found."""

    record_id: int
    notice: Text | None = None


@dataclass(slots=True)
class Directory:
    """The records of one type by the field that cells name them with."""

    ctx: Context
    target: DeclaredType
    by: str
    _exact: dict[str, list[int]] | None = None
    _loose: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    _too_many: bool = False

    def find(self, text: str, described: Field) -> Found | None:
        """The record named by the text, or None; raises `RuleViolation` where several are."""
        if self._exact is None:
            self._load()
        assert self._exact is not None
        ids = self._ids(text)
        if len(ids) == 1:
            return Found(ids[0])
        if len(ids) > 1:
            raise RuleViolation(
                "core.ambiguous_reference",
                _(
                    "{count} {plural} are called “{text}”. Map the column to a field that tells them apart.",
                    count=len(ids),
                    plural=self.target.declaration.plural,
                    text=text,
                ),
                field=described.name,
            )
        near = self._loose.get(loosely(text), [])
        if len(near) == 1:
            record_id, title = near[0]
            return Found(
                record_id,
                _(
                    "{label} “{text}” was read as “{title}”, which differs only in spacing or punctuation. "
                    "Correct the spelling in the file to be sure.",
                    label=described.label,
                    text=text,
                    title=title,
                ),
            )
        return None

    def closest(self, text: str) -> list[str]:
        """Titles that resemble the text."""
        folded = {fold(title): title for near in self._loose.values() for _id, title in near}
        return (
            [folded[match] for match in difflib.get_close_matches(fold(text), list(folded), 2)]
            if len(folded) < 5000
            else []
        )

    def learn(self, record_id: int, title: Any) -> None:
        """Find a record that was just created, too."""
        if self._exact is not None and not self._too_many and title is not None:
            self._add(record_id, str(title))

    def _column(self) -> Any:
        return getattr(self.target.model, self.by)

    def _ids(self, text: str) -> list[int]:
        assert self._exact is not None
        if self._too_many:
            return list(self.ctx.session.scalars(select(self.target.table.c.id).where(self._column() == text).limit(3)))
        return self._exact.get(fold(text), [])

    def _load(self) -> None:
        self._exact, self._loose = {}, {}
        table = self.target.table
        count = self.ctx.session.scalar(select(func.count()).select_from(table)) or 0
        self._too_many = count > MOST
        if self._too_many:
            return
        query = select(table.c.id, table.c[self.by]).where(table.c.archived_at.is_(None))
        for record_id, title in self.ctx.session.execute(query):
            if title is not None:
                self._add(record_id, str(title))

    def _add(self, record_id: int, title: str) -> None:
        assert self._exact is not None
        self._exact.setdefault(fold(title), []).append(record_id)
        self._loose.setdefault(loosely(title), []).append((record_id, title))


def loosely(text: str) -> str:
    """A name without what people write differently: case, accents, blanks and punctuation."""
    return NOT_LETTERS.sub("", fold(text))


def unknown_reference(directory: Directory, described: Field, text: str) -> RuleViolation:
    """The violation for a name that nothing carries, with the names close to it."""
    close = directory.closest(text)
    return RuleViolation(
        "core.unknown_reference",
        _(
            "No {label} is called “{text}”. {hint}",
            label=str(directory.target.declaration.label).lower(),
            text=text[:60],
            hint=_("Close to it: {names}. Correct the cell.", names=", ".join(close))
            if close
            else _("Import it first, or correct the cell."),
        ),
        field=described.name,
    )
