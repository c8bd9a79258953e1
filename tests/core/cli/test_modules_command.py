"""Modules, jobs and health from the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from comptoir.settings import load_settings

from .conftest import PASSWORD, CommandLine


@pytest.fixture
def own(fresh: CommandLine) -> CommandLine:
    """A SQLite deployment with sales, for the test alone."""
    fresh.done("init", "--admin-password", PASSWORD, "--modules", "sales")
    return fresh


def states(comptoir: CommandLine) -> dict[str, str]:
    return {row["name"]: row["state"] for row in comptoir.done("modules", "list", "--json").rows}


def test_a_module_is_paused_and_resumed(comptoir: CommandLine) -> None:
    assert "needed by sales" in comptoir.refused("modules", "pause", "catalog")
    comptoir.done("modules", "pause", "sales")
    assert states(comptoir)["sales"] == "paused"
    assert "not enabled" in comptoir.refused("modules", "pause", "sales")
    comptoir.done("modules", "resume", "sales")
    assert states(comptoir)["sales"] == "enabled"


def test_a_dry_run_names_everything_and_changes_nothing(comptoir: CommandLine) -> None:
    before = states(comptoir)
    planned = comptoir.done("modules", "uninstall", "sales", "--dry-run").out
    assert "Uninstall sales" in planned
    assert "table sales_deal, 0 rows" in planned
    assert "permission sales.deal.read" in planned
    assert "route GET /sales/deals" in planned
    assert states(comptoir) == before


def test_uninstalling_asks_first_and_exports(own: CommandLine) -> None:
    assert "--yes" in own.refused("modules", "uninstall", "sales")
    assert "Its data lies in" in own.done("modules", "uninstall", "sales", "--yes").out
    assert list((own.config.parent / "data" / "exports").glob("sales-*.zip"))
    assert states(own)["sales"] == "available"
    again = own.done("modules", "enable", "sales")
    assert "Enabled: sales." in again.out


def test_enabling_brings_back_what_an_uninstall_exported(own: CommandLine) -> None:
    own.done("modules", "uninstall", "sales", "--yes")
    (file,) = (own.config.parent / "data" / "exports").glob("sales-*.zip")
    assert f"An earlier uninstall left {file}" in own.done("modules", "enable", "sales", "--dry-run").out
    planned = own.done("modules", "enable", "sales", "--dry-run", "--restore", str(file)).out
    assert "brings back sales_pipeline, 1 row\n" in planned
    assert "An earlier uninstall" not in planned
    enabled = own.done("modules", "enable", "sales", "--restore", str(file))
    assert "sales_pipeline: 1 row is back" in enabled.out
    assert "role Sales agent is back" in enabled.out
    assert not enabled.err
    assert "sales has its data" in own.refused("modules", "enable", "sales", "--restore", str(file))


def test_enabling_anew_says_where_the_old_data_lie(own: CommandLine) -> None:
    own.done("modules", "uninstall", "sales", "--yes")
    assert "sales begins anew. What it had lies in" in own.done("modules", "enable", "sales").err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_damaged_export_is_refused_by_name(own: CommandLine, more: tuple[str, ...]) -> None:
    own.done("modules", "uninstall", "sales", "--yes")
    file = own.config.parent / "broken.zip"
    file.write_bytes(b"PK")
    assert "broken.zip is damaged" in own.refused("modules", "enable", "sales", "--restore", str(file), *more)
    assert states(own)["sales"] == "available"


def test_enabling_takes_along_what_is_needed(fresh: CommandLine) -> None:
    fresh.done("init", "--admin-password", PASSWORD)
    enabled = fresh.done("modules", "enable", "sales")
    assert "catalog comes along: sales needs it." in enabled.out
    assert "Enabled: catalog, sales." in enabled.out
    assert "already" in fresh.done("modules", "enable", "sales").out


def test_only_what_is_paid_for_can_be_enabled(fresh: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPTOIR_ENTITLEMENT__MODULES", "catalog")
    assert "plan" in fresh.refused("init", "--admin-password", PASSWORD, "--modules", "sales")
    fresh.done("init", "--admin-password", PASSWORD)
    assert "plan" in fresh.refused("modules", "enable", "sales")


@pytest.mark.parametrize("action", ["enable", "pause", "resume", "upgrade", "uninstall", "show"])
def test_an_unknown_module_is_named(comptoir: CommandLine, action: str) -> None:
    assert "nothere" in comptoir.refused("modules", action, "nothere")


@pytest.mark.parametrize("action", ["pause", "uninstall", "enable"])
def test_base_is_always_on(comptoir: CommandLine, action: str) -> None:
    assert "Base is always on" in comptoir.refused("modules", action, "base")


def test_a_module_shows_what_it_brings(comptoir: CommandLine) -> None:
    row = comptoir.done("modules", "show", "sales", "--json").rows
    assert "sales_deal" in row["tables"]
    assert "sales.deal.read" in row["permissions"]
    assert row["requires"] == ["catalog"]


def test_routes_name_their_module_and_permission(comptoir: CommandLine) -> None:
    rows = comptoir.done("routes", "--json").rows
    by_path = {(row["path"], *row["methods"]): row for row in rows}
    assert by_path["/login", "GET"]["public"] or by_path["/login", "GET", "POST"]["public"]
    assert {row["module"] for row in rows} >= {"core", "base", "sales"}


def test_everything_is_up_to_date_after_init(comptoir: CommandLine) -> None:
    assert "up to date" in comptoir.done("upgrade").out
    assert "up to date" in comptoir.done("upgrade", "--dry-run").out
    assert "0 migrations" in comptoir.done("modules", "upgrade", "sales").out


def test_health_is_told_part_by_part(comptoir: CommandLine) -> None:
    found = {row["part"]: row["state"] for row in comptoir.done("check", "--json").rows}
    assert found == {
        "configuration": "ok", "files": "ok", "disk": "ok", "database": "ok", "migrations": "ok", "modules": "ok",
        "users": "ok", "jobs": "note", "search": "ok",
    }  # fmt: skip


def test_what_is_wrong_is_named(own: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    own.config.with_suffix(".key").chmod(0o644)
    monkeypatch.setenv("COMPTOIR_ENTITLEMENT__MODULES", "catalog,ghost")
    monkeypatch.setenv("COMPTOIR_ENTITLEMENT__SEATS", "0")
    ran = own("check")
    assert ran.status == 1
    assert ran.err == "comptoir: 4 problems found.\n"
    for words in ("chmod 600", "sales is enabled, but not", "names ghost", "1 users can sign in, 0 seats"):
        assert words in ran.out


def test_a_check_finds_and_mends_what_the_search_has_lost(own: CommandLine) -> None:
    def search(*options: str) -> tuple[int, list[tuple[str, str]]]:
        ran = own("check", "--json", *options)
        return ran.status, [(row["state"], row["message"]) for row in ran.rows if row["part"] == "search"]

    assert search() == (0, [("ok", "The newest records are found as they are.")])
    engine = create_engine(load_settings(own.config).database_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM core_search"))
    engine.dispose()
    status, [(state, message)] = search()
    assert (status, state) == (1, "problem")
    assert "comptoir check --mend" in message
    assert "corrected" in search("--mend")[1][0][1]
    assert search("--whole") == (0, [("ok", "Every record is found as it is.")])
    assert search("--mend") == (0, [("ok", "Every record is found as it is.")])


def test_a_check_finds_and_mends_what_a_summary_has_lost(own: CommandLine) -> None:
    def summaries(option: str) -> tuple[int, list[tuple[str, str]]]:
        ran = own("check", "--json", option)
        return ran.status, [(row["state"], row["message"]) for row in ran.rows if row["part"] == "summaries"]

    own.done("jobs", "run", "core.keep_summaries")
    assert summaries("--whole") == (0, [("ok", "The summaries agree with the records.")])
    engine = create_engine(load_settings(own.config).database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO core_summary (record_type, summary, reach, owner_id, team_id, k0, k1, k2, k3, k4, records,"
                " s0, c0, s1, c1, folded) SELECT record_type, summary, 'all', 0, 0, '', '', '', '', '', 7, 0, 0, 0, 0, folded"
                " FROM core_summary WHERE reach = 'ready'"
            )
        )
    engine.dispose()
    status, [(state, message)] = summaries("--whole")
    assert (status, state) == (1, "problem")
    assert "comptoir check --mend" in message
    assert "groups of summaries departed from the records; corrected" in summaries("--mend")[1][0][1]
    assert summaries("--whole") == (0, [("ok", "The summaries agree with the records.")])


def test_a_check_without_configuration_names_that(fresh: CommandLine) -> None:
    ran = fresh("check")
    assert ran.status == 1
    assert "There is no configuration" in ran.out


def test_models_and_tables_agree(comptoir: CommandLine) -> None:
    for name in ("comptoir", "base", "catalog", "sales"):
        assert "nothing is to migrate" in comptoir.refused("plugin", "revision", name, "-m", "none")


def test_jobs_are_listed_and_unknown_ones_named(comptoir: CommandLine) -> None:
    assert "core.forget_sign_ins" in [row["name"] for row in comptoir.done("jobs", "list", "--json").rows]
    assert comptoir.done("jobs", "runs", "--json").rows == []
    assert comptoir.done("jobs", "dead", "--json").rows == []
    for action in ("run", "pause", "resume"):
        assert "There is no job sales.fly" in comptoir.refused("jobs", action, "sales.fly")
    assert "None of these" in comptoir.refused("jobs", "replay", "7")


# -- a plugin with commands and a job -------------------------------------------------------------------------------------------

PLUGIN = '''
import click
from comptoir.toolkit import Command, Job, Manifest, hookimpl
from comptoir.schedules import Daily
import datetime as dt

manifest = Manifest("Greeter")

@click.command()
@click.argument("name")
@click.pass_obj
def greet(terminal, name):
    """Say hello."""
    here = terminal.perform("greet", lambda ctx: ctx.settings.name, write=False)
    click.echo(f"Hello {name} from {here}")

def work(ctx):
    pass

def fail(ctx):
    raise RuntimeError("no power")

@hookimpl
def contribute():
    return [Command(greet), Job("greeter.work", work, Daily(dt.time(7))), Job("greeter.fail", fail, Daily(dt.time(7)))]
'''


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stranger's plugin, installed for the test."""
    site = tmp_path / "site"
    package, described = site / "comptoir_greeter", site / "comptoir_greeter-1.0.dist-info"
    package.mkdir(parents=True)
    described.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PLUGIN)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: comptoir-greeter\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[comptoir.plugins]\ngreeter = comptoir_greeter.plugin\n")
    monkeypatch.syspath_prepend(str(site))
    yield package
    for name in [name for name in sys.modules if name.startswith("comptoir_greeter")]:
        del sys.modules[name]


