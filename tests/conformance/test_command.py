"""`comptoir plugin check`: what it prints, writes and answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from planted_faults import LOOM, SPECIMENS, planted

from comptoir.cli.run import run


def test_a_sound_plugin_is_told_to_be_so_without_a_deployment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    status = run(["plugin", "check", str(LOOM), "--only", "names.tables", "--json", "report.json"])

    told = capsys.readouterr().out
    assert status == 0
    assert "✓ names.tables" in told
    assert "Every table begins with the plugin's name" in told
    assert "3 passed, 0 failed, 0 skipped" in told
    assert json.loads((tmp_path / "report.json").read_text())["passed"]


def test_a_fault_is_told_with_its_place_and_cure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = planted(SPECIMENS["names.errors"], "loomcommand", tmp_path / "loom")

    status = run(["plugin", "check", str(folder), "--only", "names.errors"])

    told = capsys.readouterr()
    assert status == 1
    assert "✗ names.errors" in told.out
    assert re.search(
        r"services.py:\d+: the code 'in_future' does not begin with loomcommand\.; write loomcommand\.", told.out
    )
    assert "1 check failed." in told.err


def test_alone_json_is_printed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["plugin", "check", str(LOOM), "--only", "names.errors", "--json"])

    assert status == 0
    [check] = json.loads(capsys.readouterr().out)["checks"]
    assert (check["id"], check["outcome"], check["findings"]) == ("names.errors", "passed", [])


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["telescope"], 1, "There is no plugin telescope"),
        ([str(LOOM), "--only", "looks"], 2, "There is no theme or check looks. Themes: names, layers"),
        ([str(LOOM), "--engine", "oracle"], 2, "'oracle' is not one of"),
    ],
)
def test_what_there_is_not_is_refused(
    arguments: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plugin", "check", *arguments]) == status
    assert told in capsys.readouterr().err
