"""The catalogues are complete: every message of the code stands in every language, with the same placeholders."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from comptoir.catalogues import TRANSLATED, collect
from comptoir.i18n import LANGUAGES, _, ngettext, speaking

ROOT = Path(__file__).parents[1]
PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def _tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("translations", ROOT / "core" / "assets" / "translations.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


TOOL = _tool()
PACKAGES = [path.relative_to(ROOT).as_posix() for path in TOOL.packages()]


def _catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def _ids(catalogue: Catalog) -> set[str]:
    return {_one(message) for message in catalogue if message.id}


def _one(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _texts(value: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [value or ""] if value is None or isinstance(value, str) else list(value)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_template_holds_the_messages_of_the_code(package: str) -> None:
    stored = _catalogue(ROOT / package / "translations" / "messages.pot")

    assert _ids(collect(ROOT / package, TOOL.PROJECT)) == _ids(stored), "run: make catalogues"


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_is_translated_with_its_placeholders(package: str, language: str) -> None:
    folder = ROOT / package / "translations"
    catalogue = _catalogue(folder / language / "LC_MESSAGES" / "messages.po")
    faults = []
    for message in catalogue:
        if not message.id:
            continue
        texts = _texts(message.string)
        known = {match for text in _texts(message.id) for match in PLACEHOLDER.findall(text)}
        if not all(texts) or any(set(PLACEHOLDER.findall(text)) - known for text in texts):
            faults.append(_one(message))

    assert faults == []
    assert _ids(catalogue) == _ids(_catalogue(folder / "messages.pot"))


def test_the_languages_are_those_that_people_choose_from() -> None:
    assert {"en", *TRANSLATED} == set(LANGUAGES)


def test_a_message_is_shown_in_the_readers_language() -> None:
    TOOL.compile_changed()
    contacts, deals = _("Contacts"), ngettext("{count} deal", "{count} deals", 5)

    with speaking("bg"):
        assert str(contacts) == "Контакти"
    with speaking("pl"):
        assert str(deals).startswith("5 ")
    assert str(contacts) == "Contacts"
    assert str(deals) == "5 deals"
