"""Imports that stand in the database: each batch is kept with the place where the next one begins."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Integer, String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from comptoir.access.security_log import DATA_IMPORTED, record_event
from comptoir.context import unrestricted
from comptoir.db.base import Base
from comptoir.db.fields import Id
from comptoir.db.types import Json, UtcDateTime
from comptoir.errors import Conflict, NotFound
from comptoir.i18n import _
from comptoir.records.declared import DeclaredType
from comptoir.records.history import IMPORT
from comptoir.records.transfer.importing import Importer, Turn
from comptoir.records.transfer.mapping import parse_mapping
from comptoir.records.transfer.reading import Table
from comptoir.records.transfer.report import ImportReport, Listener, Progress

if TYPE_CHECKING:
    from comptoir.context import Context

T = TypeVar("T")

RUNNING, DONE, UNDOING, UNDONE = "running", "done", "undoing", "undone"


class ImportRun(Base):
    """An import: what it reads and how, how far it is, and what became of it."""

    __tablename__ = "core_import"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    record_type: Mapped[str] = mapped_column(String(80))
    file: Mapped[str] = mapped_column(String(1000))
    """Its whole path, where `run_import` looks for it."""
    digest: Mapped[str] = mapped_column(String(64))
    encoding: Mapped[str | None] = mapped_column(String(40))
    maps: Mapped[list[str]] = mapped_column(Json())
    key: Mapped[str | None] = mapped_column(String(200))
    keep_going: Mapped[bool]
    user_id: Mapped[int | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(255))
    started_at: Mapped[dt.datetime] = mapped_column(UtcDateTime())
    ended_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(10), default=RUNNING)
    turn: Mapped[int] = mapped_column(Integer, default=0)
    """Batches that are kept; whoever keeps the next one must know it, so that two processes never keep the same."""
    line: Mapped[int] = mapped_column(Integer, default=0)
    """The last line of the file that was taken in."""
    waiting: Mapped[list[int]] = mapped_column(Json(), default=list)
    """Lines before it that are not, because they name a record further down."""
    created: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    undo_from: Mapped[int | None] = mapped_column(Id)
    undone_to: Mapped[int | None] = mapped_column(Id)
    """An undo walks the import's history from one entry down to the other; see `undo_import`."""

    @property
    def rows(self) -> int:
        """The rows that are settled."""
        return self.created + self.updated + self.skipped + self.failed


def begin_import(
    ctx: Context,
    declared: DeclaredType,
    table: Table,
    file: Path,
    *,
    maps: Sequence[str] = (),
    key: str | None = None,
    encoding: str | None = None,
    keep_going: bool = False,
) -> ImportRun:
    """An import of a table that was read from ``file``, before its first row; `run_import` takes them."""
    ctx.require(declared.permission("create"))
    Importer(declared, parse_mapping(ctx, declared, table.columns, maps), key, None)  # refused before it begins
    run = ImportRun(
        record_type=declared.name, file=str(file.resolve())[:1000], digest=_digest_of(file), encoding=encoding,
        maps=list(maps), key=key, keep_going=keep_going, user_id=ctx.actor.id, actor=ctx.actor.name[:255],
        started_at=ctx.now(),
    )  # fmt: skip
    session = unrestricted(ctx, "imports")
    session.add(run)
    session.flush()
    session.expunge(run)
    return run


def run_import(
    turn: Turn,
    run: ImportRun,
    declared: DeclaredType,
    table: Table,
    *,
    listen: Listener | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Save the rows that an import has not kept yet, in many short transactions; the balance of all of it.

    Whatever ends it, each row is saved whole or not at all, and the next call goes on behind the last batch that is kept.
    Refused where the file is another one by now.
    """
    if run.state != RUNNING:
        raise Conflict(_("Import {number} has ended; there is nothing to resume.", number=run.id))
    if _digest_of(Path(run.file)) != run.digest:
        raise Conflict(
            _(
                "{file} has changed since import {number} began. Undo that one, and import the file anew.",
                file=run.file,
                number=run.id,
            )
        )
    mapping = turn(lambda ctx: parse_mapping(ctx, declared, table.columns, run.maps))
    importer = Importer(declared, mapping, run.key, listen)
    report = importer.report
    report.rows, report.created, report.updated = run.rows, run.created, run.updated
    report.skipped, report.failed = run.skipped, run.failed
    left = dict.fromkeys(run.waiting)  # they are read once more
    before, last = run.line, run.line

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        return ((line, cells) for line, cells in table.rows() if line > before or line in left)

    def standing() -> dict[str, Any]:
        now = importer.report
        return {
            "created": now.created, "updated": now.updated, "skipped": now.skipped, "failed": now.failed,
        }  # fmt: skip

    def mark(ctx: Context, lines: Sequence[int]) -> None:
        nonlocal last
        last = max(last, *lines)
        for line in lines:
            left.pop(line, None)
        waiting = [row.line for row in importer.waiting]
        keep(ctx, run, line=last, waiting=[*waiting, *left], **standing())

    turns = as_import(turn, run)
    importer.take_all(rows(), turns, mark=mark, progress=progress)

    def end(ctx: Context) -> None:
        keep(ctx, run, state=DONE, ended_at=ctx.now(), waiting=[], **standing())
        record_event(
            unrestricted(ctx, "security log"), DATA_IMPORTED, about=run.record_type, file=Path(run.file).name,
            number=run.id, created=importer.report.created, updated=importer.report.updated,
        )  # fmt: skip

    turns(end)
    run.state = DONE
    return importer.report


def find_import(ctx: Context, number: int) -> ImportRun:
    """An import by its number."""
    session = unrestricted(ctx, "imports")
    run = session.get(ImportRun, number)
    if run is None:
        raise NotFound(_("There is no import {number}. All of them: comptoir imports list", number=number))
    session.expunge(run)
    return run


def imports(ctx: Context, *, limit: int) -> Sequence[ImportRun]:
    """The latest imports, the newest first."""
    session = unrestricted(ctx, "imports")
    found = session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(limit)).all()
    session.expunge_all()
    return found


def keep(ctx: Context, run: ImportRun, **values: Any) -> None:
    """Keep where an import stands with what was just done; raises `Conflict` where another process did it first."""
    kept = update(ImportRun).where(ImportRun.id == run.id, ImportRun.state == run.state, ImportRun.turn == run.turn)
    done: Any = unrestricted(ctx, "imports").execute(
        kept.values(turn=run.turn + 1, **values), execution_options={"synchronize_session": False}
    )
    if done.rowcount != 1:
        raise Conflict(
            _("Another process goes on with import {number}, or has undone it. Nothing is done twice.", number=run.id)
        )


def as_import(turn: Turn, run: ImportRun) -> Turn:
    """Turns whose history carries the import; `run` follows what they keep."""

    def of_run(work: Callable[[Context], T]) -> T:
        def marked(ctx: Context) -> T:
            unrestricted(ctx, "imports").info[IMPORT] = run.id
            return work(ctx)

        done = turn(marked)
        run.turn += 1
        return done

    return of_run


def _digest_of(file: Path) -> str:
    """What tells a file from one that was changed."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
