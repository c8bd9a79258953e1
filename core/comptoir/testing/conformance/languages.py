"""Languages: every reader reads their own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir

from comptoir.catalogues import KEYWORDS, METHODS, read
from comptoir.contributions import Action, Contribution, MenuItem, Panel, Permission, RoleTemplate, Section, Tab, Tile
from comptoir.i18n import LANGUAGES, Lazy
from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source

PLACEHOLDER = re.compile(r"\{[^{}]*\}")
SPOKEN = ("label", "title", "summary", "description")
KINDS: tuple[type[Contribution], ...] = (Action, MenuItem, Panel, Permission, RoleTemplate, Tab, Tile)


def messages_of(folder: Path) -> dict[tuple[str, ...], str]:
    """The messages of a package, each with the place where it stands first."""
    found: dict[tuple[str, ...], str] = {}
    for name, line, message, _comments, _context in extract_from_dir(str(folder), METHODS, {}, KEYWORDS):
        if not name.startswith("tests/"):
            found.setdefault((message,) if isinstance(message, str) else tuple(message), f"{name}:{line}")
    return found


def _catalogues(source: Source) -> Iterator[tuple[str, Catalog]]:
    folder = (source.folder.parent if source.is_base else source.folder) / "translations"
    if not folder.is_dir():
        raise NotApplicable("it brings no translations: it speaks English alone")
    for language in LANGUAGES:
        path = folder / language / "LC_MESSAGES" / "messages.po"
        if language != "en":
            yield language, read(path, language) if path.is_file() else Catalog(locale=language)


def _texts(message: Message) -> list[str]:
    return [message.string or ""] if isinstance(message.string, str | None) else list(message.string)


@check("languages.complete", needs="source")
def complete(source: Source) -> Iterator[Finding]:
    """Every message of its code and templates is translated into each language of the platform."""
    wanted = messages_of(source.folder)
    for language, catalogue in _catalogues(source):
        for message, place in wanted.items():
            found = catalogue.get(message if len(message) > 1 else message[0]) or catalogue.get(message[0])
            if found is None or not all(_texts(found)):
                yield Finding(f"{message[0]!r:.80} is not in {LANGUAGES[language]}", place, "extract the messages anew and translate it")  # fmt: skip


@check("languages.placeholders", needs="source")
def placeholders(source: Source) -> Iterator[Finding]:
    """A translation has the placeholders of its message and no others."""
    for language, catalogue in _catalogues(source):
        for message in catalogue:
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            wanted = {match for text in ids for match in PLACEHOLDER.findall(text)}
            for text in _texts(message) if message.id else ():
                found = set(PLACEHOLDER.findall(text))
                if text and (found - wanted or (len(ids) == 1 and wanted - found)):
                    yield Finding(f"{text!r:.80} has other placeholders than its message", f"{language}: {ids[0]:.60}", "take over " + " ".join(sorted(wanted)))  # fmt: skip


@check("languages.marked", needs="code")
def marked(code: Code) -> Iterator[Finding]:
    """Every label that people read is marked for translation."""
    for model, field in code.fields():
        if not isinstance(field.label, Lazy):
            yield Finding(f"the label {field.label!r} is a plain text", f"{model.__name__}.{field.name}", "write _(…)")
    for kind in KINDS:
        for value in code.contributed(kind):
            for part in SPOKEN:
                text = getattr(value, part, "")
                if text and not isinstance(text, Lazy):
                    yield Finding(f"the {part} {text!r} is a plain text", str(getattr(value, "name", kind.__name__)), "write _(…)")  # fmt: skip
    for place, call in code.source.calls("Section"):
        if call.args and isinstance(call.args[0], ast.Constant):
            yield Finding(f"the {Section.__name__.lower()} {call.args[0].value!r} is a plain text", place, "write _(…)")


@check("languages.one_piece", needs="source")
def in_one_piece(source: Source) -> Iterator[Finding]:
    """A message is one constant text with named placeholders: what is put together cannot be translated."""
    for place, call in source.calls("_", "ngettext"):
        given = call.args[: 1 if getattr(call.func, "id", "") == "_" else 2]
        if any(isinstance(argument, ast.JoinedStr | ast.BinOp | ast.Call) for argument in given):
            yield Finding("a message is put together while the program runs", place, "write _(“… {name}”, name=…)")
