"""The translations of the core and of the plugins.

Without an argument: compile each `.po` file that changed to the `.mo` beside it. With ``extract``: collect the messages
of the code and the templates into each `messages.pot` and bring the `.po` files of all languages in step with it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("ro", "nl", "az", "bg", "pl")
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


def packages() -> list[Path]:
    """The package folders that have messages: the core and each plugin."""
    return [ROOT / "core" / "comptoir", *sorted(ROOT.glob("plugins/*/comptoir_*/"))]


def new_catalogue(language: str | None) -> Catalog:
    """An empty catalogue with a short header."""
    return Catalog(
        locale=language,
        project="Comptoir",
        version="1",
        charset="utf-8",
        header_comment="# Translations of Comptoir.",
        fuzzy=False,
    )


def collect(package: Path) -> Catalog:
    """The messages of a package, in the order of files and lines, without line numbers: those change with every edit."""
    catalog = new_catalogue(None)
    found = extract_from_dir(str(package), METHODS, {}, KEYWORDS)
    for name, _line, message, _comments, context in sorted(found, key=lambda item: (item[0], item[1])):
        catalog.add(message, None, [(name, None)], context=context)  # type: ignore[list-item]
    return catalog


def extract() -> None:
    """Renew the templates and the catalogues; a message that is gone leaves them, a new one stands there untranslated."""
    for package in packages():
        template = collect(package)
        folder = package / "translations"
        folder.mkdir(exist_ok=True)
        _write(folder / "messages.pot", template)
        for language in LANGUAGES:
            path = folder / language / "LC_MESSAGES" / "messages.po"
            path.parent.mkdir(parents=True, exist_ok=True)
            catalog = _read(path, language) if path.exists() else new_catalogue(language)
            catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
            catalog.obsolete.clear()
            _write(path, catalog)


def compile_changed() -> None:
    """Write the `.mo` of each `.po` that is newer."""
    for package in packages():
        for source in sorted(package.glob("translations/*/LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            with target.open("wb") as file:
                write_mo(file, _read(source, source.parents[1].name))
            print(f"compiled {target.relative_to(ROOT)}")


def _constant_text(argument: ast.expr) -> str | None:
    value = argument.value if isinstance(argument, ast.Constant) else None
    return value if isinstance(value, str) else None


def _read(path: Path, language: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _write(path: Path, catalog: Catalog) -> None:
    with path.open("wb") as file:
        write_po(file, catalog, width=120, omit_header=path.suffix == ".pot", sort_output=False, include_lineno=False)


if __name__ == "__main__":
    if sys.argv[1:] == ["extract"]:
        extract()
    else:
        compile_changed()
