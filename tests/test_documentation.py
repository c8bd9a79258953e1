"""Documentation is an artefact like any other: generated pages are current, the examples of hooks hold."""

import ast
import builtins
import datetime as dt
import importlib.util
import inspect
import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import comptoir.toolkit
from comptoir.base.models import Contact
from comptoir.hookspecs import ALL_THEMES
from comptoir_sales.models import Deal, Lead

DOCS = Path(__file__).resolve().parents[1] / "docs"
FAMILIES = ("prepare_", "check_", "on_", "after_", "choose_", "narrow_", "forbid_", "adapt_")
# They act for a module as a whole, and are documented one by one.
OTHERS = {"contribute", "seed_module", "seed_demo", "export_personal_data", "erase_personal_data"}


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
    assert "Example: ``" in (inspect.getdoc(hook) or ""), "its docstring shows no example"


class PluginPart:
    """Stands for a module or a class of the plugin whose hook an example shows."""

    def __getattr__(self, name: str) -> "PluginPart":
        return PluginPart()

    def __call__(self, *_values: object, **_named: object) -> "PluginPart":
        return PluginPart()


PARTS = ("commands", "demo", "edi", "files", "jobs", "models", "reports", "services", "views", "Order", "OrderLine")
KNOWN: dict[str, Any] = {
    **{name: getattr(comptoir.toolkit, name) for name in comptoir.toolkit.__all__},
    **{name: PluginPart() for name in PARTS},
    "Contact": Contact,
    "Deal": Deal,
    "Lead": Lead,
    "time": dt.time,
}


def examples_of(hook: Any) -> list[str]:
    """The examples of a hook, each as the function that a plugin would write."""
    parameters = ", ".join(inspect.signature(hook).parameters)
    found = re.findall(r"Example: ``(.+?)``", inspect.getdoc(hook) or "", re.DOTALL)
    return [f"def {hook.__name__}({parameters}):\n{textwrap.indent(inspect.cleandoc(body), '    ')}" for body in found]


@pytest.mark.parametrize("name, hook", HOOKS, ids=[name for name, _hook in HOOKS])
def test_the_example_of_a_hook_uses_what_there_is(name: str, hook: Any) -> None:
    for source in examples_of(hook):
        tree = ast.parse(source)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        given = set(inspect.signature(hook).parameters)
        assert used - own - given - KNOWN.keys() - set(dir(builtins)) == set()


@pytest.mark.parametrize(
    "name, hook",
    [pair for pair in HOOKS if pair[0] == "contribute"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_example_of_a_contribution_runs(name: str, hook: Any) -> None:
    for source in examples_of(hook):
        names = dict(KNOWN)
        exec(compile(source, name, "exec"), names)
        answer = names[name]()
        assert isinstance(answer, list)
        assert answer


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


# -- nothing that nobody uses -----------------------------------------------------------------------------------------

ROOT = DOCS.parent
FIRST_PARTY = [
    *(ROOT / "core/comptoir/base").rglob("*.py"),
    *(ROOT / "core/comptoir/registry").rglob("*.py"),
    *ROOT.glob("plugins/*/comptoir_*/**/*.py"),
    *ROOT.glob("tests/core/*/deployed/**/*.py"),
]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in DOCS.rglob("*.md") if page.name not in ("hooks.md", "toolkit.md")]
USES = [path.read_text() for path in FIRST_PARTY] + [
    "\n".join(block for block in PYTHON.findall(page.read_text()) if "import" in block) for page in PAGES
]
"""What is written on the toolkit: our own plugins, those that tests deploy, and those that the documentation builds."""
TESTS = [
    path.read_text()
    for path in (*ROOT.glob("tests/**/*.py"), *ROOT.glob("plugins/*/tests/*.py"))
    if path != Path(__file__).resolve()
] + [block for page in PAGES for block in PYTHON.findall(page.read_text()) if "def test_" in block or "assert" in block]
RULES = {"prepare_records", "check_records", "on_records_saved", "check_deletion", "on_records_deleted",
         "check_transition", "on_transition"}  # fmt: skip
"""Hooks that `Rules` stand on: they are tested wherever rules are."""


def implements(source: str, hook: str) -> bool:
    return re.search(rf"@hookimpl(\(.*\))?\n\s*def {hook}\(", source) is not None


@pytest.mark.parametrize("name, hook", HOOKS, ids=[name for name, _hook in HOOKS])
def test_a_hook_is_used_by_somebody_of_us(name: str, hook: object) -> None:
    assert any(implements(source, name) for source in USES), "give it a use of our own, or remove it"


@pytest.mark.parametrize("name, hook", HOOKS, ids=[name for name, _hook in HOOKS])
def test_a_hook_is_tested(name: str, hook: object) -> None:
    assert name in RULES or any(re.search(rf"(?:\b|_){name}(?:\b|_)", source) for source in TESTS)


@pytest.mark.parametrize("name", comptoir.toolkit.__all__)
def test_a_name_of_the_toolkit_is_used_by_somebody_of_us(name: str) -> None:
    assert any(re.search(rf"(?:\btoolkit\.|(?<![\w\"'.])){re.escape(name)}(?!\w)", source) for source in USES), (
        "give it a use of our own, or remove it"
    )
