"""Rules about the repository itself: what may stand in its files, and what belongs together."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.txt", "requirements-dev.txt", "requirements-node.txt"]
PYPROJECT_TEXT = (ROOT / "pyproject.toml").read_text()
PYPROJECT = tomllib.loads(PYPROJECT_TEXT)


@cache
def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def lines_with(pattern: str) -> list[str]:
    found = re.compile(pattern)
    hits = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        hits += [f"{path.relative_to(ROOT)}: {line.strip()[:120]}" for line in text.splitlines() if found.search(line)]
    return hits


def test_no_file_names_a_package_registry() -> None:
    # Split, so that this file does not hold what it looks for.
    hosts = [r"pypi\." + "org", r"pythonhosted\." + "org", r"registry\.npmjs\." + "org", r"registry\.yarnpkg\." + "com"]
    assert lines_with("|".join(hosts)) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    # Where people and build machines keep their checkouts; a path of the system itself is fine.
    folders = ["home/[a-z]", "Users/[A-Za-z]", "root/", "work/", "opt/[a-z]"]
    assert lines_with(r"(?<![\w.~/*-])/(?:" + "|".join(folders) + ")") == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    assert entries
    for entry in entries:
        requirement = entry.splitlines()[0]
        assert re.match(r"[a-z0-9.-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in entry, requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_and_no_address(name: str) -> None:
    assert not re.search(r"index|find-links|://", (ROOT / name).read_text())


def test_what_is_declared_is_locked() -> None:
    groups = PYPROJECT["dependency-groups"]
    assert _names(PYPROJECT["project"]["dependencies"] + groups["build"]) <= _locked("requirements.txt")
    assert _names(groups["dev"]) <= _locked("requirements-dev.txt")
    assert _names(groups["node"]) <= _locked("requirements-node.txt")


def test_the_two_environments_agree_on_versions() -> None:
    pinned = re.compile(r"^[a-z0-9.-]+==\S+", re.MULTILINE)
    run, dev = (set(pinned.findall((ROOT / name).read_text())) for name in LOCKS[:2])
    assert run <= dev


def test_the_product_imports_only_what_it_declares() -> None:
    declared = _names(PYPROJECT["project"]["dependencies"])
    distributions = packages_distributions()
    undeclared = set()
    for path in [*ROOT.glob("core/comptoir/**/*.py"), *ROOT.glob("plugins/*/comptoir_*/**/*.py")]:
        if "testing" in path.parts:
            continue  # runs in a test environment
        for package in _imported_packages(path):
            known_as = {_normal(name) for name in distributions.get(package, [package])}
            if not package.startswith("comptoir") and not known_as & declared:
                undeclared.add(f"{path.relative_to(ROOT)}: {package}")
    assert undeclared == set()


def test_every_ignored_lint_rule_has_its_reason() -> None:
    section = PYPROJECT_TEXT[PYPROJECT_TEXT.index("[tool.ruff.lint]") : PYPROJECT_TEXT.index("banned-api")]
    ignored = section[section.index("\nignore = [") :]
    rules = [line.strip() for line in ignored.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert len(rules) > 10
    assert [rule for rule in rules if not re.match(r'"[A-Z]+\d*",\s+# \w.{4,}', rule)] == []


def test_every_silenced_finding_names_its_rule() -> None:
    # Split, so that this file does not hold what it looks for.
    assert [
        line for line in lines_with(r"#\s*no" + r"qa(?!:\s*[A-Z]+\d)") if line.startswith(("core", "plugins"))
    ] == []
    assert [line for line in lines_with(r"type:\s*igno" + r"re(?!\[)") if line.startswith(("core", "plugins"))] == []


def test_the_list_of_decisions_is_complete() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    rows = re.findall(r"^\| (\d{4}) \| \[(.+?)\]\((.+?)\) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [file for _number, _title, file in rows] == pages
    assert [int(number) for number, _title, _file in rows] == list(range(1, len(pages) + 1))
    for number, title, file in rows:
        page = (folder / file).read_text()
        assert page.startswith(f"# {number}: {title}\n"), file
        headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Measured"], file


def test_every_guard_of_the_findings_is_there() -> None:
    page = (ROOT / "docs" / "decisions" / "findings.md").read_text()
    named = set(re.findall(r"`((?:tests|plugins)/[a-z_/]+\.py)`", page))
    assert len(named) > 40
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_changes_follow_the_convention() -> None:
    kinds = {"added", "changed", "fixed", "removed", "security"}
    for path in (ROOT / "changes").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(r"[a-z0-9-]+\.(\w+)\.md", path.name), path.name
            assert path.name.split(".")[1] in kinds, path.name


def test_the_npm_lock_has_digests_and_no_addresses() -> None:
    locks = [path for path in tracked_files() if path.name == "package-lock.json"]
    assert locks
    for lock in locks:
        packages = json.loads(lock.read_text())["packages"]
        for name, package in packages.items():
            assert "resolved" not in package, name
            assert not name or package.get("link") or "integrity" in package, name


def test_third_party_browser_code_is_not_committed() -> None:
    built = re.compile(r"node_modules/|static/(vendor|dist)/|\.min\.(js|css)$")
    assert [path for path in tracked_files() if built.search(path.as_posix())] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked_files()
        if page.suffix == ".md"
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert broken == []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.match(r"[\w.-]+", requirement).group()) for requirement in requirements}  # type: ignore[union-attr]


def _locked(name: str) -> set[str]:
    return {_normal(line) for line in re.findall(r"^([\w.-]+)==", (ROOT / name).read_text(), re.MULTILINE)}


def _imported_packages(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names)