def test_a_plugins_commands_carry_its_name(greeter: Path, own: CommandLine) -> None:
    assert "Enable it with: comptoir modules enable greeter" in own.refused("greeter", "greet", "Ana")
    own.done("modules", "enable", "greeter")
    assert own.done("greeter", "greet", "Ana").out == "Hello Ana from new\n"
    assert "greeter" in own.done("--help").out
    own.done("modules", "pause", "greeter")
    assert "not enabled" in own.refused("greeter", "greet", "Ana")


def test_a_broken_plugin_is_quarantined_and_the_rest_works(greeter: Path, own: CommandLine) -> None:
    own.done("modules", "enable", "greeter")
    (greeter / "plugin.py").write_text("import nothing_of_that_name\n")
    for name in [name for name in sys.modules if name.startswith("comptoir_greeter")]:
        del sys.modules[name]
    assert "nothing_of_that_name" in own.refused("greeter", "greet", "Ana")
    own.done("users", "list")
    ran = own("check")
    assert ran.status == 1
    assert "greeter is quarantined" in ran.out


def test_a_job_is_run_paused_and_resumed(greeter: Path, own: CommandLine) -> None:
    own.done("modules", "enable", "greeter")
    assert "greeter.work is done." in own.done("jobs", "run", "greeter.work").out
    assert "no power" in own.refused("jobs", "run", "greeter.fail")
    runs = {
        row["job"]: row["state"] for row in own.done("jobs", "runs", "--json").rows if row["job"].startswith("greeter")
    }
    assert runs == {"greeter.work": "done", "greeter.fail": "failed"}
    own.done("jobs", "pause", "greeter.work")
    assert "Resume it first" in own.refused("jobs", "run", "greeter.work")
    own.done("jobs", "resume", "greeter.work")
    own.done("jobs", "run", "greeter.work")
