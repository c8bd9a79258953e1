"""A plugin as its files are: its distribution, its modules as syntax trees, its migrations; nothing of it is imported."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from comptoir.errors import NotFound
from comptoir.i18n import _
from comptoir.registry.discover import GROUP, PREFIX, Available, discover_plugins

BASE = "base"


@dataclass(frozen=True)
class Source:
    """The files of one plugin and how its distribution describes it."""

    available: Available
    folder: Path
    """The package folder."""
    distribution: str
    readme: str
    root: Path | None = None
    """Where it lies without being installed."""

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self.available.name

    @property
    def package(self) -> str:
        """The package, as its modules are imported."""
        return self.available.target.rpartition(".")[0]

    @property
    def is_base(self) -> bool:
        """Whether it is the plugin that the platform's own distribution carries."""
        return self.name == BASE

    @cached_property
    def modules(self) -> Mapping[str, ast.Module]:
        """The modules by their path below the package, without migrations and tests; those that do not parse are left out."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            place = path.relative_to(self.folder)
            if not {"migrations", "tests"}.intersection(place.parts):
                try:
                    found[place.as_posix()] = ast.parse(path.read_bytes())
                except SyntaxError:
                    continue
        return found

    @cached_property
    def revisions(self) -> Mapping[str, ast.Module]:
        """The migrations by their path below the package."""
        folder = self.folder / "migrations" / "versions"
        paths = sorted(folder.glob("*.py"))
        return {path.relative_to(self.folder).as_posix(): ast.parse(path.read_bytes()) for path in paths}

    def calls(self, *names: str) -> Iterator[tuple[str, ast.Call]]:
        """The calls of functions with one of these names, each with its place."""
        for module, tree in self.modules.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and called(node) in names:
                    yield f"{module}:{node.lineno}", node

    def imports(self) -> Iterator[tuple[str, str, str]]:
        """The module that imports, the place, and what is imported as its full dotted name."""
        for module, tree in self.modules.items():
            for place, name in imported(tree, self._package_of(module)):
                yield module, f"{module}:{place}", name

    def _package_of(self, module: str) -> str:
        return ".".join([self.package, *Path(module).parent.parts])


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """The lines and dotted names of what a module imports; names behind ``from`` are part of them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            root = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*root, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def source_of(name_or_path: str) -> Source:
    """The plugin of an installed name, or of the folder with its ``pyproject.toml``."""
    folder = Path(name_or_path)
    if (folder / "pyproject.toml").is_file():
        return _in_folder(folder.resolve())
    available = discover_plugins().get(name_or_path)
    if available is None:
        known = ", ".join(discover_plugins())
        raise NotFound(
            _("There is no plugin {name}: give an installed one ({known}) or the folder of its pyproject.toml.",
              name=name_or_path, known=known)
        )  # fmt: skip
    point = next(p for p in metadata.entry_points(group=GROUP) if p.name == available.name)
    described = point.dist.metadata if point.dist is not None else None
    folder = package_folder(available.target)
    readme = described.get("Description", "") or described.get_payload() if described is not None else ""  # type: ignore[attr-defined]
    return Source(
        available,
        folder,
        described["Name"] if described is not None else "",
        str(readme or _beside(folder) or ""),
    )


def _in_folder(folder: Path) -> Source:
    project = tomllib.loads((folder / "pyproject.toml").read_text()).get("project", {})
    points = project.get("entry-points", {}).get(GROUP, {})
    if len(points) != 1:
        raise NotFound(_("{file} names no plugin: give it one entry point of {group}.", file=folder / "pyproject.toml", group=GROUP))  # fmt: skip
    [(name, target)] = points.items()
    required = [Requirement(line) for line in project.get("dependencies", ())]
    requires = {r.name.removeprefix(PREFIX).replace("-", "_"): str(r.specifier) for r in required if r.name.startswith(PREFIX)}  # fmt: skip
    return Source(
        Available(name, target, str(project.get("version", "0")), project.get("description", ""), requires=requires),
        folder.joinpath(*target.split(".")[:-1]),
        project.get("name", ""),
        _beside(folder / name),
        folder,
    )


def _beside(folder: Path) -> str:
    """The README in a folder or beside it, as it lies in a repository."""
    found = [*folder.glob("README*"), *folder.parent.glob("README*")]
    return found[0].read_text() if found else ""


def package_folder(target: str) -> Path:
    """The folder of the package that a module lies in; only what stands above it is imported."""
    found = util.find_spec(target.rpartition(".")[0] or target)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
