"""The words of a search, and what the search table must hold of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, and_, false, or_

from comptoir.db.search import Fragment, holds, latin, words_of
from comptoir.db.types import fold
from comptoir.i18n import _
from comptoir.records.query.paths import refuse

MAX_WORDS = 10
LONG_NUMBER = 6
"""So many digits are a number of something, whatever stands between them."""

Word = tuple[str, ...]
"""The spellings of one word, each as a fragment of the search table's text; the first is the word as typed."""

_TEL_ADDRESS = re.compile(r"\s*tel:([^;]*).*\Z", re.IGNORECASE | re.DOTALL)
_MARKS = {ord(mark): None for mark in "+()-./"}


def words_in(text: str) -> list[Word] | None:
    """The words that a record must hold, all of them; None for a text without any, an empty word where nothing can be found.

    A fragment has three letters or digits; a shorter one stands at the beginning of a word.  A number is looked for
    without its leading zeros too, Cyrillic also in Latin letters.
    """
    typed = fold(_TEL_ADDRESS.sub(r"\1", text.replace("\x00", " "))).split()
    if not typed:
        return None
    if len(typed) > MAX_WORDS:
        raise refuse("core.too_many_words", _("Look for at most {limit} words.", limit=MAX_WORDS), "q")
    if _is_long_number(together := "".join(typed)):
        return [_number(together)]
    found = []
    for word in typed:
        if _is_long_number(word):
            found.append(_number(word))
        elif words := words_of(word):
            found.append(tuple(dict.fromkeys(_fragment(spelling) for spelling in (words, latin(words)))))
    return found or [()]


def _is_long_number(word: str) -> bool:
    digits = word.translate(_MARKS)
    return len(digits) >= LONG_NUMBER and digits.isascii() and digits.isdecimal()


def _number(written: str) -> Word:
    """A number as it may be stored: from abroad the zero in brackets is not dialled, except in Italy."""
    dialled = [spelled.translate(_MARKS) for spelled in (written, written.replace("(0)", ""))]
    spellings = (spelling for digits in dialled for spelling in (digits, digits.lstrip("0")))
    return tuple(dict.fromkeys(spelling for spelling in spellings if len(spelling) >= 3))


def _fragment(words: str) -> str:
    return words if len(words) >= 3 else f" {words}"


def shape_of(words: Sequence[Word]) -> tuple[tuple[bool, ...], ...]:
    """What the statement of a search depends on: how many spellings each word has, and which have trigrams."""
    return tuple(tuple(len(spelling) >= 3 for spelling in word) for word in words)


def conditions(
    entry: Any, shape: Sequence[Sequence[bool]], value: Callable[[Any], ColumnElement[Any]], *, indexed: bool = True
) -> Iterator[ColumnElement[bool]]:
    """What an entry of the search table must fulfil: the index gives the candidates, the text decides.

    ``value`` gives the place of the next value of `values_of`; where other conditions leave few entries, the text alone decides.
    """
    for spellings in shape:
        alternatives = []
        for has_grams in spellings:
            candidates = [holds(entry, value(Fragment()))] if has_grams else []
            alternatives.append(and_(*(candidates if indexed else ()), entry.c.key.like(value(String()))))
        yield or_(*alternatives) if alternatives else false()


def values_of(words: Sequence[Word]) -> Iterator[str]:
    """The values of a search, in order; a fragment has only letters, digits and blanks, hence nothing special to LIKE."""
    for spelling in (spelling for word in words for spelling in word):
        if len(spelling) >= 3:
            yield spelling
        yield f"%{spelling}%"
