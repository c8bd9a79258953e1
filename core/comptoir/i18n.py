"""Translatable strings: lazy at import time, resolved in the reader's language when shown."""

from __future__ import annotations

import contextlib
import gettext as _gettext
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

LANGUAGES = {
    "en": "English",
    "ro": "Română",
    "nl": "Nederlands",
    "az": "Azərbaycan dili",
    "bg": "Български",
    "pl": "Polski",
}

_catalogue_folders: list[Path] = [Path(__file__).parent / "translations"]
_language: ContextVar[str] = ContextVar("comptoir_language", default="en")


def add_catalogue(folder: Path) -> None:
    """Let the catalogues below ``folder`` (``<language>/LC_MESSAGES/messages.mo``) answer too; a plugin's after the core's."""
    if folder.is_dir() and folder not in _catalogue_folders:
        _catalogue_folders.append(folder)
        forget_catalogues()


def forget_catalogues() -> None:
    """Read the catalogues anew at the next message, because a file of theirs has changed."""
    _translations.cache_clear()


@lru_cache(maxsize=64)
def _translations(language: str) -> _gettext.NullTranslations:
    chain: _gettext.NullTranslations = _gettext.NullTranslations()
    for folder in reversed(_catalogue_folders):
        with contextlib.suppress(OSError):
            catalogue = _gettext.translation("messages", folder, [language])
            catalogue.add_fallback(chain)
            chain = catalogue
    return chain


def current_language() -> str:
    """The language in which lazy strings resolve now."""
    return _language.get()


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Resolve strings in ``language`` inside the block; an unknown language falls back to English."""
    token = _language.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _language.reset(token)


class Lazy:
    """A message that is looked up each time it is shown; ``%`` and ``format`` give another lazy message."""

    __slots__ = ("_arguments", "_count", "_plural", "message")

    def __init__(
        self, message: str, plural: str | None = None, count: int = 0, arguments: dict[str, Any] | None = None
    ):
        self.message = message
        self._plural = plural
        self._count = count
        self._arguments = arguments

    def __str__(self) -> str:
        catalogue = _translations(_language.get())
        text = (
            catalogue.gettext(self.message)
            if self._plural is None
            else catalogue.ngettext(self.message, self._plural, self._count)
        )
        return text.format(**self._arguments) if self._arguments else text

    def format(self, **arguments: Any) -> Lazy:
        """The same message with its named placeholders filled when shown."""
        return Lazy(self.message, self._plural, self._count, {**(self._arguments or {}), **arguments})

    def __html__(self) -> str:
        from html import escape

        return escape(str(self))

    def __repr__(self) -> str:
        return f"_({self.message!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Lazy | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.message)

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)

    def __add__(self, other: object) -> str:
        return str(self) + str(other)

    def __radd__(self, other: object) -> str:
        return str(other) + str(self)

    def __len__(self) -> int:
        return len(str(self))


Text = str | Lazy


def _(message: str, /, **arguments: Any) -> Lazy:
    """A translatable message; named placeholders are given as keywords: ``_("{count} rows", count=3)``."""
    return Lazy(message, arguments=arguments or None)


def ngettext(one: str, many: str, count: int, /, **arguments: Any) -> Lazy:
    """A translatable message with plural forms; ``{count}`` is filled by itself."""
    return Lazy(one, many, count, {"count": count, **arguments})
