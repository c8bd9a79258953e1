"""Looking at one plugin: every check once, or once on each engine, and what came of it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from comptoir import __version__
from comptoir.access.passwords import CHEAP
from comptoir.registry.discover import Available, discover_plugins
from comptoir.testing.conformance.check import CHECKS, Check, Finding, NotApplicable
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.running import Running
from comptoir.testing.conformance.source import Source, source_of
from comptoir.testing.postgres import PostgresUnavailable, server_url

Outcome = Literal["passed", "failed", "skipped"]
ENGINES = ("sqlite", "postgresql")
TYPE_CHECK = "types.mypy"
GATES = ("layers.imports", "hooks.accepted", "life.enabled")
"""Without these nothing else can be looked at: they are made whatever is asked for, so that a skipped check never passes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check; ``engine`` is empty where no deployment was needed."""

    check: Check
    engine: str
    outcome: Outcome
    reason: str = ""
    """Why it was skipped."""
    findings: Sequence[Finding] = ()
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "id": self.check.id,
            "theme": self.check.theme,
            "promise": self.check.promise,
            "engine": self.engine or None,
            "outcome": self.outcome,
            "reason": self.reason or None,
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Report:
    """What came of all checks of one plugin."""

    plugin: str
    version: str
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(result.outcome == "failed" for result in self.results)

    def count(self, outcome: Outcome) -> int:
        """How many checks came out so."""
        return sum(result.outcome == outcome for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """For programs: continuous integration, a catalogue of plugins."""
        return {
            "plugin": self.plugin,
            "version": self.version,
            "core": __version__,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "checks": [result.as_json() for result in self.results],
        }


class Inspection:
    """One plugin under inspection; close it to throw its deployments away."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._open = ExitStack()
        if source.root is not None:
            sys.path.insert(0, str(source.root))
            self._open.callback(sys.path.remove, str(source.root))
        before = os.environ.get(CHEAP)
        os.environ[CHEAP] = "1"  # nobody guesses at the visitors' passwords
        self._open.callback(_set_back, before)
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="conformance")))
        self.code = Code(source, self._discover)
        self._running: dict[str, Running] = {}

    def __enter__(self) -> Inspection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Throw away what was made for it."""
        self._open.close()

    def _discover(self) -> dict[str, Available]:
        return {**discover_plugins(), self.source.name: self.source.available}

    def running(self, engine: str) -> Running:
        """The plugin in use on an engine."""
        if engine not in self._running:
            if engine == "postgresql" and (reason := no_postgresql()):
                raise NotApplicable(reason)
            made = Running(self.code, engine, self._folder)
            self._open.callback(made.close)
            self._running[engine] = made
        return self._running[engine]

    def look(self, check: Check, engine: str = "") -> Result:
        """Make one check; ``engine`` is needed by those that look at a deployment."""
        began = time.perf_counter()
        outcome: Outcome = "passed"
        reason, findings = "", list[Finding]()
        try:
            subject: Any = {"source": self.source, "code": self.code}.get(check.needs) or self.running(engine)
            findings = list(dict.fromkeys(check.look(subject)))
            outcome = "failed" if findings else "passed"
        except NotApplicable as lacking:
            outcome, reason = "skipped", str(lacking)
        except Exception as error:  # noqa: BLE001 - a check that trips over a plugin names it, and the others go on
            wrong = f"the check stopped at {type(error).__name__}: {error!s:.300}"
            outcome, findings = "failed", [Finding(wrong, _place(error, self.source), "mend what stopped it")]
        return Result(check, engine, outcome, reason, findings, time.perf_counter() - began)


def _set_back(before: str | None) -> None:
    if before is None:
        os.environ.pop(CHEAP, None)
    else:
        os.environ[CHEAP] = before


def _place(error: Exception, source: Source) -> str:
    """The line of the plugin that an error came from, else that of the check."""
    place, step = "", error.__traceback__
    own = ""
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        place = f"{Path(file).name}:{step.tb_lineno}"
        if file.startswith(f"{source.folder}/"):
            own = f"{file.removeprefix(f'{source.folder}/')}:{step.tb_lineno}"
        step = step.tb_next
    return own or place


def no_postgresql() -> str:
    """Why there is no PostgreSQL here; nothing where there is one."""
    try:
        server_url()
    except PostgresUnavailable as reason:
        return str(reason)
    return ""


def steps(engines: Sequence[str], only: str = "") -> Iterator[tuple[Check, str]]:
    """The checks in order, those of a deployment once for each engine; ``only`` names a theme or one check."""
    chosen = [check for check in CHECKS.values() if only in ("", check.theme, check.id)]
    needed = {"source": 0, "code": 2, "deployment": 3}
    gates = GATES[: max((needed[check.needs] for check in chosen), default=0)]
    for check in CHECKS.values():
        if check in chosen or check.id in gates:
            for engine in engines if check.needs == "deployment" else ("",):
                yield check, engine


def inspect_plugin(name_or_path: str, engines: Sequence[str] = ENGINES, only: str = "") -> Report:
    """Make every check of an installed plugin, or of the one in a folder."""
    began = time.perf_counter()
    with Inspection(source_of(name_or_path)) as inspection:
        report = Report(inspection.source.name, inspection.source.available.version)
        planned = list(steps(engines, only))
        if any(check.id == TYPE_CHECK for check, _engine in planned) and find_spec("mypy") is not None:
            _ = inspection.code.type_check  # goes on beside the others, and is asked at the end
            planned.sort(key=lambda step: step[0].id == TYPE_CHECK)
        for check, engine in planned:
            report.results.append(inspection.look(check, engine))
    report.seconds = time.perf_counter() - began
    return report
