"""``comptoir plugin check``: whether a plugin keeps what every plugin promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comptoir.cli.terminal import note, print_json, progress, say
from comptoir.errors import ComptoirError
from comptoir.i18n import _, ngettext

if TYPE_CHECKING:
    from comptoir.testing.conformance import Report, Result

STANDARD_OUTPUT = "-"
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


@click.command()
@click.argument("plugin", metavar="NAME|FOLDER")
@click.option(
    "--json",
    "file",
    is_flag=False,
    flag_value=STANDARD_OUTPUT,
    metavar="[FILE]",
    help="Print JSON, or write it to a file.",
)
@click.option("--engine", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
@click.option(
    "--only", metavar="THEME|ID", default="", help="One theme, such as rights, or one check, such as rights.api."
)
def check(plugin: str, file: str | None, engine: str, only: str) -> None:
    """Look at an installed plugin, or at the one whose pyproject.toml lies in a folder, without a server or a deployment.

    Each check keeps one promise; one that fails says what is wrong, where, and what to do, and the exit status is 1.
    """
    from comptoir.testing.conformance import CHECKS, ENGINES, THEMES, inspect_plugin, steps
    from comptoir.testing.conformance.run import no_postgresql

    if only and only not in THEMES and only not in CHECKS:
        raise click.UsageError(str(_("There is no theme or check {name}. Themes: {known}.", name=only, known=", ".join(THEMES))))  # fmt: skip
    asked = engine != "sqlite" and any(check.needs == "deployment" for check, _engine in steps(("sqlite",), only))
    lacking = no_postgresql() if asked else ""
    if engine == "postgresql" and lacking:
        raise ComptoirError(lacking)
    engines = ENGINES if engine == "both" and not lacking else ("sqlite" if lacking else engine,)
    with progress(_("Looking at {name}", name=plugin)):
        report = inspect_plugin(plugin, engines, only)
    if lacking:
        note(lacking)
    if file == STANDARD_OUTPUT:
        print_json(report.as_json())
    else:
        if file is not None:
            Path(file).write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=2) + "\n")
        _print(report)
    if not report.passed:
        raise ComptoirError(ngettext("{count} check failed.", "{count} checks failed.", report.count("failed")))


def _print(report: Report) -> None:
    theme = ""
    for result in report.results:
        if result.check.theme != theme:
            theme = result.check.theme
            say(f"\n{theme}" if result is not report.results[0] else theme)
        _print_result(result)
    say(
        _(
            "\n{plugin} {version}: {passed} passed, {failed} failed, {skipped} skipped, in {seconds} s.",
            plugin=report.plugin,
            version=report.version,
            passed=report.count("passed"),
            failed=report.count("failed"),
            skipped=report.count("skipped"),
            seconds=f"{report.seconds:.0f}",
        )
    )


def _print_result(result: Result) -> None:
    engine = f"[{result.engine}] " if result.engine else ""
    aside = f" ({result.reason})" if result.reason else ""
    say(f"  {MARKS[result.outcome]} {result.check.id:<26} {engine}{result.check.promise.rstrip('.')}{aside}")
    for finding in result.findings:
        say(f"      {finding.place}: {finding.wrong}; {finding.cure}")
