"""What the documentation shows is carried out: commands, requests, plugins and pieces of Python, page by page."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comptoir.access.passwords import CHEAP
from comptoir.cli.run import run
from comptoir.context import Context
from comptoir.deployment import Deployment
from comptoir.settings import load_settings, settings_from
from comptoir.testing.platform import Stage

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ADMINISTRATOR, PASSWORD = "admin@example.com", "comptoir-demo"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w./-]+\.\w+)`$")
NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HOST = "http://127.0.0.1:8000"
ANYTHING = "…"
"""Stands for any value in an expected answer, and for any part of an expected line."""


@dataclass(frozen=True)
class Block:
    """A fenced example with what the line before it says: the file that it is, or why it is not run."""

    language: str
    text: str
    file: str = ""
    not_run: str = ""


@dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def blocks(self) -> Iterator[Block]:
        text = self.text
        for found in FENCE.finditer(text):
            before = text[: found.start()].rstrip("\n").rpartition("\n")[2]
            file, reason = FILE.match(before), NOT_RUN.match(before)
            yield Block(found[1], found[2], file[1] if file else "", reason[1] if reason else "")

    @property
    def builds_a_plugin(self) -> bool:
        return any(block.file for block in self.blocks)

    @property
    def begins_empty(self) -> bool:
        """Whether its first command makes the deployment; else it works on one that is there."""
        commands = [line for block in self.blocks if block.language == "sh" and not block.not_run
                    for line in block.text.splitlines()]  # fmt: skip
        return any(line.startswith("comptoir init") for line in commands[:3])

    def has(self, *languages: str) -> bool:
        return any(block.language in languages and not block.not_run for block in self.blocks)


PAGES = [Page(path) for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("plugins/*/*.md"))]]
BY_JOURNEY = {"docs/guide/import.md"}
"""Whose commands are those of a script that a journey runs."""
BUILDING = [page for page in PAGES if page.builds_a_plugin]
COMMANDING = [page for page in PAGES if page.has("sh") and page not in BUILDING and page.name not in BY_JOURNEY]
THINKING = [
    page for page in PAGES if page.has("python") and page not in BUILDING and page.name != "docs/plugins/hooks.md"
]


def named(doc: Page) -> str:
    return doc.name


# -- commands and requests --------------------------------------------------------------------------------------------


@dataclass
class Terminal:
    """Runs the lines of a page in a folder: ``comptoir`` in this process, ``curl`` against a test client."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, line: str) -> str:
        assigned = re.fullmatch(r"(\w+)=\$\((.+)\)", line)
        if assigned is not None:
            self.variables[assigned[1]] = self(assigned[2]).strip()
            return ""
        words = [re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], word) for word in shlex.split(line)]
        assert words[0] in ("comptoir", "curl"), f"{line}: run it by hand, or mark the block: <!-- not run: why -->"
        return self.request(words[1:]) if words[0] == "curl" else self.command(words[1:])

    def command(self, words: list[str]) -> str:
        self.capsys.readouterr()
        status = run(words)
        out, err = self.capsys.readouterr()
        assert status == 0, f"comptoir {shlex.join(words)}: {err}"
        return out

    def request(self, words: list[str]) -> str:
        """The body that curl would print; it knows the options that the pages use."""
        from comptoir.web.app import create_app

        method, headers, body, url = "", {}, None, ""
        rest = iter(words)
        for word in rest:
            if word in ("--request", "-X"):
                method = next(rest)
            elif word in ("--header", "-H"):
                name, _colon, value = next(rest).partition(":")
                headers[name] = value.strip()
            elif word == "--json":
                body, method = next(rest), method or "POST"
                headers |= {"Content-Type": "application/json", "Accept": "application/json"}
            else:
                assert word in ("--silent", "--globoff") or word.startswith(HOST), word
                url = word if word.startswith(HOST) else url
        deployment = Deployment(load_settings(self.folder / "comptoir.toml"))
        try:
            client = create_app(deployment, deployment.registry).test_client()
            answer = client.open(url.removeprefix(HOST), method=method or "GET", headers=headers, data=body)
            assert answer.status_code < 500, answer.text
            return answer.text
        finally:
            deployment.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the deployment that pages of commands work on."""
    folder = tmp_path_factory.mktemp("acme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["init", "--admin-email", ADMINISTRATOR, "--admin-password", PASSWORD, "--modules", "sales"]
        assert run(words) == 0
    return folder


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    folder = tmp_path / "acme"
    doc: Page = request.getfixturevalue("doc")
    if doc.begins_empty:
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("prepared"), folder)
    monkeypatch.chdir(folder)
    return Terminal(folder, capsys)


@pytest.mark.parametrize("doc", COMMANDING, ids=named)
def test_the_commands_of_a_page_do_what_it_says(doc: Page, terminal: Terminal) -> None:
    printed = ""
    for block in doc.blocks:
        if block.not_run:
            continue
        if block.language == "sh":
            lines = block.text.replace("\\\n", " ").splitlines()
            printed = "\n".join(terminal(line.partition("  #")[0]) for line in lines if line.strip())
        elif block.language == "json":
            assert_like(json.loads(block.text), json.loads(printed))
        elif block.language == "text":
            for line in block.text.splitlines():
                pattern = ".*".join(re.escape(part) for part in line.split(ANYTHING))
                assert re.search(pattern, re.sub(r" +", " ", printed)) or re.search(pattern, printed), (line, printed)


def assert_like(expected: Any, actual: Any) -> None:
    """An answer holds what the page shows of it; the page may leave out members of objects."""
    if expected == ANYTHING:
        return
    if isinstance(expected, dict):
        assert isinstance(actual, dict), actual
        assert set(expected) - set(actual) == set(), actual
        for name, value in expected.items():
            assert_like(value, actual[name])
    elif isinstance(expected, list):
        assert len(expected) == len(actual), actual
        for one, other in zip(expected, actual, strict=True):
            assert_like(one, other)
    else:
        assert expected == actual


# -- plugins that a page builds ---------------------------------------------------------------------------------------


@pytest.fixture
def workshop(tmp_path: Path) -> dict[str, str]:
    """The environment of an empty folder with a Python of its own, in which `pip install` reaches no one else."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    (own,) = home.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in others or site.getsitepackages()]
    (own / "others.pth").write_text("\n".join(lines))
    for name, module in (("comptoir", "comptoir.cli"), ("pip", "pip")):
        script = home / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{home}/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    offline = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_QUIET": "1"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMPTOIR_", "PYTEST")) or name == "COMPTOIR_TEST_PG"
    }
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**kept, **offline, CHEAP: "1", "PATH": path, "PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("doc", BUILDING, ids=named)
def test_a_page_builds_the_plugin_that_it_describes(doc: Page, tmp_path: Path, workshop: dict[str, str]) -> None:
    for block in doc.blocks:
        if block.file:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "sh" and not block.not_run:
            ran = subprocess.run(
                ["/bin/sh", "-e", "-c", block.text],
                cwd=tmp_path,
                env=workshop,
                text=True,
                capture_output=True,
                check=False,
            )
            assert ran.returncode == 0, f"{block.text}\n{ran.stdout}\n{ran.stderr}"


