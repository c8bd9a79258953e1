"""Values as JSON carries them: exact decimals as text, days and moments in ISO 8601; and the strict way back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

import orjson
from flask import Request

from comptoir.db.types import MONEY_PLACES
from comptoir.errors import ComptoirError
from comptoir.i18n import Lazy, _

BODY_LIMIT = 16 * 1024 * 1024
"""The largest body that is read, in bytes."""

JSON_TYPES = ("application/json", "application/merge-patch+json")
KEYS_LIMIT = 1_000
"""How many keys one object may have; no record has as many fields."""
_STEP = Decimal(1).scaleb(-MONEY_PLACES)
_INTEGER_DIGITS = 40


class BadRequest(ComptoirError):
    """The request cannot be read; nothing of it was done."""

    status = 400
    code = "core.bad_request"


class WrongMediaType(ComptoirError):
    """The body is no JSON by its own account."""

    status = 415
    code = "core.media_type"


def decimal_text(value: Decimal) -> str:
    """Two decimals, or four where they are needed: ``500.00``, ``0.1250``."""
    text = format(value.quantize(_STEP), "f")
    return text.removesuffix("00")


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Lazy):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


def dump(value: Any) -> bytes:
    """The value as JSON in UTF-8."""
    try:
        return orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # half a surrogate pair, which an error message quotes from the request, has no UTF-8; ASCII escapes carry it
        return json.dumps(value, default=_default).encode()


def _integer(digits: str) -> int | Decimal:
    # a number beyond any field stays a Decimal: Python refuses to make an int of thousands of digits
    return int(digits) if len(digits) <= _INTEGER_DIGITS else Decimal(digits)


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > KEYS_LIMIT:
        raise BadRequest(_("One object has {count} keys; {limit} are the most.", count=len(pairs), limit=KEYS_LIMIT))
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _value in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadRequest(_("The key “{key}” stands twice in one object. Send it once.", key=twice[:60]))
    return found


_decoder = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, object_pairs_hook=_pairs)


def read_json(request: Request, *, optional: bool = False) -> Any:
    """The body of a request; raises `BadRequest` with line and column where it is no JSON, 413 where it is too long.

    An empty body is None where it is ``optional``.
    """
    request.max_content_length = BODY_LIMIT
    body = request.get_data(cache=True)
    if not body and optional:
        return None
    if not body:
        raise BadRequest(_("The body is empty. Send a JSON object, {{}} at least."))
    if request.mimetype not in JSON_TYPES:
        raise WrongMediaType(_("The body must be JSON. Send the header Content-Type: application/json."))
    try:
        return _decoder.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadRequest(_("The body is not UTF-8: byte {position} fits no character.", position=error.start)) from None
    except json.JSONDecodeError as error:
        _malformed(error)
    except RecursionError:
        raise BadRequest(_("The body is nested too deeply.")) from None


def _malformed(error: json.JSONDecodeError) -> NoReturn:
    raise BadRequest(
        _(
            "The body is not JSON: {reason} at line {line}, column {column}.",
            reason=error.msg,
            line=error.lineno,
            column=error.colno,
        )
    ) from None
