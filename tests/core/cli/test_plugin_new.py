"""``comptoir plugin new`` writes a plugin that passes the tools of its author, under whatever name it was asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from comptoir.cli.plugin_new import LONGEST, RESERVED
from comptoir.cli.run import run
from comptoir.i18n import LANGUAGES, add_catalogue

New = Callable[..., Path]


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new plugin, as it was written."""
    folder = tmp_path_factory.mktemp("author")
    assert run(["plugin", "new", "visits", "--in", str(folder)]) == 0
    return folder / "comptoir-visits"


def tool(folder: Path, *words: str, **environment: str) -> str:
    """What a program of Python says in the plugin's folder."""
    ran = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, text=True, capture_output=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert ran.returncode == 0, f"{words}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def site_of(plugin: Path, target: Path) -> Path:
    """A folder in which the plugin is installed as its users get it."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-index"]
    tool(plugin, "pip", "install", *options, "--target", str(target), str(plugin))
    return target


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_types_hold(visits: Path) -> None:
    assert "no issues found in 6 source files" in tool(visits, "mypy")


LONG = ["n" * LONGEST["name"], "--record", "r" * LONGEST["record"]]


@pytest.mark.parametrize(
    "words",
    [["visits"], ["q1", "--record", "fox"], [*LONG, "--author", "Ana & Co", "--label", "L" * 40, "--labels", "M" * 40],
     ["site_visits"]],
    ids=["usual", "short", "long", "two words"],
)  # fmt: skip
def test_the_linter_finds_nothing_whatever_the_names(words: list[str], tmp_path: Path) -> None:
    assert run(["plugin", "new", *words, "--in", str(tmp_path)]) == 0
    [plugin] = tmp_path.iterdir()
    tool(plugin, "ruff", "check")
    tool(plugin, "ruff", "format", "--check")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_own_tests_pass_on_what_its_users_install(visits: Path, tmp_path: Path) -> None:
    site = site_of(visits, tmp_path / "site")
    printed = tool(visits, "pytest", "-q", "-p", "no:cacheprovider", PYTHONPATH=str(site))
    assert re.search(r"^14 passed", printed, re.MULTILINE) or re.search(r"^7 passed, 7 skipped", printed, re.MULTILINE)
    assert (site / "comptoir_visits" / "py.typed").is_file()


def test_its_words_are_there_in_every_language(visits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from comptoir import i18n

    monkeypatch.setattr(i18n, "_catalogue_folders", [])
    i18n._translations.cache_clear()
    add_catalogue(visits / "comptoir_visits" / "translations")
    shown = set()
    for language in LANGUAGES:
        with i18n.speaking(language):
            shown.add(str(i18n._("Postpone by a week")))
    i18n._translations.cache_clear()
    assert len(shown) == len(LANGUAGES)


def test_its_words_are_collected_again_after_a_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugin", "new", "visits", "--in", str(tmp_path)]) == 0
    services = tmp_path / "comptoir-visits" / "comptoir_visits" / "services.py"
    services.write_text(services.read_text().replace("This day is over. Give a later one.", "Too late."))
    assert run(["plugin", "translations", str(tmp_path / "comptoir-visits")]) == 0
    printed = capsys.readouterr().out
    polish = services.parent / "translations" / "pl" / "LC_MESSAGES" / "messages.po"
    assert f"{polish}: 1 without a translation" in printed
    assert 'msgid "Too late."' in polish.read_text()
    assert "This day is over" not in polish.read_text()
    assert 'msgstr "Odłóż o tydzień"' in polish.read_text()


@pytest.mark.parametrize(
    "words, said",
    [
        (["Visits"], "cannot be a name"),
        (["site-visits"], "cannot be a name"),
        (["class"], "cannot be a name"),
        (["v__x"], "cannot be a name"),
        (["n" * (LONGEST["name"] + 1)], "is too long"),
        (["admin"], "is a word of Comptoir or of Python"),
        (["list"], "is a word of Comptoir or of Python"),
        (["sales"], "is installed already"),
        (["stages"], "Name the record type with --record"),
        (["visits", "--record", "record"], "Name the record type with --record"),
        (["visits", "--record", "change"], "Name the record type with --record"),
        (["visits", "--record", "contact"], "Name the record type with --record"),
        (["visits", "--label", 'a "visit"'], "cannot be a label"),
        (["visits", "--author", "Ana\nBob"], "cannot be a label"),
    ],
    ids=lambda value: " ".join(value)[:30].replace("\n", " ") if isinstance(value, list) else "",
)
def test_a_name_that_cannot_be_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plugin", "new", *words, "--in", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "comptoir-visits" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    assert run(["plugin", "new", "visits", "--in", str(tmp_path)]) == 1
    assert "choose another folder with --in" in capsys.readouterr().err
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_no_plugin_takes_an_address_of_the_core(app: object) -> None:
    rules = app.url_map.iter_rules()  # type: ignore[attr-defined]
    first = {rule.rule.split("/")[1].partition(".")[0] for rule in rules}
    assert {name for name in first if name.isidentifier()} - RESERVED - {"base"} == set()
