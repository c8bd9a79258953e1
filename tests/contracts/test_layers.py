"""The rules about who imports whom that import-linter cannot say; `make lint` runs its contracts in pyproject.toml."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGINS = sorted(folder.parent for folder in ROOT.glob("plugins/*/pyproject.toml"))
PLUGIN_MODULES = [
    path.relative_to(ROOT) for plugin in PLUGINS for path in sorted(plugin.glob(f"comptoir_{plugin.name}/**/*.py"))
]


def test_every_plugin_stands_under_the_contracts() -> None:
    packages = {f"comptoir_{plugin.name}" for plugin in PLUGINS}
    assert packages | {"comptoir"} == set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    contracts = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
    assert packages == set(contracts["Core knows no plugin"]["forbidden_modules"])
    assert packages | {"comptoir.base"} == set(
        contracts["A plugin imports only the toolkit and base"]["source_modules"]
    )
    assert packages == set(contracts["Inside a plugin: models, services, edges, manifest"]["containers"])


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every module that the contracts see, with the arrows that exist only for typing."""
    packages = PYPROJECT["tool"]["importlinter"]["root_packages"]
    return grimp.build_graph(*packages, exclude_type_checking_imports=False, cache_dir=None)


def test_the_contracts_see_every_module(graph: grimp.ImportGraph) -> None:
    written = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for folder in (ROOT / "core", *PLUGINS)
        for package in folder.glob("comptoir*")
        for path in package.rglob("*.py")
        if "migrations" not in path.parts  # revisions are loaded by their path
    }
    assert written <= graph.modules, sorted(written - graph.modules)


def test_arrows_for_typing_count_and_no_layer_of_the_core_may_be_absent() -> None:
    settings = PYPROJECT["tool"]["importlinter"]
    assert settings["exclude_type_checking_imports"] is False
    layers = next(c for c in settings["contracts"] if c["name"] == "Core imports only downwards")
    assert layers["exhaustive"]
    assert not [layer for layer in layers["layers"] if "(" in layer]


def test_no_two_modules_need_each_other(graph: grimp.ImportGraph) -> None:
    assert _circles(graph) == []


def test_a_circle_of_modules_would_be_seen() -> None:
    graph = grimp.ImportGraph()
    graph.add_import(importer="a", imported="b")
    graph.add_import(importer="b", imported="c")
    graph.add_import(importer="c", imported="a")
    assert _circles(graph) == [["a", "b", "c"]]


def test_every_plugin_is_installed_and_type_checked() -> None:
    editable = (ROOT / "requirements-editable.txt").read_text().splitlines()
    for plugin in PLUGINS:
        assert f"-e ./plugins/{plugin.name}" in editable
        assert f"plugins/{plugin.name}" in PYPROJECT["tool"]["mypy"]["mypy_path"]


def test_one_name_is_chosen_once_for_each_plugin() -> None:
    for plugin in PLUGINS:
        project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
        assert project["name"] == f"comptoir-{plugin.name}"
        assert project["entry-points"]["comptoir.plugins"] == {plugin.name: f"comptoir_{plugin.name}.plugin"}


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_flask_stays_at_the_edges_of_a_plugin(module: Path) -> None:
    if module.stem in {"views", "rest"} or {"views", "rest"} & set(module.parts):
        return
    assert "flask" not in {name.partition(".")[0] for name in _imports(module)}


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_leaves_the_commit_to_the_unit_of_work(module: Path) -> None:
    calls = [node.attr for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute)]
    assert not {"commit", "rollback"} & set(calls)


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_imports_of_another_plugin_only_its_public_modules(module: Path) -> None:
    own = f"comptoir_{module.parts[1]}"
    for name in _imports(module):
        package, _, rest = name.partition(".")
        if package.startswith("comptoir_") and package != own:
            assert rest.partition(".")[0] in {"models", "services", "hooks"}, name


def _circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    place: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        place[module] = lowest[module] = len(place)
        path.append(module)
        for imported in graph.find_modules_directly_imported_by(module):
            if imported not in place:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in path:
                lowest[module] = min(lowest[module], place[imported])
        if lowest[module] == place[module]:
            circle = path[path.index(module) :]
            del path[path.index(module) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        for module in sorted(graph.modules):
            if module not in place:
                visit(module)
    finally:
        sys.setrecursionlimit(limit)
    return found


def _tree(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text())


def _imports(module: Path) -> Iterator[str]:
    """Module names, with the imported name behind a dot where it may be a module."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if "." in node.module:
                yield node.module
            else:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
