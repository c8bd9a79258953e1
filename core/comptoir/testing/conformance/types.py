"""Types: what an author and an editor can rely on."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec

from comptoir.testing.conformance.check import Finding, NotApplicable, check
from comptoir.testing.conformance.code import Code
from comptoir.testing.conformance.source import Source

PATIENCE = 45
"""How many seconds mypy may take; its first run of all fills a cache and takes longer."""


@check("types.marked", needs="source")
def marked(source: Source) -> Iterator[Finding]:
    """The package carries ``py.typed``, so that others see its types."""
    folder = source.folder.parent if source.is_base else source.folder
    if not (folder / "py.typed").is_file():
        yield Finding("there is no py.typed", f"{source.package}/", "add an empty file py.typed to the package")


@check("types.annotated", needs="source")
def annotated(source: Source) -> Iterator[Finding]:
    """Every function says what it takes and gives."""
    for module, tree in source.modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = [a.arg for a in given if a.annotation is None and a.arg not in ("self", "cls")]
                if bare or node.returns is None:
                    missing = ", ".join([*bare, *(["its answer"] if node.returns is None else [])])
                    yield Finding(f"{node.name} does not say the type of {missing}", f"{module}:{node.lineno}", "annotate it")  # fmt: skip


@check("types.mypy", needs="code")
def checked(code: Code) -> Iterator[Finding]:
    """``mypy --strict`` finds nothing."""
    if find_spec("mypy") is None:
        raise NotApplicable("mypy is not installed")
    if code.source.is_base:
        raise NotApplicable("the platform's own lint looks at it")
    looking = code.type_check
    try:
        told, complaint = looking.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        looking.kill()
        raise NotApplicable(f"mypy took more than {PATIENCE} s; run it by itself once") from None
    if looking.returncode not in (0, 1):
        raise NotApplicable(f"mypy could not look: {(complaint or told).strip()[-200:]}")
    for line in told.splitlines():
        place, _colon, wrong = line.partition(": error: ")
        if wrong:
            yield Finding(wrong, place, "mend the type; the sign in brackets names the rule")
