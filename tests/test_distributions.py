"""The wheels that a deployment installs carry all that the sources hold."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def wheel_of(folder: Path, target: Path) -> set[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_below(package: Path) -> set[str]:
    return {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_core_wheel_carries_templates_migrations_assets_and_themes(tmp_path: Path) -> None:
    carried = wheel_of(ROOT, tmp_path)
    expected = files_below(ROOT / "core" / "comptoir")
    assert any(name.startswith("comptoir/web/static/vendor/") for name in expected), "make assets builds them"
    assert expected - carried == set()
    assert {f"comptoir/{name}" for name in files_below(ROOT / "themes") if ".gitkeep" not in name} - carried == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_the_wheel_of_a_plugin_carries_its_package(plugin: Path, tmp_path: Path) -> None:
    carried = wheel_of(plugin, tmp_path)
    assert files_below(plugin / f"comptoir_{plugin.name}") - carried == set()