# -- pieces of Python, configuration and links ------------------------------------------------------------------------


@pytest.mark.modules("catalog", "sales")
@pytest.mark.parametrize("doc", THINKING, ids=named)
def test_the_python_of_a_page_runs(doc: Page, ctx: Context, deployment: Deployment, stage: Stage) -> None:
    names: dict[str, Any] = {"ctx": ctx, "deployment": deployment, "stage": stage, "__name__": doc.path.stem}
    for block in doc.blocks:
        if block.language == "python" and not block.not_run:
            exec(compile(block.text, doc.name, "exec"), names)


@pytest.mark.parametrize("doc", PAGES, ids=named)
def test_the_settings_that_a_page_shows_are_valid(doc: Page) -> None:
    for block in doc.blocks:
        if block.language == "toml" and not block.file:
            settings_from({"deployment": {"name": "acme"}} | tomllib.loads(block.text), {})


@pytest.mark.parametrize("doc", PAGES, ids=named)
def test_what_a_page_links_to_exists(doc: Page) -> None:
    prose = FENCE.sub("", doc.text)
    for target in LINK.findall(prose):
        path, _hash, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (doc.path.parent / path) if path else doc.path
        assert file.exists(), f"{target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings], target


@pytest.mark.parametrize("doc", PAGES, ids=named)
def test_an_example_is_run_or_says_why_not(doc: Page) -> None:
    for block in doc.blocks:
        assert block.language, f"an example without its language: {block.text[:60]}"
        assert not block.not_run or len(block.not_run) > 10, block.not_run
        if block.language == "json":
            json.loads(block.text)
