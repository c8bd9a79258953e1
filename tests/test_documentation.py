"""Documentation is an artefact like any other: generated pages are current, examples are Python."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import comptoir.toolkit
from comptoir.hookspecs import ALL_THEMES

DOCS = Path(__file__).resolve().parents[1] / "docs"
FAMILIES = ("contribute_", "prepare_", "check_", "on_", "after_", "choose_", "narrow_", "forbid_", "adapt_")
# They act for a module as a whole, or extend the application object, and are documented one by one.
OTHERS = {"seed_module", "seed_demo", "configure_app", "export_personal_data", "erase_personal_data"}


def load_generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


GENERATOR = load_generator()
HOOKS = [(name, hook) for theme in ALL_THEMES for name, hook in GENERATOR.hooks_of(theme)]


@pytest.mark.parametrize("page", sorted(GENERATOR.pages()))
def test_a_generated_page_is_current(page: str) -> None:
    assert (DOCS / page).read_text() == GENERATOR.pages()[page], "run `make docs` and commit the page"


@pytest.mark.parametrize("name, hook", HOOKS, ids=[name for name, _hook in HOOKS])
def test_a_hook_says_what_it_is_for_and_shows_an_example(name: str, hook: object) -> None:
    text = inspect.getdoc(hook) or ""
    examples = re.findall(r"Example: ``(.+?)``", text, re.DOTALL)
    assert examples, "its docstring shows no example"
    for example in examples:
        ast.parse(inspect.cleandoc(example))


def test_the_verb_of_a_hook_is_its_promise() -> None:
    assert [name for name, _hook in HOOKS if not name.startswith(FAMILIES) and name not in OTHERS] == []


def test_hook_names_are_unique() -> None:
    names = [name for name, _hook in HOOKS]
    assert sorted(set(names)) == sorted(names)


def test_what_the_toolkit_offers_is_documented() -> None:
    undocumented = []
    for name in comptoir.toolkit.__all__:
        value = getattr(comptoir.toolkit, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            text = inspect.getdoc(value) or ""
            if not text or text.startswith(f"{name}("):
                undocumented.append(name)
    assert undocumented == []


def test_the_toolkit_is_sorted_and_complete() -> None:
    assert len(set(comptoir.toolkit.__all__)) == len(comptoir.toolkit.__all__)
    assert [name for name in comptoir.toolkit.__all__ if not hasattr(comptoir.toolkit, name)] == []
