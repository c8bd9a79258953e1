"""The opaque place in a sorted list: the sort values of the last row, checked by type when they come back."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from comptoir.errors import RuleViolation
from comptoir.i18n import _
from comptoir.kinds import Field
from comptoir.records.query.paths import Path, refuse

MAX_LENGTH = 20_000


def encode(sort: Sequence[str], values: Sequence[Any], record_id: int) -> str:
    """The cursor behind the row with these sort values."""
    plain = [str(v) if isinstance(v, Decimal) else v.isoformat() if isinstance(v, dt.date) else v for v in values]
    packed = json.dumps([",".join(sort), plain, record_id], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def check(cursor: str, sort: Sequence[str]) -> None:
    """Refuse what is no cursor of a list sorted like this."""
    _unpack(cursor, sort)


def decode(cursor: str, sort: Sequence[str], paths: Sequence[Path]) -> tuple[list[Any], int]:
    """The sort values and the id of the row that the cursor stands behind."""
    plain, record_id = _unpack(cursor, sort)
    if len(plain) != len(paths):
        raise _bad()
    return [_value(path.field, value) for path, value in zip(paths, plain, strict=True)], record_id


def _unpack(cursor: str, sort: Sequence[str]) -> tuple[list[Any], int]:
    try:
        if len(cursor) > MAX_LENGTH:
            raise ValueError
        packed = base64.b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii"), altchars=b"-_", validate=True)
        made_for, plain, record_id = json.loads(packed)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _bad() from None
    whole = isinstance(record_id, int) and not isinstance(record_id, bool)
    if not isinstance(plain, list) or not whole or not 0 <= record_id < 2**63:
        raise _bad()
    if made_for != ",".join(sort):
        raise refuse(
            "core.other_cursor",
            _("This cursor belongs to another sort order. Begin with the first page."),
            "page[after]",
        )
    return plain, record_id


def _value(field: Field, value: Any) -> Any:
    if value is None:
        return None
    try:
        return field.kind.comparable(field.kind.from_json(field, value))
    except RuleViolation:
        raise _bad() from None


def _bad() -> RuleViolation:
    return refuse("core.bad_cursor", _("This is no cursor of a list. Begin with the first page."), "page[after]")
