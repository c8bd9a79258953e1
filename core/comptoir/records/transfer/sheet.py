"""A process of its own that reads the first sheet of a workbook: its memory and time are limited, so that no file harms others.

Run as a script, ``sheet.py FILE MEGABYTES SECONDS``; it imports nothing of Comptoir, so that it starts quickly.  Each row is
a line of JSON on standard output: its number in the sheet and its cells, days and moments as ``{"day": …}``, ``{"moment": …}``.
"""

from __future__ import annotations

import datetime as dt
import resource
import sys
from typing import Any

import orjson
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

UNREADABLE, PROTECTED = 3, 4
"""Exit statuses: the file is damaged or no workbook; it is protected by a password."""


def as_json(cell: Any) -> Any:
    """A cell as JSON can hold it."""
    if isinstance(cell, dt.datetime):
        return {"moment": cell.isoformat()}
    if isinstance(cell, dt.date):
        return {"day": cell.isoformat()}
    return cell if isinstance(cell, str | int | float | bool) else str(cell)


def main(path: str, megabytes: int, seconds: int) -> int:
    """Write the rows of the first sheet."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except PasswordError:
        return PROTECTED
    except (CalamineError, OSError, IndexError):
        return UNREADABLE
    for number, cells in enumerate(sheet.iter_rows(), 1):
        if any(cell != "" for cell in cells):
            sys.stdout.buffer.write(orjson.dumps([number, [as_json(cell) for cell in cells]]) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
