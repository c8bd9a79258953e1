"""Ids as they come in forms and addresses: any text at all."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter, Map

LARGEST_ID = 2**63 - 1
"""What the databases can compare with; no row has a larger one."""


class IdConverter(IntegerConverter):
    """``<int:record_id>`` in an address: larger than any id is no address of ours."""

    def __init__(self, map: Map, *args: Any, **options: Any) -> None:
        options.setdefault("max", LARGEST_ID)
        super().__init__(map, *args, **options)


def id_of(text: str) -> int | None:
    """The id that a text spells; None for anything that no row can have."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
