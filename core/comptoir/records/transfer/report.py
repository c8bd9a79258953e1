"""What an import says: a problem at its row, and the balance at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from comptoir.i18n import Text, _


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, or worth a look, in one row; a notice does not keep the row from being imported."""

    line: int
    column: str
    message: str
    is_notice: bool = False


@dataclass(slots=True)
class ImportReport:
    """The balance of an import: ``created + updated + skipped + failed`` is the number of rows."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    unused: tuple[str, ...] = ()
    kept: bool = True
    """False after a dry run, and where failed rows undid everything."""

    def copy(self) -> ImportReport:
        """One that counts on by itself."""
        return replace(self, notices=self.notices.copy(), problems=self.problems.copy())


Listener = Callable[[Problem, dict[str, Any]], None]
"""Called for each problem with its row as it stands in the file; never called twice for the same problem."""

Progress = Callable[[int], None]


def message_of(report: ImportReport) -> Text:
    """The balance in one line."""
    return _(
        "{rows} rows: {created} created, {updated} updated, {skipped} unchanged, {failed} failed.",
        rows=report.rows,
        created=report.created,
        updated=report.updated,
        skipped=report.skipped,
        failed=report.failed,
    )
