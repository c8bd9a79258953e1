"""The catalogues of a package: its messages collected, kept in step in each language, and compiled."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from comptoir.i18n import LANGUAGES

TRANSLATED = tuple(language for language in LANGUAGES if language != "en")
"""Every language but English, in which the messages are written."""

KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "ngettext": (1, 2)}


def messages_of_code(
    file: IO[bytes], keywords: Collection[str], comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, tuple[str | None, ...], list[str]]]:
    """The messages of a Python file, those inside f-strings too, which Babel sees only from Python 3.12 on."""
    calls = [node for node in ast.walk(ast.parse(file.read())) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(call.func, ast.Name) and call.func.id in keywords:
            yield call.lineno, call.func.id, tuple(_constant_text(argument) for argument in call.args), []


METHODS: list[tuple[str, Any]] = [("**/templates/**.html", "jinja2"), ("**.py", messages_of_code)]


def collect(package: Path, project: str) -> Catalog:
    """The messages of a package, in the order of files and lines, without line numbers: those change with every edit."""
    catalog = _new(None, project)
    found = extract_from_dir(str(package), METHODS, {}, KEYWORDS)
    for name, _line, message, _comments, context in sorted(found, key=lambda item: (item[0], item[1])):
        catalog.add(message, None, [(name, None)], context=context)  # type: ignore[list-item]
    return catalog


def extract(package: Path, project: str) -> None:
    """Renew a package's template and catalogues; a message that is gone leaves them, a new one stands there untranslated."""
    template = collect(package, project)
    folder = package / "translations"
    folder.mkdir(exist_ok=True)
    _write(folder / "messages.pot", template)
    for language in TRANSLATED:
        path = folder / language / "LC_MESSAGES" / "messages.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        catalog = read(path, language) if path.exists() else _new(language, project)
        catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
        catalog.obsolete.clear()
        _write(path, catalog)


def compile_catalogues(package: Path) -> list[Path]:
    """Write the `.mo` of each `.po` that is newer; which were written."""
    written = []
    for source in sorted(package.glob("translations/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with target.open("wb") as file:
            write_mo(file, read(source, source.parents[1].name))
        written.append(target)
    return written


def untranslated(package: Path) -> dict[str, int]:
    """How many messages each language still lacks."""
    found = {}
    for language in TRANSLATED:
        path = package / "translations" / language / "LC_MESSAGES" / "messages.po"
        found[language] = sum(1 for message in read(path, language) if message.id and not any(_texts(message.string)))
    return found


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _new(language: str | None, project: str) -> Catalog:
    return Catalog(
        locale=language,
        project=project,
        version="1",
        charset="utf-8",
        header_comment=f"# Translations of {project}.",
        fuzzy=False,
    )


def _constant_text(argument: ast.expr) -> str | None:
    value = argument.value if isinstance(argument, ast.Constant) else None
    return value if isinstance(value, str) else None


def read(path: Path, language: str) -> Catalog:
    """The catalogue of a language."""
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _write(path: Path, catalog: Catalog) -> None:
    with path.open("wb") as file:
        write_po(file, catalog, width=120, omit_header=path.suffix == ".pot", sort_output=False, include_lineno=False)
