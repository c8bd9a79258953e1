"""Every check of the conformance suite sees what it says it sees: one fault planted in the loom for each."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest
from planted_faults import LOOM, SPECIMENS, planted

from comptoir.errors import NotFound
from comptoir.registry.discover import Available
from comptoir.testing.conformance import CHECKS, THEMES, Inspection, Report, inspect_plugin, steps
from comptoir.testing.conformance.pages import is_there
from comptoir.testing.conformance.source import Source, source_of

BROKEN = Path(__file__).parents[1] / "broken_plugins"
EXPECTED = {
    "adds_to_the_session": "work.one_writer",
    "bad_relationship": "hooks.accepted",
    "changes_in_a_check": "work.one_writer",
    "city": "hooks.accepted",
    "crash_at_import": "layers.imports",
    "deletes_by_session": "work.one_writer",
    "empty_tile": "hooks.accepted",
    "exit_at_build": "hooks.contributes",
    "exit_at_import": "layers.survives",
    "foreign_name": "names.contributions",
    "foreign_screens": "hooks.accepted",
    "foreign_table": "names.tables",
    "hook_no_list": "hooks.contributes",
    "hook_raises": "hooks.contributes",
    "idle_rules": "hooks.accepted",
    "keeps_by_statement": "work.one_writer",
    "missing_import": "layers.imports",
    "misspelt_hook": "hooks.known",
    "no_contribution": "hooks.contributes",
    "no_manifest": "hooks.manifest",
    "no_ondelete": "schema.ondelete",
    "no_record_type": "hooks.accepted",
    "no_rule": "hooks.accepted",
    "no_title": "hooks.accepted",
    "odd_parameter": "hooks.accepted",
    "role_on_extension": "hooks.accepted",
    "unknown_role": "hooks.accepted",
    "odd_path": "names.addresses",
    "odd_role": "hooks.accepted",
    "odd_summary": "hooks.accepted",
    "odd_rule": "hooks.accepted",
    "odd_scope": "hooks.accepted",
    "open_page": "hooks.accepted",
    "required_extension": "hooks.accepted",
    "syntax_error": "layers.imports",
    "tab_on_nothing": "hooks.accepted",
    "template_elsewhere": "hooks.accepted",
    "twice_the_same": "hooks.accepted",
    "twin_extensions": "hooks.accepted",
    "undeclared_need": "schema.owned",
    "writes_by_statement": "work.one_writer",
    "writes_unsaved": "work.one_writer",
    "wrong_argument": "hooks.arguments",
    "wrong_core": "hooks.accepted",
}
"""Which check names the fault of each broken plugin."""


def test_every_check_has_a_specimen() -> None:
    assert set(SPECIMENS) == set(CHECKS)
    assert len(CHECKS) >= 60


@pytest.mark.timeout(120)
@pytest.mark.planted
@pytest.mark.parametrize("id", sorted(SPECIMENS))
def test_a_planted_fault_is_named(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if id == "pages.accessible" and not is_there():
        pytest.skip("Chromium or axe-core is not installed: make assets")
    specimen = SPECIMENS[id]
    name = f"loom{list(SPECIMENS).index(id)}"
    folder = planted(specimen, name, tmp_path / "loom")
    for target, stand_in in specimen.holes.items():
        module, _colon, path = target.partition(":")
        owner, _dot, attribute = path.rpartition(".")
        holder = import_module(module)
        monkeypatch.setattr(getattr(holder, owner) if owner else holder, attribute, stand_in, raising=False)

    with Inspection(source_of(str(folder))) as inspection:
        result = inspection.look(CHECKS[id], "sqlite" if CHECKS[id].needs == "deployment" else "")

    assert result.outcome == "failed", result
    for finding in result.findings:
        assert not finding.wrong.startswith("the check stopped"), finding
        assert finding.place
        assert finding.cure


@pytest.mark.planted
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_fault_of_a_broken_plugin_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BROKEN))
    available = Available(name, f"comptoir_{name}.plugin", "1.0", "Broken")
    check = CHECKS[EXPECTED[name]]

    with Inspection(Source(available, BROKEN / f"comptoir_{name}", f"comptoir-{name}", "")) as inspection:
        result = inspection.look(check, "sqlite" if check.needs == "deployment" else "")

    assert result.outcome == "failed", result


def test_every_broken_plugin_is_looked_at() -> None:
    elsewhere = {"blocks"}  # its calls never end, whoever waits for them: tests/journeys/test_bulkhead.py
    assert {path.name.removeprefix("comptoir_") for path in BROKEN.glob("comptoir_*")} == set(EXPECTED) | elsewhere


def test_what_cannot_be_looked_at_does_not_pass(tmp_path: Path) -> None:
    folder = planted(SPECIMENS["layers.imports"], "loomgate", tmp_path / "loom")

    report = inspect_plugin(str(folder), ["sqlite"], "rights")

    assert not report.passed
    assert [r.check.id for r in report.results if r.outcome == "failed"] == ["layers.imports"]
    assert {r.outcome for r in report.results if r.check.theme == "rights"} == {"skipped"}


def test_a_theme_and_one_check_can_be_asked_for() -> None:
    assert {check.theme for check in CHECKS.values()} == set(THEMES)
    assert [check.id for check, _engine in steps(["sqlite"], "names.tables")] == [
        "names.tables",
        "layers.imports",
        "hooks.accepted",
    ]
    asked = list(steps(["sqlite", "postgresql"], "speed.api"))
    assert [engine for check, engine in asked if check.id == "speed.api"] == ["sqlite", "postgresql"]


def test_neither_a_name_nor_a_folder_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="base, catalog, sales"):
        source_of("telescope")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'nothing'\n")
    with pytest.raises(NotFound, match="names no plugin"):
        source_of(str(tmp_path))


def test_a_folder_leaves_the_import_path_as_it_was() -> None:
    before = list(sys.path)
    with Inspection(source_of(str(LOOM))):
        assert sys.path[0] == str(LOOM)
    assert sys.path == before


def test_a_report_tells_programs_what_it_tells_people() -> None:
    report: Report = inspect_plugin(str(LOOM), ["sqlite"], "names")

    told = report.as_json()

    assert told["passed"]
    assert {"id", "theme", "promise", "engine", "outcome", "reason", "findings", "seconds"} == set(told["checks"][0])
