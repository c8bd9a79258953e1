"""Read a workbook that may come from anybody: measured before it is unpacked, then read by a process with limits."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from comptoir.errors import RuleViolation
from comptoir.i18n import Text, _
from comptoir.records.transfer import sheet

COLUMNS = 1_000
"""More columns than this no table has that people keep."""
UNPACKED = 512 << 20
"""Bytes that a workbook may have unpacked, all parts together."""
DENSE = 64 << 20
"""A part may be this large however small it is packed; beyond, packing by more than `PACKED` is suspicious."""
PACKED = 200
MEMORY = 1024
"""Megabytes that reading may take."""
SECONDS = 60
"""Seconds of processor time that reading may take; of the clock, twice as many."""

SHEETS = re.compile(r"xl/worksheets/[^/]+\.xml\Z")
FAR = re.compile(
    rb"""<(?:\w+:)?c\s[^>]{0,80}?\br=["'](?:A(?:L[M-Z]|[M-Z][A-Z])|[B-Z][A-Z]{2})\d{1,7}["'][^>]{0,80}(?<!/)>"""
)
"""A cell with content right of the thousandth column, ALL; formats without content may stand there."""
OVERLAP = 256


class SheetRows:
    """The rows of a workbook's first sheet, each with its number; kept in a temporary file that goes with them."""

    def __init__(self, path: Path) -> None:
        handle, name = tempfile.mkstemp(prefix="comptoir-")
        self._lines = Path(name)
        weakref.finalize(self, self._lines.unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as target:
            _read(path, target)

    def __iter__(self) -> Iterator[tuple[int, list[Any]]]:
        with self._lines.open("rb") as lines:
            for line in lines:
                number, cells = orjson.loads(line)
                yield number, [_cell(cell) for cell in cells]


def _read(path: Path, target: IO[bytes]) -> None:
    """Write the rows as lines of JSON; refuses a workbook that is none, or would take too much."""
    if zipfile.is_zipfile(path):
        _measure(path)
    command = [sys.executable, "-I", sheet.__file__, str(path.absolute()), str(MEMORY), str(SECONDS)]
    quiet = subprocess.DEVNULL
    try:
        ran = subprocess.run(command, stdin=quiet, stdout=target, stderr=quiet, timeout=2 * SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise _too_large(path, _("reading it takes longer than {count} seconds", count=2 * SECONDS)) from None
    if ran.returncode == sheet.PROTECTED:
        raise refusal(_("{path} is protected by a password. Save it without one and import it again.", path=path.name))
    if ran.returncode == sheet.UNREADABLE:
        raise _damaged(path)
    if ran.returncode:
        raise _too_large(path, _("its cells lie so far apart, or are so many, that the memory does not suffice"))


def _cell(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return cell
    return dt.date.fromisoformat(cell["day"]) if "day" in cell else dt.datetime.fromisoformat(cell["moment"])


def refusal(message: Text) -> RuleViolation:
    """The error for a file that cannot be imported, with what to do."""
    return RuleViolation("core.unreadable_file", message, field="file")


def _damaged(path: Path) -> RuleViolation:
    return refusal(
        _(
            "{path} is damaged, or no workbook. Open it in a spreadsheet program and save it again as XLSX or CSV.",
            path=path.name,
        )
    )


def _too_large(path: Path, reason: Text) -> RuleViolation:
    return refusal(
        _(
            "{path} is too large to be read: {reason}. Delete what is not part of the table, or save it as CSV.",
            path=path.name,
            reason=reason,
        )
    )


def too_many_columns(path: Path) -> RuleViolation:
    """The error for a table that is wider than `COLUMNS`."""
    return refusal(
        _("{path} has more than {count} columns. Delete those that are not needed.", path=path.name, count=COLUMNS)
    )


def _measure(path: Path) -> None:
    """Refuse by what the archive says of itself, and by the places of its cells; memory does not grow with the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            total = sum(part.file_size for part in parts)
            if total > UNPACKED:
                raise _too_large(path, _("unpacked it has {count} MB", count=total >> 20))
            for part in parts:
                if part.file_size > DENSE and part.file_size > PACKED * max(part.compress_size, 1):
                    raise _too_large(path, _("it unpacks to {count} MB of next to nothing", count=part.file_size >> 20))
            for part in parts:
                if SHEETS.match(part.filename):
                    with archive.open(part) as content:
                        if any(FAR.search(block) for block in _blocks(content)):
                            raise too_many_columns(path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise _damaged(path) from None


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    """The content piece by piece; each begins with the end of the one before, so that nothing is cut in two unseen."""
    before = b""
    while block := content.read(1 << 20):
        yield before + block
        before = block[-OVERLAP:]
