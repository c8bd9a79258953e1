"""The rules about who imports whom that import-linter cannot say; `make lint` runs its contracts in pyproject.toml."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

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
    assert packages == set(contracts["A plugin imports only the toolkit and base"]["source_modules"])
    assert packages == set(contracts["Inside a plugin: models, services, edges, manifest"]["containers"])


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
    assert "flask" not in {name.partition(".")[0] for name in _imports_at_run_time(module)}


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_leaves_the_commit_to_the_unit_of_work(module: Path) -> None:
    calls = [node.attr for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute)]
    assert not {"commit", "rollback"} & set(calls)


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_imports_of_another_plugin_only_its_public_modules(module: Path) -> None:
    own = f"comptoir_{module.parts[1]}"
    for name in _imports_at_run_time(module):
        package, _, rest = name.partition(".")
        if package.startswith("comptoir_") and package != own:
            assert rest.partition(".")[0] in {"models", "services", "hooks"}, name


def _tree(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text())


def _imports_at_run_time(module: Path) -> Iterator[str]:
    """Module names, with the imported name behind a dot where it may be a module."""
    for node in ast.walk(_without_type_checking(_tree(module))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if "." in node.module:
                yield node.module
            else:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_type_checking(tree: ast.Module) -> ast.Module:
    guarded = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return ast.Module([node for node in tree.body if node not in guarded], [])
