"""Imports in many short transactions: killed and resumed without a doubled row, undone without losing what others did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select

from comptoir.access.security_log import DATA_IMPORTED, IMPORT_UNDONE
from comptoir.access.models import SecurityEvent
from comptoir.base.models import Contact, Task
from comptoir.context import Context, unrestricted
from comptoir.db.unit_of_work import UnitOfWork
from comptoir.errors import Conflict
from comptoir.records.history import HistoryEntry
from comptoir.records.transfer import ImportReport, begin_import, importing, read_table, run_import, undo_import
from comptoir.records.transfer.runs import ImportRun, find_import
from comptoir.records.write import delete, save
from comptoir.testing.platform import Platform
from comptoir_sales.models import Deal

pytestmark = pytest.mark.modules("catalog", "sales")

T = TypeVar("T")
HEAD = "name,parent,city,tax_number,phone,email"


class Killed(BaseException):
    """The process ends here."""


class Importing:
    """A file on its way into the database, a transaction a batch."""

    def __init__(self, platform: Any, folder: Path) -> None:
        self.platform = platform
        self.path = folder / "contacts.csv"
        self.turns = 0

    def turn(self, work: Callable[[Context], T]) -> T:
        with self.platform.deployment.system_context("import of contacts.csv") as ctx:
            done = work(ctx)
        self.turns += 1
        return done

    def killed_after(self, turns: int) -> Callable[[Callable[[Context], T]], T]:
        """Turns of a process that is killed in the middle of the one after so many."""
        until = self.turns + turns

        def turn(work: Callable[[Context], T]) -> T:
            def cut(ctx: Context) -> T:
                done = work(ctx)
                if self.turns >= until:
                    raise Killed
                return done

            return self.turn(cut)

        return turn

    def begin(self, rows: str, **options: Any) -> ImportRun:
        self.path.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
        self.table = read_table(self.path)
        self.declared = self.platform.deployment.registry.record_type("base.contact")
        return self.turn(lambda ctx: begin_import(ctx, self.declared, self.table, self.path, **options))

    def go_on(self, run: ImportRun, turn: Any = None) -> ImportReport:
        report = run_import(turn or self.turn, run, self.declared, self.table)
        assert report.created + report.updated + report.skipped + report.failed == report.rows
        return report

    def found(self, number: int) -> ImportRun:
        return self.turn(lambda ctx: find_import(ctx, number))

    def names(self) -> list[str]:
        return self.turn(lambda ctx: sorted(ctx.session.scalars(select(Contact.name))))

    def in_database(self, work: Callable[[Context], T]) -> T:
        return self.turn(work)
