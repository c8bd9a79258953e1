"""The conformance suite as tests of pytest: what a plugin's author inherits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from comptoir.testing.conformance.check import CHECKS, Check
from comptoir.testing.conformance.run import ENGINES, Inspection, steps
from comptoir.testing.conformance.source import source_of


class Conformance:
    """Each check of one plugin as a test of its own: ``class TestMyPlugin(Conformance): plugin = "loyalty"``.

    ``plugin`` is an installed name or the folder of a ``pyproject.toml``; ``engines`` and ``without`` (ids of checks, or
    themes) narrow what is looked at.
    """

    plugin: ClassVar[str]
    engines: ClassVar[tuple[str, ...]] = ENGINES
    without: ClassVar[tuple[str, ...]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each check, and for each engine where it looks at a deployment."""
        if "step" in metafunc.fixturenames:
            chosen = [(c, e) for c, e in steps(self.engines) if not {c.id, c.theme} & set(self.without)]
            marks = {"postgresql": pytest.mark.postgresql}
            parameters = [
                pytest.param((c.id, e), id=f"{c.id}-{e}" if e else c.id, marks=marks.get(e, ())) for c, e in chosen
            ]
            metafunc.parametrize("step", parameters)

    @pytest.fixture(scope="class")
    @classmethod
    def inspection(cls) -> Iterator[Inspection]:
        """The plugin under inspection, for all checks of the class."""
        with Inspection(source_of(cls.plugin)) as opened:
            yield opened

    @pytest.mark.timeout(120)
    def test_the_plugin_keeps_its_promise(self, step: tuple[str, str], inspection: Inspection) -> None:
        """The check finds nothing."""
        name, engine = step
        check: Check = CHECKS[name]
        result = inspection.look(check, engine)
        if result.outcome == "skipped":
            pytest.skip(result.reason)
        told: list[Any] = [f"{f.place}: {f.wrong}; {f.cure}" for f in result.findings]
        assert not told, "\n".join([check.promise, *told])
